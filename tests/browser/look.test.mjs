// What the first look costs. With SHOTS=FOLDER, pictures of each state, wide and narrow, light and dark.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, drawn, drop, dropBytes, DUCK, make, open, server, slow, TETRAHEDRON } from "./kit.mjs";

let chromium;
before(async () => { chromium = await browser(); });
after(() => chromium?.close());

test("the first look is small", async () => {
  const running = await server();
  const context = await chromium.newContext();
  const page = await context.newPage();
  const link = await context.newCDPSession(page);
  await link.send("Network.enable");
  const names = new Map();
  const sizes = new Map();
  link.on("Network.responseReceived", ({ requestId, response }) => names.set(requestId, new URL(response.url).pathname));
  link.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.set(names.get(requestId), encodedDataLength));
  await page.goto(running.address);
  await page.getByRole("button", { name: "Make it 3D" }).waitFor();
  await page.waitForFunction(() => customElements.get("model-viewer"));
  await page.waitForTimeout(200);
  // The contract is read before anything is shown, so it counts.
  const files = [...sizes].filter(([name]) => name === "/" || name === "/openapi.json" || name?.startsWith("/ui/"));
  const total = files.reduce((sum, [, size]) => sum + size, 0);
  const viewer = files.filter(([name]) => name.includes("model-viewer")).reduce((sum, [, size]) => sum + size, 0);
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  console.log(`first contentful paint ${Math.round(paint)} ms; ${total - viewer} bytes without the viewer, ${total} with it`);
  await context.close();
  await running.end();
  assert.ok(total - viewer > 5_000 && total - viewer < 60_000, `${total - viewer} bytes`);
  assert.ok(viewer > 0 && total < 400_000, `${total} bytes`);
});

test("pictures of all states", { skip: !process.env.SHOTS && "SHOTS names no folder" }, async () => {
  await mkdir(process.env.SHOTS, { recursive: true });
  const running = await server({ rules: slow(0.7), second: true });
  const done = await running.submit("duck.png", { seed: 3, texture_size: 1024 });
  const preview = await running.submit("rubber duck.png", { seed: 4 });
  await running.finished(done.id);
  await running.finished(preview.id);
  for (const [width, height] of [[1280, 860], [390, 844]]) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, context } = await open(chromium, running, { viewport: { width, height }, colorScheme, hasTouch: width < 500 });
      const shot = (name, fullPage = false) => page.screenshot({ path: join(process.env.SHOTS, `${name}-${width}-${colorScheme}.png`), fullPage });
      await page.locator(".drop").waitFor();
      await page.locator(".pill").waitFor();
      await shot("empty");
      await drop(page, DUCK);
      await page.locator(".picture img").waitFor();
      await shot("chosen");
      await page.getByText("All settings").click();
      await shot("settings", true);
      await page.getByText("All settings").click();
      await page.getByRole("button", { name: "Cut out" }).click();
      await page.locator("dialog .canvas canvas").waitFor();
      await shot("cutout");
      await page.getByRole("button", { name: "Discard" }).click();
      await make(page);
      await drawn(page, "preview");
      await shot("working");
      await drawn(page);
      await page.waitForTimeout(500);
      await shot("result", true);
      await page.getByRole("button", { name: "Change texture or triangles" }).click();
      await page.getByRole("dialog").waitFor();
      await shot("make-again");
      await page.getByRole("button", { name: "Close", exact: true }).click();
      await page.locator(".pill").click();
      await page.getByRole("dialog").waitFor();
      await shot("server");
      await page.getByRole("button", { name: "Close", exact: true }).click();
      await page.goto(`${running.address}#/gallery`);
      await page.locator(".grid li").first().waitFor();
      await page.waitForTimeout(4000);
      await shot("gallery");
      await page.goto(`${running.address}#/compare/${done.id}/${preview.id}`);
      await page.waitForFunction(() => [...document.querySelectorAll(".pair model-viewer")].filter((view) => view.loaded).length === 2);
      await page.waitForTimeout(600);
      await shot("compare");
      await page.goto(`${running.address}#/job/01a00000-0000-7000-8000-000000000000`);
      await page.locator(".empty").waitFor();
      await shot("missing");
      await page.goto(running.address);
      await page.getByLabel("Model", { exact: true }).selectOption("trellis2-4b");
      await shot("can-texture");
      await dropBytes(page, TETRAHEDRON, "tetrahedron.obj", "");
      await page.locator(".mesh").waitFor();
      await shot("mesh-alone");
      await drop(page, DUCK);
      await page.locator(".picture img").waitFor();
      await shot("mesh");
      await make(page, "Texture it");
      await drawn(page);
      await shot("mesh-result", true);
      await context.close();
    }
  }
  await running.end();
});
