// A real server on a port of its own, and a browser that looks at it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const program = process.env.TRELLIS ?? "target/debug/trellis";
export const DUCK = "samples/duck.png";

/** A server in a temporary folder. `stop` ends it, `restart` starts it again on the same port. */
export async function server(settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), "trellis-browser-"));
  let port = 0;
  let process_;
  const start = async () => {
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    process_ = spawn(program, ["serve", "--port", String(port), "--data-dir", folder, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    await new Promise((ready, failed) => {
      const hear = (part) => {
        said += part;
        const found = said.match(/http:\/\/127\.0\.0\.1:(\d+)/);
        if (found) ready((port = Number(found[1])));
      };
      process_.stdout.on("data", hear);
      process_.stderr.on("data", hear);
      process_.on("exit", (code) => failed(new Error(`the server ended with ${code}: ${said}`)));
    });
  };
  const stop = async () => {
    const ended = new Promise((done) => process_.on("exit", done));
    process_.removeAllListeners("exit");
    process_.kill("SIGTERM");
    await Promise.race([ended, new Promise((done) => process_.once("exit", done))]);
  };
  await start();
  const address = () => `http://127.0.0.1:${port}/`;
  return {
    get address() { return address(); },
    stop,
    restart: async () => { await stop(); await start(); },
    end: async () => { await stop(); await rm(folder, { recursive: true, force: true }); },
    submit: async (name = "duck.png", params = {}) => {
      const form = new FormData();
      form.append("image", new Blob([await readFile(DUCK)], { type: "image/png" }), name);
      form.append("params", JSON.stringify(params));
      const answer = await fetch(`${address()}v1/jobs`, { method: "POST", body: form });
      assert.equal(answer.status, 202, await answer.clone().text());
      return answer.json();
    },
    job: async (id) => (await fetch(`${address()}v1/jobs/${id}`)).json(),
    finished: async (id) => (await fetch(`${address()}v1/jobs/${id}?wait=60`)).json(),
  };
}

export const browser = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});

/** A page whose faults, refused loads and requests to other hosts are kept. */
export async function open(browser, server, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => { if (/Content Security Policy|Uncaught/.test(message.text())) faults.push(message.text()); });
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith("http") && host !== new URL(server.address).host) faults.push(`a request to ${host}`);
  });
  page.setDefaultTimeout(30_000);
  await page.goto(server.address);
  return { page, context, faults };
}

/** Waits until the model of the job that is shown has been drawn. */
export const drawn = (page, what = "result") => page.locator(`.scene[data-drawn="${what}"]`).waitFor();

/** What the 3D view shows: how many of its pixels are opaque, and how many colours they have. */
export const seen = (page) => page.evaluate(async () => {
  const view = document.querySelector(".scene model-viewer");
  const bitmap = await createImageBitmap(await view.toBlob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const { data } = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  let opaque = 0;
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] < 250) continue;
    opaque += 1;
    colours.add(((data[at] >> 4) << 8) | ((data[at + 1] >> 4) << 4) | (data[at + 2] >> 4));
  }
  return { share: opaque / (data.length / 4), colours: colours.size };
});

/** No serious or critical issue by axe. */
export async function accessible(page, state) {
  await page.evaluate(await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const bad = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(bad.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`), [], state);
}

/** A picture where `SHOTS` names a folder. */
export async function shot(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
}

