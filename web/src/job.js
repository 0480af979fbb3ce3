// A job: its way, live, and then its result.

import { artifactUrl, follow, getJob, ifThere, isOver, json, put, send, shownModel, submit } from "./api.js";
import { offers, parameters } from "./contract.js";
import { announce, attempt, button, dialog, h, sentence, title } from "./dom.js";
import { exported, otherFiles } from "./export.js";
import { JOBS_MOVED, lookAgain } from "./status.js";
import { drawn, tools, viewer } from "./viewer.js";
import { PRIORITIES, STAGE_ORDER, curlLine, duration, exportOf, formatName, generateLine, jobName, makerName, meshWork, provenance, size, stageName, stateName, when } from "./words.js";

/** @typedef {import("./api.js").Job} Job */

/**
 * Shows a job in `stage` and follows it.
 * @param {HTMLElement} stage @param {string} id @param {AbortSignal} gone @param {import("./form.js").Form} [panel]
 */
export async function showJob(stage, id, gone, panel) {
  let job = await getJob(id).catch((error) => {
    if (error.status === 404) throw Object.assign(new Error("this job is not here any more"), { status: 404, fix: "it was deleted, or the server has kept it long enough; the gallery has those that are left" });
    throw error;
  });
  if (gone.aborted) return;
  const scene = h("div", { class: "scene" });
  const card = h("div", { class: "card" });
  const facts = h("div", { class: "facts" });
  stage.replaceChildren(scene, card, facts);
  let link = true;
  let before = "";

  const drawCard = () => card.replaceChildren(progressCard(job, { link, before }, { again: () => again(job), cancel: () => cancel(job, refresh) }));
  const draw = () => {
    title(`${jobName(job)}: ${stateName(job)}`);
    drawCard();
    if (isOver(job)) attempt(async () => facts.replaceChildren(...(await factsOf(job, refresh, panel))));
    attempt(() => showScene(scene, job));
  };
  const refresh = async () => {
    job = await getJob(id);
    if (!gone.aborted) draw();
  };
  draw();
  if (isOver(job)) return;
  const tellPlace = () => attempt(async () => {
    if (job.state !== "queued") return;
    // A server that can do it may have come or gone.
    await refresh();
    if (job.state !== "queued") return;
    before = placeIn(await json("v1/jobs?state=queued&limit=100", { signal: gone }), job);
    const line = card.querySelector(".place");
    if (line) line.textContent = before;
  });
  addEventListener(JOBS_MOVED, tellPlace, { signal: gone });
  tellPlace();
  lookAgain();
  const end = follow(id, (event) => {
    if (event.type === "progress") {
      job = { ...job, state: "running", progress: event };
      // Not each step: there are dozens.
      announce(stageName(event.stage, job));
      drawCard();
      return;
    }
    attempt(refresh);
    if (event.type !== "state") return;
    lookAgain();
    announce(stateName({ ...job, state: event.state }));
    if (isOver({ ...job, state: event.state })) end();
  }, (connected) => {
    link = connected;
    card.querySelector(".cut-off")?.classList.toggle("shown", !connected);
  });
  gone.addEventListener("abort", end);
}

/** How many of one's own jobs are before one that waits: those of other keys are not seen, and keys take turns. @param {{ jobs: Job[], next_cursor?: string }} page @param {Job} job */
function placeIn({ jobs, next_cursor }, job) {
  const rank = (/** @type {Job} */ { priority }) => PRIORITIES.indexOf(priority);
  // Ids grow with time.
  const goesFirst = (/** @type {Job} */ other) => rank(other) > rank(job) || (rank(other) === rank(job) && other.id < job.id);
  // Exports have a queue of their own.
  const before = jobs.filter((other) => goesFirst(other) && (other.backend === "export") === (job.backend === "export")).length;
  if (next_cursor) return `More than ${before} of your jobs ahead of it`;
  return before === 0 ? "Next of your jobs" : `${before} of your jobs ahead of it`;
}

