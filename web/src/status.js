// What the server works with, in one line; more on a click.

import { ifThere, json } from "./api.js";
import { button, dialog, element, h, sentence } from "./dom.js";
import { session, signOut } from "./session.js";
import { size } from "./words.js";

const EVERY_MS = 5000;

/** Keeps the line in the header true. */
export async function watchStatus() {
  for (;;) {
    if (!document.hidden) await draw().catch(() => line("bad", "Server not reachable", () => {}));
    await new Promise((done) => setTimeout(done, EVERY_MS));
  }
}

async function draw() {
  const [facts, workers, queued] = await Promise.all([
    json("v1/version"),
    quietly("v1/workers", { workers: [] }),
    quietly("v1/jobs?state=queued&limit=100", { jobs: [] }),
  ]);
  const best = facts.backends.find((/** @type {any} */ one) => one.status === "ready") ?? facts.backends[0];
  const gpu = workers.workers.find((/** @type {any} */ one) => one.gpu_name);
  const waiting = queued.jobs.length;
  const label = !best || best.status === "unavailable" ? "Cannot work now" : best.preview ? "Preview only" : gpu?.gpu_name ?? "TRELLIS";
  const kind = !best || best.status === "unavailable" ? "bad" : best.preview || best.status === "starting" ? "fair" : "good";
  line(kind, waiting ? `${label} · ${waiting} waiting` : label, () => details(facts, workers.workers, waiting));
}

/** No question for a key comes from a line that renews itself. @param {string} path @param {any} otherwise */
async function quietly(path, otherwise) {
  const answer = await fetch(path);
  return answer.ok ? answer.json() : otherwise;
}

/** @param {string} kind @param {string} label @param {() => unknown} open */
function line(kind, label, open) {
  const place = element("status");
  const present = place.querySelector("button");
  if (present?.dataset.label === `${kind} ${label}`) {
    act = open;
    return;
  }
  act = open;
  const shown = h("button", { type: "button", class: `pill ${kind}`, "aria-haspopup": "dialog", onclick: () => act() }, h("i", { "aria-hidden": "true" }), label);
  shown.dataset.label = `${kind} ${label}`;
  place.replaceChildren(shown);
}
/** @type {() => unknown} */
let act = () => {};

/** @param {any} facts @param {any[]} workers @param {number} waiting */
async function details(facts, workers, waiting) {
  const who = await session();
  const status = await ifThere(json("v1/status")).catch(() => null);
  const real = facts.backends.filter((/** @type {any} */ one) => !one.preview);
  const shown = dialog("This server",
    ...facts.backends.map((/** @type {any} */ one) => h("section", { class: "backend" },
      h("h3", {}, h("span", { class: `dot ${one.status === "ready" ? "good" : one.status === "starting" ? "fair" : "bad"}` }), one.name, h("span", { class: "hint" }, ` ${one.status}`)),
      h("p", {}, sentence(one.description)),
      one.reason && h("p", { class: "note" }, sentence(one.reason), one.fix && h("span", {}, ` ${sentence(one.fix)}`)))),
    ...workers.map((worker) => h("section", {}, h("h3", {}, worker.gpu_name ?? worker.name), h("p", {}, sentence(worker.reason)), memory(worker, status))),
    real.length === 0 && h("section", { class: "note" }, h("h3", {}, "How to get TRELLIS"),
      h("p", {}, "This server makes previews from the outline of a picture. They come in a moment and need no GPU, but they are not what TRELLIS makes."),
      h("p", {}, "For full models it needs an NVIDIA GPU, the Python environment and the model folder. On that machine, run ", h("code", {}, "trellis doctor"), ": it says what is missing and what to do.")),
    h("p", { class: "hint" }, `${waiting} waiting · trellis-server ${facts.release} · `, h("a", { href: "docs" }, "API reference")),
    h("div", { class: "row end" }, themeButton(), signOut(who)));
  return shown;
}

/** @param {any} worker @param {any} status */
function memory(worker, status) {
  const used = worker.counters.vram_bytes;
  const gpu = status?.gpus?.find((/** @type {any} */ one) => one.uuid === worker.gpu);
  const total = gpu?.memory_total_bytes ?? gpu?.memory_bytes;
  if (!total) return used > 0 && h("p", { class: "hint" }, `${size(used)} of GPU memory in use, ${size(worker.counters.peak_vram_bytes)} at most`);
  return h("label", {}, `GPU memory: ${size(used)} of ${size(total)}`, h("meter", { max: total, value: used }));
}

function themeButton() {
  const dark = () => document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const label = () => (dark() ? "Light colours" : "Dark colours");
  const shown = button(label(), () => {
    setTheme(dark() ? "light" : "dark");
    shown.textContent = label();
  });
  return shown;
}

/** @param {string} theme */
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("trellis-theme", theme);
}

/** Colours that a person chose before. */
export function restoreTheme() {
  const theme = localStorage.getItem("trellis-theme");
  if (theme) document.documentElement.dataset.theme = theme;
}
