// What the server works with, in one line; more on a click.

import { UNREACHABLE, pause, retryAfter } from "./api.js";
import { button, dialog, element, h, sentence } from "./dom.js";
import { version } from "./pictures.js";
import { session, signOut } from "./session.js";
import { makerName, size } from "./words.js";

/**
 * @typedef {{ name: string, status: "ready" | "starting" | "unavailable", reason?: string, fix?: string, preview: boolean }} Backend
 * @typedef {{ uuid: string, name: string, memory_bytes: number, memory_used_bytes: number, utilisation_percent?: number,
 *   temperature_celsius?: number }} Gpu
 * @typedef {{ version: string, jobs?: { queued: number, running: number }, backends: Backend[], gpus: Gpu[],
 *   workers: { name: string, state: string, reason: string, gpu?: string }[] }} Status
 */

/** Seconds between two looks at a server that works or cannot be reached, and at one that rests: an API key may have few requests a minute. */
const BUSY = 6;
const RESTS = 20;

/** What there is to do was another thing at the last look. */
export const JOBS_MOVED = "jobs-moved";

/** Keeps the line in the header true, while somebody sees it. */
export async function watchStatus() {
  addEventListener(UNREACHABLE, lookAgain);
  for (;;) {
    while (document.hidden) await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
    const seconds = await draw().catch(() => {
      line({ kind: "bad", label: "Server not reachable" }, () => {});
      return BUSY;
    });
    await Promise.race([pause(seconds), new Promise((done) => { wake = () => done(null); })]);
  }
}

let wake = () => {};
/** Looks at once: something happened to a job. */
export const lookAgain = () => wake();

let moved = "";

/** Looks once. @returns {Promise<number>} after how many seconds to look again */
async function draw() {
  const answer = await fetch("v1/status");
  // No question for a key comes from a line that renews itself.
  if (answer.status === 401) {
    line({ kind: "fair", label: "Not signed in" }, () => location.reload());
    return RESTS;
  }
  // The key is used much: what was seen last is near enough.
  if (answer.status === 429) return Math.max(RESTS, retryAfter(answer));
  if (!answer.ok) {
    line({ kind: "bad", label: "Server has a problem" }, () => {});
    return RESTS;
  }
  const now = /** @type {Status} */ (await answer.json());
  line(summary(now), () => details(now));
  const counts = JSON.stringify(now.jobs);
  if (moved !== counts) dispatchEvent(new Event(JOBS_MOVED));
  moved = counts;
  return now.jobs && now.jobs.queued + now.jobs.running > 0 ? BUSY : RESTS;
}

/** @typedef {{ kind: "good" | "fair" | "bad", label: string, waiting?: number, memory?: number }} Summary */

/** @param {Status} now @returns {Summary} */
function summary({ backends, gpus, jobs }) {
  const able = backends.find(({ status }) => status === "ready") ?? backends.find(({ status }) => status === "starting");
  const waiting = jobs?.queued;
  if (!able) return { kind: "bad", label: "Cannot work now", waiting };
  if (able.preview) return { kind: "fair", label: "Preview only", waiting };
  const label = able.status === "starting" ? "TRELLIS is starting" : gpus[0] ? short(gpus[0].name) + (gpus.length > 1 ? ` × ${gpus.length}` : "") : "TRELLIS";
  const total = gpus.reduce((sum, { memory_bytes }) => sum + memory_bytes, 0);
  const used = gpus.reduce((sum, { memory_used_bytes }) => sum + memory_used_bytes, 0);
  return { kind: able.status === "ready" ? "good" : "fair", label, waiting, ...(total && { memory: used / total }) };
}

/** @param {string} name */
const short = (name) => name.replace(/^NVIDIA (GeForce )?/, "");

/** @type {() => unknown} */
let act = () => {};
let last = "";

/** @param {Summary} said @param {() => unknown} open */
function line(said, open) {
  act = open;
  if (last === JSON.stringify(said)) return;
  last = JSON.stringify(said);
  const { kind, label, waiting, memory } = said;
  const bar = h("b");
  bar.style.width = `${Math.round(100 * (memory ?? 0))}%`;
  const shown = h("button", { type: "button", class: `pill ${kind}`, "aria-haspopup": "dialog", onclick: () => act() },
    h("i", { "aria-hidden": "true" }), h("span", {}, label),
    memory !== undefined && h("span", { class: "memory", title: "GPU memory in use" }, bar, h("span", { class: "hidden-text" }, `, ${Math.round(100 * memory)} % of GPU memory in use`)),
    Boolean(waiting) && h("span", { class: "waiting-count" }, `${waiting} waiting`));
  const focused = element("status").contains(document.activeElement);
  element("status").replaceChildren(shown);
  if (focused) shown.focus();
}

/** @param {Status} now */
async function details({ version: release, backends, gpus, workers, jobs }) {
  const [who, facts] = await Promise.all([session(), version()]);
  const about = (/** @type {string} */ name) => facts.backends.find((/** @type {any} */ one) => one.name === name)?.description;
  const real = backends.filter(({ preview }) => !preview);
  dialog("This server",
    ...backends.map((one) => h("section", { class: "backend" },
      h("h3", {}, h("span", { class: `dot ${{ ready: "good", starting: "fair", unavailable: "bad" }[one.status]}` }),
        one.preview ? "Preview" : makerName(one.name), h("span", { class: "hint" }, ` ${one.status === "unavailable" ? "cannot run here" : one.status}`)),
      about(one.name) && h("p", {}, sentence(about(one.name))),
      one.reason && h("div", { class: "note" }, h("p", {}, sentence(one.reason)), one.fix && h("p", {}, sentence(one.fix))))),
    ...gpus.map((gpu) => h("section", {}, h("h3", {}, gpu.name),
      h("label", { class: "gauge" }, h("span", {}, `${size(gpu.memory_used_bytes)} of ${size(gpu.memory_bytes)} in use`), h("meter", { max: gpu.memory_bytes, value: gpu.memory_used_bytes })),
      h("p", { class: "hint" }, [gpu.utilisation_percent !== undefined && `${gpu.utilisation_percent} % busy`, gpu.temperature_celsius !== undefined && `${gpu.temperature_celsius} °C`,
        ...workers.filter(({ gpu: on }) => on === gpu.uuid).map(({ name, reason }) => `${name}: ${reason}`)].filter(Boolean).join(" · ")))),
    real.every(({ status }) => status === "unavailable") && getTrellis(),
    h("p", { class: "hint" }, jobs ? `${jobs.queued} waiting, ${jobs.running} running · ` : "", `trellis-server ${release} · `, h("a", { href: "docs" }, "API reference")),
    h("div", { class: "row end" }, themeButton(), signOut(who)));
}

/** What is to be done where there is no TRELLIS. */
const getTrellis = () => h("section", { class: "note" }, h("h3", {}, "How to get TRELLIS"),
  h("p", {}, "The preview is made from a picture’s outline. It takes a moment and needs no GPU, but it is not what TRELLIS makes."),
  h("p", {}, "For full models the server needs an NVIDIA GPU, the Python environment and the model folder. On that machine, run ", h("code", {}, "trellis doctor"), ": it says what is missing and what to do."));

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