/** @param {Job} job @param {{ link: boolean, before: string }} now @param {{ again: () => unknown, cancel: () => unknown }} acts */
function progressCard(job, { link, before }, acts) {
  const { progress } = job;
  const at = progress ? STAGE_ORDER.indexOf(progress.stage) : -1;
  const share = (/** @type {number} */ index) =>
    job.state === "succeeded" || index < at ? 1 : index === at && progress ? progress.step / progress.total : 0;
  const done = STAGE_ORDER.reduce((sum, _, index) => sum + share(index), 0) / STAGE_ORDER.length;
  const steps = h("div", { class: "steps", role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.round(done * 100)) },
    ...STAGE_ORDER.map((stage, index) => {
      const bar = h("i");
      bar.style.transform = `scaleX(${share(index)})`;
      return h("span", { title: stageName(stage, job), class: index === at ? "now" : "" }, bar);
    }));
  if (job.state === "succeeded") {
    const preview = job.made_by === "relief";
    const total = job.timings?.stages.reduce((sum, { ms }) => sum + ms, 0);
    return h("div", { class: "result-line" }, h("div", {}, h("h2", {}, jobName(job)),
      h("p", {}, h("span", { class: `badge ${preview ? "preview" : "good"}` }, preview ? "Preview from the outline" : `Made by ${makerName(job.made_by ?? "trellis")}`),
        [meshWork(job), job.cached ? "from an earlier, equal job" : total !== undefined && `in ${duration(total)}`].filter(Boolean).join(" "))),
      h("div", { class: "row" }, button("Compare", () => { location.hash = `#/compare/${job.id}`; }, { title: "Side by side with another result" }),
        !job.source && button("New seed", acts.again, { title: "Make it again with another seed" }), download(job)));
  }
  if (job.state === "failed" || job.state === "cancelled") {
    return h("div", { class: "failed" }, h("h2", {}, stateName(job)),
      job.failure && h("p", {}, sentence(job.failure.message)), job.failure && h("p", { class: "fix" }, sentence(job.failure.fix)),
      h("div", { class: "row" }, button("Try again", acts.again)));
  }
  const lack = job.state === "queued" ? job.waits_for : undefined;
  return h("div", { class: "working" },
    h("div", { class: "row" }, h("h2", {}, job.state === "queued" ? "Waiting" : progress ? stageName(progress.stage, job) : "Starting"),
      h("span", { class: job.state === "queued" ? "place" : "step" }, job.state === "queued" ? before : progress && progress.total > 1 && progress.step > 0 ? `${progress.step} of ${progress.total}` : ""),
      button("Cancel", acts.cancel)),
    lack ? h("div", {}, h("p", {}, sentence(lack.message)), h("p", { class: "fix" }, sentence(lack.fix))) : steps,
    h("p", { class: `cut-off ${link ? "" : "shown"}` }, "Connection lost, reconnecting. The job goes on."));
}

/** @param {Job} job */
function download(job) {
  const model = shownModel(job);
  return model && h("a", { class: "button primary", href: artifactUrl(job, model.name), download: `${jobName(job)}.glb` }, "Download GLB");
}

/** The model, or what is there until then. @param {HTMLElement} scene @param {Job} job @param {number} [turn] @returns {Promise<void>} */
async function showScene(scene, job, turn = 1) {
  const model = shownModel(job);
  if (!model) {
    if (!scene.firstChild) scene.append(h("img", { class: "waiting", src: `v1/jobs/${job.id}/input/0`, alt: "The submitted picture" }));
    return;
  }
  const key = `${model.name} ${/** @type {any} */ (model).sha256}`;
  if (scene.dataset.model === key) return;
  scene.dataset.model = key;
  const url = artifactUrl(job, model.name);
  try {
    // The viewer remembers an address that failed.
    const view = await viewer(turn > 1 ? `${url}#${turn}` : url, `3D model of ${jobName(job)}`, { loading: "eager" });
    const old = scene.querySelector("model-viewer");
    if (scene.dataset.model !== key) return;
    view.classList.add("coming");
    scene.append(view);
    await drawn(view);
    // Another model came while this one was loaded.
    if (scene.dataset.model !== key) return view.remove();
    old?.remove();
    scene.querySelector(".waiting")?.remove();
    for (const former of scene.querySelectorAll(".badge, .scene-tools")) former.remove();
    view.classList.remove("coming");
    scene.append(tools(view));
    scene.dataset.drawn = model.preview ? "preview" : "result";
    if (model.preview) scene.append(h("span", { class: "badge preview" }, "Preview, until TRELLIS is done"));
  } catch (error) {
    scene.dataset.model = "";
    if (model.preview || !scene.isConnected) return;
    if (turn === 3) throw error;
    // The key may have been used too often: this waits until it may be, and leaves the file where the viewer finds it.
    await (await send(url)).blob();
    return showScene(scene, job, turn + 1);
  }
}

/** Where the result came first it stays. @param {Job} job @param {() => Promise<void>} refresh */
async function cancel(job, refresh) {
  await send(`v1/jobs/${job.id}/cancel`, { method: "POST" });
  await refresh();
}

