// The page, from a dropped picture to what is kept of it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { accessible, browser, drawn, DUCK, open, seen, server, shot } from "./kit.mjs";

let chromium;
before(async () => { chromium = await browser(); });
after(() => chromium?.close());

/** Drops a file on the page, as a person does. */
async function drop(page, path, name = path.split("/").at(-1), type = "image/png") {
  const bytes = (await readFile(path)).toString("base64");
  const transfer = await page.evaluateHandle(([bytes, name, type]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], name, { type }));
    return transfer;
  }, [bytes, name, type]);
  await page.dispatchEvent(".drop", "drop", { dataTransfer: transfer });
}

async function with_(settings, body, options) {
  const running = await server(settings);
  const { page, context, faults } = await open(chromium, running, options);
  try {
    await body(page, running, context);
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
    await running.end();
  }
}

test("a dropped picture becomes a model that is drawn", () => with_({}, async (page) => {
  await page.getByRole("button", { name: "Make it 3D" }).waitFor();
  await accessible(page, "empty");
  await drop(page, DUCK);
  await page.locator(".picture img").waitFor();
  await accessible(page, "picture chosen");
  await page.getByRole("button", { name: "Make it 3D" }).click();
  await drawn(page);
  const { share, colours } = await seen(page);
  assert.ok(share > 0.02 && share < 0.9, `${share} of the view is covered`);
  assert.ok(colours > 20, `only ${colours} colours: not the picture's`);
  await page.getByText("Preview from the outline").waitFor();
  await page.getByText("not by TRELLIS").waitFor();
  await accessible(page, "result");
  assert.match(await page.locator(".command code").first().textContent(), /curl .*image=@duck\.png/);
  assert.match(await page.locator(".command code").last().textContent(), /trellis generate duck\.png/);
  await shot(page, "result");
}));

test("the sample, a paste and several pictures", () => with_({}, async (page, running) => {
  await page.getByRole("button", { name: "Try it with a sample" }).click();
  await page.locator(".picture").waitFor();
  await drop(page, DUCK, "side.png");
  await page.getByText("Several pictures are views of one object").waitFor();
  await page.getByRole("button", { name: "Make it 3D" }).click();
  await drawn(page);
  const id = page.url().split("/").at(-1);
  assert.equal((await running.job(id)).inputs.length, 2);
}));

test("the panel sends what the contract names", () => with_({}, async (page, running) => {
  const contract = await (await fetch(`${running.address}openapi.json`)).json();
  await drop(page, DUCK);
  await page.getByRole("radio", { name: "Draft" }).click();
  await page.getByLabel("Seed", { exact: true }).fill("77");
  await page.getByText("All settings").click();
  const names = Object.keys(contract.components.schemas.ParamsPatch.properties).filter((name) => !["seed", "model"].includes(name));
  assert.equal(await page.locator(".fields .field").count(), names.length);
  await accessible(page, "settings");
  await page.getByRole("button", { name: "Make it 3D" }).click();
  await drawn(page);
  const job = await running.job(page.url().split("/").at(-1));
  assert.equal(job.params.seed, 77);
  assert.equal(job.params.ss_sampling_steps, contract.components.schemas.ParamsPatch.properties.ss_sampling_steps.default / 2);
  await page.reload();
  assert.equal(await page.getByLabel("Seed", { exact: true }).inputValue(), "77");
}));

test("a reload, and a restart of the server, keep the result", () => with_({}, async (page, running) => {
  const { id } = await running.submit();
  await page.goto(`${running.address}#/job/${id}`);
  await page.reload();
  await drawn(page);
  await running.restart();
  await page.reload();
  await drawn(page);
}));

test("bad files and too large ones are refused before they are sent", () => with_({ "limits-pixels": "1000000" }, async (page) => {
  await page.locator(".drop").waitFor();
  let sent = 0;
  page.on("request", (request) => { if (request.method() === "POST") sent += 1; });
  await drop(page, "README.md", "notes.txt", "text/plain");
  await page.getByText("is not a picture that the server reads").waitFor();
  await drop(page, "README.md", "broken.png", "image/png");
  await page.getByText("cannot be read as a picture").waitFor();
  await accessible(page, "refused");
  assert.equal(await page.locator(".picture").count(), 0);
  assert.equal(sent, 0);
}));

test("what is removed with the brush is left out of what is sent", () => with_({}, async (page, running) => {
  await drop(page, DUCK);
  await page.getByRole("button", { name: "Cut out" }).click();
  const canvas = page.locator(".canvas canvas");
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
  await shot(page, "cutout");
  await page.getByRole("button", { name: "Use this" }).click();
  await page.locator(".tag").waitFor();
  await page.getByRole("button", { name: "Make it 3D" }).click();
  await page.waitForURL(/job/);
  const id = page.url().split("/").at(-1);
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

test("two results are turned together", () => with_({}, async (page, running) => {
  const jobs = [await running.submit("one.png", { seed: 1 }), await running.submit("two.png", { seed: 2 })];
  await Promise.all(jobs.map(({ id }) => running.finished(id)));
  await page.goto(`${running.address}#/compare/${jobs[0].id}`);
  await page.getByRole("button", { name: /two/ }).click();
  const views = page.locator(".pair model-viewer");
  await views.nth(1).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll(".pair model-viewer")].every((view) => view.loaded));
  await accessible(page, "compare");
  const box = await views.first().boundingBox();
  await page.mouse.move(box.x + 200, box.y + 200);
  await page.mouse.down();
  await page.mouse.move(box.x + 320, box.y + 200, { steps: 6 });
  await page.mouse.up();
  await page.waitForFunction(() => {
    const [one, other] = [...document.querySelectorAll(".pair model-viewer")].map((view) => view.getCameraOrbit().theta);
    return Math.abs(one - other) < 0.02 && Math.abs(one) > 0.1;
  });
  await shot(page, "compare");
}));

test("the first look is small and soon", async () => {
  const running = await server();
  const { page, context } = await open(chromium, running);
  const sizes = new Map();
  const link = await context.newCDPSession(page);
  await link.send("Network.enable");
  const names = new Map();
  link.on("Network.responseReceived", ({ requestId, response }) => names.set(requestId, new URL(response.url).pathname));
  link.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.set(names.get(requestId), encodedDataLength));
  await page.reload({ waitUntil: "networkidle" });
  await page.getByRole("button", { name: "Make it 3D" }).waitFor();
  await page.waitForTimeout(1500);
  const files = [...sizes].filter(([name]) => name === "/" || name?.startsWith("/ui/"));
  const total = files.reduce((sum, [, size]) => sum + size, 0);
  const viewer = files.filter(([name]) => name.includes("model-viewer")).reduce((sum, [, size]) => sum + size, 0);
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  console.log(`first contentful paint ${Math.round(paint)} ms; ${total - viewer} bytes without the viewer, ${total} with it`);
  await context.close();
  await running.end();
  assert.ok(total - viewer < 60_000, `${total - viewer} bytes`);
  assert.ok(viewer > 0 && total < 400_000, `${total} bytes`);
});
