// From a picture to a model that is drawn, by the preview and by the stand-in for TRELLIS.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, browser, drawn, drop, DUCK, make, open, seen, server, slow, visit } from "./kit.mjs";

let chromium;
before(async () => { chromium = await browser(); });
after(() => chromium?.close());

test("a dropped picture becomes a model that is drawn", () => visit(chromium, {}, async (page) => {
  await page.getByRole("button", { name: "Make it 3D" }).waitFor();
  await accessible(page, "empty");
  await drop(page, DUCK);
  await page.locator(".picture img").waitFor();
  await accessible(page, "picture chosen");
  await make(page);
  await drawn(page);
  const { share, colours } = await seen(page);
  assert.ok(share > 0.02 && share < 0.9, `${share} of the view is covered`);
  assert.ok(colours > 20, `only ${colours} colours: not the picture's`);
  // The same model without its texture is grey all over: what was counted above is the picture.
  await page.getByRole("button", { name: "Surface" }).click();
  await page.waitForTimeout(300);
  const blank = await seen(page);
  assert.ok(blank.colours < colours, `${blank.colours} colours without the texture, ${colours} with it`);
  await page.getByText("Preview from the outline").waitFor();
  await page.getByText("not by TRELLIS").waitFor();
  await accessible(page, "result");
  assert.match(await page.locator(".command code").first().textContent(), /curl .*image=@duck\.png/);
  assert.match(await page.locator(".command code").last().textContent(), /trellis generate duck\.png/);
}));

test("the preview comes first, the stages in their order, then the result", () => visit(chromium, { rules: slow(0.4) }, async (page) => {
  await page.locator(".pill.good").waitFor();
  await drop(page, DUCK);
  await page.evaluate(() => {
    globalThis.said = [];
    new MutationObserver(() => {
      const heading = document.querySelector(".working h2")?.textContent ?? (document.querySelector(".result-line h2") ? "done" : undefined);
      if (heading && heading !== globalThis.said.at(-1)) globalThis.said.push(heading);
    }).observe(document.body, { childList: true, subtree: true });
  });
  await make(page);
  await drawn(page, "preview");
  await accessible(page, "working");
  await drawn(page, "result");
  await page.getByText("Made by TRELLIS", { exact: true }).waitFor();
  const said = await page.evaluate(() => globalThis.said);
  const order = ["Waiting", "Starting", "Cut out the object", "Look at the picture", "Find the shape", "Add detail", "Build the mesh", "Simplify", "Paint the texture", "Write the files", "done"];
  assert.deepEqual(said, order.filter((one) => said.includes(one)), "each stage once, in order");
  assert.ok(said.length > 5 && said.includes("Find the shape"), said.join(", "));
  assert.equal(await page.locator(".scene > .badge").count(), 0);
  assert.ok((await page.locator(".times tr").count()) > 4);
}));

test("a job that runs can be cancelled, and tried again with another seed", () => visit(chromium, { rules: [{ at: "structured_latent", do: "sleep", seconds: 20, times: 1 }] }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  await drop(page, DUCK);
  const id = await make(page);
  await page.getByRole("heading", { name: "Add detail" }).or(page.getByRole("heading", { name: "Find the shape" })).first().waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("heading", { name: "Cancelled" }).waitFor();
  await accessible(page, "cancelled");
  assert.equal((await running.job(id)).state, "cancelled");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.waitForURL((url) => !url.hash.endsWith(id));
  await drawn(page);
  const next = await running.job(page.url().split("/").at(-1));
  assert.notEqual(next.params.seed, (await running.job(id)).params.seed);
  assert.equal(next.inputs[0].name, "duck");
}));

test("a failure says what failed and what to do", () => visit(chromium, { rules: [{ at: "decode", do: "raise", type: "ValueError", text: "no" }] }, async (page) => {
  await page.locator(".pill.good").waitFor();
  await drop(page, DUCK);
  await make(page);
  await page.locator(".failed .fix").waitFor();
  await accessible(page, "failed");
}));

test("a reload in the middle and a restart of the server lose nothing", () => visit(chromium, { rules: slow(1) }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  await drop(page, DUCK);
  const id = await make(page);
  await page.locator(".working .step, .working .place").first().waitFor();
  await page.reload();
  await page.locator(".working").waitFor();
  await running.stop("SIGKILL");
  await page.locator(".cut-off.shown").waitFor();
  await accessible(page, "cut off");
  await running.start();
  await drawn(page);
  assert.equal((await running.job(id)).state, "succeeded");
}));