/** The same files with another seed; of an export the same again. @param {Job} job */
async function again(job) {
  if (job.source) return exported(job.source.job, exportOf(job));
  const files = await Promise.all(job.inputs.map(async (input, index) => {
    const blob = await (await send(`v1/jobs/${job.id}/input/${index}`)).blob();
    return new File([blob], `${input.name ?? "picture"}.${input.format}`, { type: blob.type });
  }));
  const { seed: _, ...params } = job.params;
  // A mesh to be textured comes after the pictures.
  const mesh = job.inputs.at(-1)?.triangles ? files.pop() : undefined;
  const next = await submit(files, params, job.backend, job.priority, mesh);
  location.hash = `#/job/${next.id}`;
}

/** @param {Job} job @param {() => Promise<void>} refresh @param {import("./form.js").Form} [panel] */
async function factsOf(job, refresh, panel) {
  const models = await parameters();
  const [usual] = models.keys();
  const all = models.get(job.params.model ?? usual) ?? [];
  const files = job.artifacts.filter(({ preview }) => !preview);
  const slowest = Math.max(1, ...(job.timings?.stages.map(({ ms }) => ms) ?? []));
  const parts = [];
  if (job.notes.length) parts.push(h("section", {}, h("h3", {}, "Good to know"), h("ul", {}, ...job.notes.map((note) => h("li", {}, sentence(note))))));
  if (files.length) {
    parts.push(h("section", {}, h("h3", {}, "Files"),
      h("ul", { class: "files" }, ...files.map((file) => h("li", {}, h("a", { href: artifactUrl(job, file.name), download: file.name }, formatName(file.format)), h("span", {}, size(file.size_bytes)))),
        job.statement && h("li", {}, h("a", { href: `v1/jobs/${job.id}/statement`, download: job.statement.name }, "Statement of origin"), h("span", {}, "JSON"))),
      await otherFiles(job, all)));
  }
  if (job.provenance) parts.push(h("section", {}, h("h3", {}, "How it was made"), ...provenance(job).map((line) => h("p", {}, line))));
  if (job.timings) {
    parts.push(h("section", {}, h("h3", {}, "Time per stage"), h("table", { class: "times" }, ...job.timings.stages.map(({ stage, ms }) => {
      const bar = h("i");
      bar.style.width = `${(100 * ms) / slowest}%`;
      return h("tr", {}, h("th", { scope: "row" }, stageName(stage, job)), h("td", {}, bar), h("td", {}, duration(ms)));
    }))));
  }
  parts.push(h("section", {}, h("h3", {}, "Repeat it"),
    copyLine("curl", curlLine(job)), copyLine(job.source ? "trellis jobs export" : "trellis generate", generateLine(job, models))),
  h("section", {}, h("h3", {}, "This job"), h("p", {}, `Submitted ${when(job.created_at)}, seed ${job.params.seed}.`),
    h("div", { class: "row" },
      panel && button("Use these settings", () => { panel.load(job.params); announce("Settings loaded"); }),
      (await canRename()) && button("Rename…", () => rename(job, refresh)),
      button("Delete", () => remove(job), { class: "quiet danger" }))));
  return parts;
}

/** @param {string} name @param {string} line */
function copyLine(name, line) {
  const copy = button("Copy", async () => {
    await copyText(line);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  }, { "aria-label": `Copy the ${name} line` });
  return h("div", { class: "command" }, h("code", { tabIndex: 0, role: "region", "aria-label": `${name} line` }, line), copy);
}

/** Without HTTPS a page has no clipboard of its own. @param {string} text */
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { value: text, class: "hidden-text" });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** @param {Job} job @param {() => Promise<void>} refresh */
export function rename(job, refresh) {
  const name = h("input", { type: "text", value: jobName(job), maxLength: 100, "aria-label": "Name", autofocus: true });
  const save = async () => {
    await put("PATCH", `v1/jobs/${job.id}`, { name: name.value });
    shown.close();
    await refresh();
  };
  const shown = dialog("Rename", h("form", { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); attempt(save); } },
    name, h("div", { class: "row end" }, h("button", { class: "primary", type: "submit" }, "Save"))));
}

/** Whether the server keeps names. */
export const canRename = () => offers("/v1/jobs/{id}", "patch");

/** Asks, then deletes. @param {Job} job @param {() => unknown} [after] */
export function remove(job, after = () => { location.hash = "#/gallery"; }) {
  const shown = dialog("Delete this job?", h("p", {}, `This deletes “${jobName(job)}” with its pictures and files. It cannot be undone.`),
    h("div", { class: "row end" }, button("Keep it", () => shown.close()), button("Delete", async () => {
      const answer = await send(`v1/jobs/${job.id}`, { method: "DELETE" });
      // A job that is not finished is cancelled first.
      if (answer.status === 200) await ifThere(send(`v1/jobs/${job.id}`, { method: "DELETE" }));
      shown.close();
      after();
    }, { class: "primary danger" })));
}
