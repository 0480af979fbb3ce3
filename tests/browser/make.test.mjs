// From a picture to a model that is drawn, by the preview and by the stand-in for TRELLIS.
import assert from "node:assert/strict";
import { join } from "node:path";
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
  assert.equal(await page.title(), "duck: Ready · trellis");
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

test("a job that no server can do says what it waits for", () => visit(chromium, { rules: slow(1) }, async (page) => {
  await page.locator(".pill.good").waitFor();
  let stranded = true;
  await page.route(/v1\/jobs\/[^/?]+$/, async (route) => {
    const answer = await route.fetch();
    const waits = { state: "queued", waits_for: { kind: "no_server", message: "no server runs it", fix: "start one" } };
    await route.fulfill({ response: answer, json: { ...(await answer.json()), ...(stranded ? waits : {}) } });
  });
  await drop(page, DUCK);
  await make(page);
  await page.getByText("No server runs it").waitFor();
  await page.getByText("Start one").waitFor();
  await accessible(page, "waiting for a server");
  stranded = false;
  await drawn(page);
  assert.equal(await page.getByText("No server runs it").count(), 0);
}));

test("a job that runs can be cancelled, and tried again with another seed", () => visit(chromium, { rules: [{ at: "structured_latent", do: "sleep", seconds: 6, seed: 7 }] }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  await drop(page, DUCK);
  await page.getByLabel("Seed", { exact: true }).fill("7");
  const id = await make(page);
  await page.getByRole("heading", { name: "Add detail" }).or(page.getByRole("heading", { name: "Find the shape" })).first().waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("heading", { name: "Cancelled" }).waitFor();
  await accessible(page, "cancelled");
  assert.equal((await running.job(id)).state, "cancelled");
  await page.getByRole("button", { name: "Try again" }).dblclick();
  await page.waitForURL((url) => !url.hash.endsWith(id));
  await drawn(page);
  const { jobs } = await (await fetch(`${running.address}v1/jobs`)).json();
  assert.equal(jobs.length, 2, "a double click submits once");
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
  await page.getByText(/\d of your jobs ahead of it/).waitFor();
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

test("a job is sent once, whatever is changed meanwhile", () => visit(chromium, {}, async (page) => {
  await drop(page, DUCK);
  await page.locator(".picture").waitFor();
  let sent = 0;
  let release;
  const released = new Promise((done) => { release = done; });
  await page.route("**/v1/jobs", async (route) => {
    sent += 1;
    await released;
    await route.continue();
  });
  await page.getByRole("button", { name: "Make it 3D" }).click();
  const sending = page.getByRole("button", { name: "Sending…" });
  await sending.waitFor();
  await drop(page, DUCK, "side.png");
  await page.locator(".picture").nth(1).waitFor();
  assert.ok(await sending.isDisabled());
  // Nor from the view that is drawn when somebody comes back.
  await page.getByRole("link", { name: "Gallery" }).click();
  await page.getByRole("heading", { name: "Gallery" }).waitFor();
  await page.goBack();
  await sending.waitFor();
  assert.ok(await sending.isDisabled());
  release();
  await page.waitForURL((url) => url.hash.startsWith("#/job/"));
  await page.getByRole("button", { name: "Make it 3D" }).waitFor();
  assert.equal(sent, 1);
}));

test("the panel sends what the contract names", () => visit(chromium, {}, async (page, running) => {
  const { properties } = Object.values((await running.contract()).components.schemas).find((schema) => schema.properties?.model?.enum?.join() === "trellis-image-large");
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
  await page.getByLabel("Priority").selectOption("low");
  const id = await make(page);
  await drawn(page);
  const job = await running.job(id);
  assert.deepEqual([job.params.seed, job.priority], [77, "low"]);
  assert.equal(await page.getByLabel("Priority").inputValue(), "low", "what was chosen stays for the next job");
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

/** Draws a line with a pointer of that kind. */
const lines = {
  mouse: async (page, [x, y], [toX, toY]) => {
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(toX, toY, { steps: 8 });
    await page.mouse.up();
  },
  touch: async (page, [x, y], [toX, toY]) => {
    const link = await page.context().newCDPSession(page);
    const put = (type, ...touchPoints) => link.send("Input.dispatchTouchEvent", { type, touchPoints });
    await put("touchStart", { x, y });
    for (let step = 1; step <= 8; step += 1) await put("touchMove", { x: x + ((toX - x) * step) / 8, y: y + ((toY - y) * step) / 8 });
    await put("touchEnd");
  },
};

for (const [kind, line] of Object.entries(lines)) test(`what is removed with the brush is left out of what is sent, by ${kind}`, () => visit(chromium, {}, async (page, running) => {
  await drop(page, DUCK);
  await page.getByRole("button", { name: "Cut out" }).click();
  const canvas = page.locator("dialog .canvas canvas");
  await canvas.waitFor();
  await accessible(page, "cut-out editor");
  const box = await canvas.boundingBox();
  const middle = box.x + box.width / 2;
  const stroke = () => line(page, [middle, box.y + 30], [middle, box.y + box.height - 60]);
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
}, kind === "touch" ? { hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } } : {}));

test("cancelling a job that has ended meanwhile leaves its result", () => visit(chromium, { rules: slow(0.2) }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  await page.route("**/events", (route) => route.abort());
  await drop(page, DUCK);
  const id = await make(page);
  await page.getByRole("button", { name: "Cancel" }).waitFor();
  assert.equal((await running.finished(id)).state, "succeeded");
  await page.getByRole("button", { name: "Cancel" }).click();
  await drawn(page);
  assert.equal((await running.job(id)).state, "succeeded");
}));

test("a key with 60 requests a minute is enough to watch a job, and a hidden page asks for nothing", () => {
  const keys = "studio s3cret-of-the-studio requests_per_minute=60\n";
  return visit(chromium, { keys, rules: slow(0.5) }, async (page, running) => {
    await page.getByLabel("API key").fill("s3cret-of-the-studio");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator(".pill.good").waitFor();
    for (const seed of [1, 2]) await running.submit("before.png", { seed });
    await drop(page, DUCK);
    await make(page);
    await page.getByText("1 of your jobs ahead of it").waitFor();
    await drawn(page, "preview");
    let asked = 0;
    const refused = [];
    page.on("response", (answer) => { if (answer.status() === 429) refused.push(answer.url()); });
    page.on("request", () => { asked += 1; });
    await page.waitForTimeout(12_000);
    assert.ok(asked <= 6, `${asked} requests in 12 s`);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => globalThis.away !== false });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.waitForTimeout(7_000);
    asked = 0;
    await page.waitForTimeout(7_000);
    assert.ok(asked <= 2, `${asked} requests in 7 s of a page that nobody sees`);
    await page.evaluate(() => {
      globalThis.away = false;
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await drawn(page);
    assert.deepEqual(refused, []);
  });
});

test("with a key that is used too often the page waits and goes on", () => {
  const keys = "studio s3cret-of-the-studio requests_per_minute=20\n";
  return visit(chromium, { keys, rules: slow(0.3) }, async (page) => {
    await page.getByLabel("API key").fill("s3cret-of-the-studio");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator(".pill.good").waitFor();
    const refused = [];
    page.on("response", (answer) => { if (answer.status() === 429) refused.push(answer.url()); });
    await page.evaluate(async () => { for (let left = 25; left > 0; left -= 1) await fetch("v1/jobs?limit=1"); });
    const before = refused.length;
    assert.ok(before > 0);
    await drop(page, DUCK);
    await make(page);
    await drawn(page);
    assert.ok(refused.length > before, "the page was never refused");
    assert.equal(await page.locator(".toast").count(), 0);
  });
});

test("the line at the top has the GPU, its memory as a bar, and more on a click", () => visit(chromium, {}, async (page) => {
  const GiB = 2 ** 30;
  await page.route("**/v1/status", async (route) => {
    const now = await (await route.fetch()).json();
    now.backends = [{ name: "trellis", status: "ready", preview: false }, ...now.backends];
    now.gpus = [{ uuid: "GPU-1", name: "NVIDIA GeForce RTX 5090", memory_bytes: 32 * GiB, memory_used_bytes: 24 * GiB, utilisation_percent: 87, temperature_celsius: 66 }];
    await route.fulfill({ json: now });
  });
  await page.reload();
  const pill = page.locator(".pill.good");
  await pill.getByText("RTX 5090", { exact: true }).waitFor();
  assert.match(await pill.textContent(), /75 % of GPU memory in use/);
  const [bar, all] = await Promise.all([page.locator(".memory b").boundingBox(), page.locator(".memory").boundingBox()]);
  assert.ok(Math.abs(bar.width / all.width - 0.75) < 0.05, `${bar.width} of ${all.width}`);
  await pill.click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("26 GB of 34 GB in use").waitFor();
  await dialog.getByText("87 % busy · 66 °C").waitFor();
  assert.equal(await dialog.locator("meter").evaluate((meter) => meter.value / meter.max), 0.75);
  await accessible(page, "GPU");
  if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, "gpu.png") });
}));

test("a server that is gone is told of at once, and the view can be tried again", () => visit(chromium, {}, async (page, running) => {
  await page.locator(".pill.fair").waitFor();
  await page.getByText("All settings").click();
  await page.getByText("Previews are made from the outline").waitFor();
  await drop(page, "README.md", "notes.txt", "text/plain");
  await page.locator(".toast").waitFor();
  await running.stop("SIGKILL");
  await page.getByRole("link", { name: "Gallery" }).click();
  await page.getByRole("heading", { name: "The server cannot be reached" }).waitFor();
  await page.locator(".pill.bad").waitFor({ timeout: 5000 });
  assert.equal(await page.locator(".toast").count(), 0, "what was said of another view");
  assert.equal(await page.title(), "Gallery · trellis");
  await accessible(page, "server gone");
  await running.start();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("Nothing here yet").waitFor();
  await page.getByRole("link", { name: "Create" }).click();
  await page.getByText("Previews are made from the outline").waitFor();
}));