test("ten jobs at once tell their place and all end", () => visit(chromium, { rules: slow(0.1) }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  const jobs = await Promise.all(Array.from({ length: 10 }, (_, at) => running.submit(`job-${at}.png`, { seed: at })));
  const last = jobs.map(({ id }) => id).sort().at(-1);
  await page.goto(`${running.address}#/job/${last}`);
  await page.getByText(/\d of your jobs before it/).waitFor();
  await page.locator(".waiting-count").waitFor();
  await drawn(page);
  for (const { id } of jobs) assert.equal((await running.finished(id)).state, "succeeded");
}));

test("the sample, a paste and several pictures", () => visit(chromium, {}, async (page, running) => {
  await page.getByRole("button", { name: "Try it with a sample" }).click();
  await page.locator(".picture").waitFor();
  await page.evaluate(async () => {
    const picture = await (await fetch(document.querySelector(".picture img").src)).blob();
    const transfer = new DataTransfer();
    transfer.items.add(new File([picture], "pasted.webp", { type: "image/webp" }));
    dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
  });
  await drop(page, DUCK, "side.png");
  await page.getByText("Several pictures are views of one object").waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".picture").length === 3);
  const id = await make(page);
  await drawn(page);
  assert.equal((await running.job(id)).inputs.length, 3);
}));

test("the panel sends what the contract names", () => visit(chromium, {}, async (page, running) => {
  const properties = (await running.contract()).components.schemas.ParamsPatch.properties;
  await drop(page, DUCK);
  await page.getByRole("radio", { name: "Draft" }).click();
  await page.getByLabel("Seed", { exact: true }).fill("77");
  await page.getByText("All settings").click();
  const names = Object.keys(properties).filter((name) => !["seed", "model"].includes(name));
  assert.equal(await page.locator(".fields .field").count(), names.length);
  for (const name of names) {
    const { minimum, maximum } = properties[name];
    if (maximum === undefined || properties[name].oneOf) continue;
    const field = page.locator(`#field-${name}`);
    assert.deepEqual([await field.getAttribute("min"), await field.getAttribute("max")].map(Number), [minimum, maximum], name);
  }
  await accessible(page, "settings");
  const id = await make(page);
  await drawn(page);
  const job = await running.job(id);
  assert.equal(job.params.seed, 77);
  assert.deepEqual([job.params.quality, job.params.texture_size], ["draft", properties.texture_size.minimum]);
  await page.reload();
  assert.equal(await page.getByLabel("Seed", { exact: true }).inputValue(), "77");
}));

test("bad files and too large ones are refused before they are sent", async () => {
  const running = await server({ flags: ["--limits-body-bytes", "1000000"] });
  const { page, context } = await open(chromium, running);
  await page.locator(".drop").waitFor();
  let sent = 0;
  page.on("request", (request) => { if (request.method() === "POST") sent += 1; });
  await drop(page, "README.md", "notes.txt", "text/plain");
  await page.getByText("is not a picture that the server reads").waitFor();
  await drop(page, "README.md", "broken.png", "image/png");
  await page.getByText("cannot be read as a picture").waitFor();
  const limit = (await (await fetch(`${running.address}v1/version`)).json()).limits.body_bytes;
  await page.evaluate((size) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(size)], "huge.png", { type: "image/png" }));
    dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
  }, limit + 1);
  await page.getByText("is too large").waitFor();
  await accessible(page, "refused");
  assert.equal(await page.locator(".picture").count(), 0);
  assert.equal(sent, 0);
  await context.close();
  await running.end();
});

test("what is removed with the brush is left out of what is sent", () => visit(chromium, {}, async (page, running) => {
  await drop(page, DUCK);
  await page.getByRole("button", { name: "Cut out" }).click();
  const canvas = page.locator("dialog .canvas canvas");
  await canvas.waitFor();
  await accessible(page, "cut-out editor");
  const box = await canvas.boundingBox();
  const stroke = async () => {
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 60, { steps: 8 });
    await page.mouse.up();
  };
  await stroke();
  const undo = page.getByRole("button", { name: "Undo" });
  await undo.click();
  assert.ok(await undo.isDisabled());
  await stroke();
  await page.getByRole("button", { name: "Use this" }).click();
  await page.locator(".tag").waitFor();
  const id = await make(page);
  const sent = await page.evaluate(async (id) => {
    const bitmap = await createImageBitmap(await (await fetch(`v1/jobs/${id}/input/0`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const pen = canvas.getContext("2d");
    pen.drawImage(bitmap, 0, 0);
    return pen.getImageData(Math.round(bitmap.width / 2), Math.round(bitmap.height / 2), 1, 1).data[3];
  }, id);
  assert.equal(sent, 0);
  assert.equal((await running.job(id)).inputs[0].format, "png");
}));
