// A real server on a port of its own, and a browser that looks at it.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const program = process.env.TRELLIS ?? "target/debug/trellis";
export const DUCK = "samples/duck.png";
/** A mesh as an OBJ. */
export const TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n";

/** Flags of a server with one worker of the stand-in for TRELLIS, and one more on a model of TRELLIS.2's. */
async function both(folder, rules) {
  const second = join(folder, "trellis2");
  execFileSync("python3", ["tests/fake_trellis/model.py", "--trellis2", second]);
  return [...await standIn(folder, rules), "--trellis2-model", second, "--trellis2-python", "tests/fake_trellis/python", "--trellis2-gpus", "unchecked:1"];
}

/** Flags of a server with one worker of the stand-in for TRELLIS, which does what `rules` say (tests/fake_trellis). */
async function standIn(folder, rules) {
  const model = join(folder, "model");
  execFileSync("python3", ["tests/fake_trellis/model.py", model]);
  await writeFile(join(model, "script.json"), JSON.stringify(rules));
  await mkdir(join(folder, ".cache"));
  await rename(join(model, "torch"), join(folder, ".cache/torch"));
  return ["--model", model, "--python", "tests/fake_trellis/python", "--gpus", "unchecked:1", "--warm-up=false", "--default-quality=exact", "--skip-doctor"];
}

/** Each stage of the stand-in takes so long. */
export const slow = (seconds) =>
  ["preprocess", "condition", "sparse_structure", "structured_latent", "decode", "simplify", "texture"].map((at) => ({ at, do: "sleep", seconds }));

/**
 * A server in a temporary folder: `keys` is the text of its file of keys, `rules` are those of the stand-in for TRELLIS;
 * without them there is the preview alone. With `second` it runs TRELLIS.2's stand-in as well.
 */
export async function server({ flags = [], keys, rules, second } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "trellis-browser-"));
  const all = [...flags];
  if (keys) {
    await writeFile(join(folder, "keys"), keys);
    await chmod(join(folder, "keys"), 0o600);
    all.push("--auth-keys-file", join(folder, "keys"));
  }
  all.push(...(rules ? await (second ? both : standIn)(folder, rules) : ["--backend", "relief"]));
  let port = 0;
  let running;
  let said = "";
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TRELLIS_")));
  const start = async () => {
    const command = ["serve", "--port", String(port), "--data-dir", join(folder, "data"), ...all];
    running = spawn(program, command, { stdio: ["ignore", "pipe", "pipe"], env: { ...env, HOME: folder } });
    said = "";
    await new Promise((ready, failed) => {
      const hear = (part) => {
        said += part;
        const found = said.match(/http:\/\/127\.0\.0\.1:(\d+)/);
        if (found) ready((port = Number(found[1])));
      };
      running.stdout.on("data", hear);
      running.stderr.on("data", hear);
      running.on("exit", (code) => failed(new Error(`the server ended with ${code}: ${said}`)));
    });
  };
  const stop = async (signal = "SIGTERM") => {
    const ended = new Promise((done) => running.once("exit", done));
    running.kill(signal);
    await ended;
  };
  await start();
  const address = () => `http://127.0.0.1:${port}/`;
  const headers = keys ? { authorization: `Bearer ${keys.split(/\s+/)[1]}` } : {};
  return {
    get address() { return address(); },
    get said() { return said; },
    start,
    stop,
    end: async () => { await stop(); await rm(folder, { recursive: true, force: true }); },
    submit: async (name = "duck.png", params = {}) => {
      const form = new FormData();
      form.append("image", new Blob([await readFile(DUCK)], { type: "image/png" }), name);
      form.append("params", JSON.stringify(params));
      const answer = await fetch(`${address()}v1/jobs`, { method: "POST", body: form, headers });
      assert.equal(answer.status, 202, await answer.clone().text());
      return answer.json();
    },
    remove: async (id) => assert.ok((await fetch(`${address()}v1/jobs/${id}`, { method: "DELETE", headers })).ok),
    job: async (id) => (await fetch(`${address()}v1/jobs/${id}`, { headers })).json(),
    finished: async (id) => (await fetch(`${address()}v1/jobs/${id}?wait=60`, { headers })).json(),
    contract: async () => (await fetch(`${address()}openapi.json`)).json(),
  };
}

export const browser = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});

/** A page whose faults, refused loads and requests to other hosts are kept. */
export async function open(browser, running, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => { if (/Content Security Policy|Uncaught/.test(message.text())) faults.push(message.text()); });
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith("http") && host !== new URL(running.address).host) faults.push(`a request to ${host}`);
  });
  page.setDefaultTimeout(60_000);
  await page.goto(running.address);
  return { page, context, faults };
}

/** Runs `body` with a page of a server of its own; fails on what the page did wrong meanwhile. */
export async function visit(chromium, wishes, body, options) {
  const running = await server(wishes);
  try {
    const { page, context, faults } = await open(chromium, running, options);
    await body(page, running, context);
    await context.close();
    assert.deepEqual(faults, []);
  } catch (error) {
    console.log(running.said.split("\n").slice(-30).join("\n"));
    throw error;
  } finally {
    await running.end();
  }
}

/** Drops a file on the page, as a person does. */
export const drop = async (page, path, name = path.split("/").at(-1), type = "image/png") => dropBytes(page, await readFile(path), name, type);

/** Drops a file of these bytes. */
export async function dropBytes(page, content, name, type) {
  const bytes = Buffer.from(content).toString("base64");
  const transfer = await page.evaluateHandle(([bytes, name, type]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], name, { type }));
    return transfer;
  }, [bytes, name, type]);
  await page.dispatchEvent(".drop", "drop", { dataTransfer: transfer });
}

/** Presses the button; gives the job's id once it is accepted. */
export async function make(page, button = "Make it 3D") {
  const before = page.url();
  await page.getByRole("button", { name: button }).click();
  await page.waitForURL((url) => url.href !== before && url.hash.startsWith("#/job/"));
  return page.url().split("/").at(-1);
}

/** Waits until the model of the job that is shown has been drawn. */
export const drawn = (page, what = "result") => page.locator(`.scene[data-drawn="${what}"]`).waitFor();

/** What the 3D view shows: how much of it is opaque, how many colours that has, and how bright it is. */
export const seen = async (page) => {
  // A busy machine says that it has drawn before it has.
  for (let turn = 0; turn < 20; turn += 1) {
    const now = await seenNow(page);
    if (now.share > 0) return now;
    await page.waitForTimeout(250);
  }
  return { share: 0, colours: 0 };
};

const seenNow = (page) => page.evaluate(async () => {
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
