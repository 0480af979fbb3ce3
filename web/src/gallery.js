// All jobs of a person, newest first. More are fetched as they are scrolled to.

import { isOver, json, pause, shownModel } from "./api.js";
import { announce, attempt, button, h, sentence } from "./dom.js";
import { canRename, remove, rename } from "./job.js";
import { JOBS_MOVED } from "./status.js";
import { keepThumbnail, thumbnailOf } from "./thumbnails.js";
import { jobName, meshWork, stateName, when } from "./words.js";

/** @typedef {import("./api.js").Job} Job */

/** One at a time: each drawing takes the GPU. */
let drawing = Promise.resolve();
/** Nor while somebody scrolls, which a drawing would hold up. */
const STILL_MS = 500;
let scrolled = -STILL_MS;

/**
 * @param {HTMLElement} main @param {AbortSignal} gone
 * @param {{ title: string, pick: (job: Job) => void, without?: string }} [choosing] where a job is to be chosen
 */
export async function gallery(main, gone, choosing) {
  const grid = h("ul", { class: "grid" });
  const more = h("div", { class: "more" });
  const search = h("input", { type: "search", placeholder: "Search by name", "aria-label": "Search by name", oninput: () => { clearTimeout(timer); timer = setTimeout(() => attempt(restart), 200); } });
  let timer = 0;
  let cursor = "";
  let turn = 0;
  /** Whether the next cards are being fetched, whether those that are there are being renewed, and whether jobs moved meanwhile. */
  let busy = false;
  let renewing = false;
  let missed = false;

  const named = await canRename();
  /** The cards, by their jobs. @type {Map<string, Card>} */
  const cards = new Map();
  const drawCard = (/** @type {Job} */ job) => {
    const removed = () => cards.get(job.id)?.item.remove();
    const drawn = card(job, gone, { restart: named ? restart : null, removed, pick: choosing?.pick });
    cards.set(job.id, drawn);
    return drawn.item;
  };
  /** Renews the cards, afterwards where that cannot be done now. */
  const renew = async () => {
    missed = busy || renewing;
    if (missed || choosing || search.value) return;
    renewing = true;
    try {
      await compare();
    } finally {
      renewing = false;
      if (missed) attempt(renew);
    }
  };
  /** Draws those jobs again that stand otherwise now, and those that came meanwhile. */
  const compare = async () => {
    const mine = turn;
    // Ids grow with time: others that are not here come further down.
    const newest = [...cards.keys()].sort().at(-1) ?? "";
    const unfinished = [...cards].filter(([, { item, job }]) => item.isConnected && !isOver(job)).map(([id]) => id);
    /** @type {Job[]} */
    const fresh = [];
    let from = "";
    do {
      const page = await json(`v1/jobs?${new URLSearchParams({ limit: "40", ...(from && { cursor: from }) })}`, { signal: gone });
      if (mine !== turn) return;
      if (!grid.firstElementChild && page.jobs.length > 0) return restart();
      for (const job of /** @type {Job[]} */ (page.jobs)) {
        const known = cards.get(job.id);
        if (known && standing(known.job) !== standing(job)) known.draw(job);
        else if (!known && job.id > newest) fresh.push(job);
      }
      // The oldest are done first: they may be further down.
      from = unfinished.some((id) => id < page.jobs.at(-1)?.id) ? page.next_cursor : "";
    } while (from);
    grid.prepend(...fresh.map(drawCard));
  };
  const restart = async () => {
    turn += 1;
    cursor = "";
    busy = false;
    cards.clear();
    grid.replaceChildren();
    await next();
  };
  const next = async () => {
    if (busy || gone.aborted) return;
    busy = true;
    const mine = turn;
    const query = new URLSearchParams({ limit: "40", ...(cursor && { cursor }), ...(search.value && { name: search.value }) });
    try {
      const page = await json(`v1/jobs?${query}`, { signal: gone });
      if (mine !== turn) return;
      cursor = page.next_cursor ?? "";
      const jobs = page.jobs.filter((/** @type {Job} */ job) => !choosing || (job.id !== choosing.without && shownModel(job)));
      grid.append(...jobs.map(drawCard));
      more.replaceChildren();
      if (grid.children.length === 0 && !cursor) more.append(empty(search.value));
    } finally {
      if (mine === turn) {
        busy = false;
        if (missed) attempt(renew);
      }
    }
    if (cursor && more.getBoundingClientRect().top < innerHeight + 600) await next();
    if (search.value) announce(`${grid.children.length} found`);
  };
  const watch = new IntersectionObserver(([seen]) => { if (seen.isIntersecting && cursor) attempt(next); }, { rootMargin: "600px" });
  gone.addEventListener("abort", () => watch.disconnect());
  addEventListener("scroll", () => { scrolled = performance.now(); }, { passive: true, signal: gone });
  main.replaceChildren(h("section", { class: "gallery" }, h("div", { class: "gallery-head" }, h("h1", {}, choosing?.title ?? "Gallery"), search), grid, more));
  addEventListener(JOBS_MOVED, () => attempt(renew), { signal: gone });
  await restart();
  watch.observe(more);
}

/** What a card says that may change by itself. @param {Job} job */
const standing = (job) => JSON.stringify([job.state, job.waits_for?.message]);

/** @param {string} searched */
function empty(searched) {
  return searched
    ? h("div", { class: "empty" }, h("h2", {}, "No name matches"), h("p", {}, "Models are named after their pictures until you rename them."))
    : h("div", { class: "empty" }, h("div", { class: "cube", "aria-hidden": "true" }), h("h2", {}, "Nothing here yet"), h("p", {}, "Your models appear here."), h("a", { class: "button primary", href: "#/" }, "Make something"));
}

/** A job's card; `draw` shows how the job stands now and leaves the focus where it is. @typedef {{ item: HTMLLIElement, job: Job, draw: (job: Job) => void }} Card */

/** @param {Job} job @param {AbortSignal} gone @param {{ restart: (() => Promise<void>) | null, removed: () => void, pick?: (job: Job) => void }} acts @returns {Card} */
function card(job, gone, { restart, removed, pick }) {
  const link = pick
    ? h("button", { type: "button", class: "card-link", onclick: () => pick(job) })
    : h("a", { class: "card-link", href: `#/job/${job.id}` });
  const item = h("li", {}, link, !pick && h("div", { class: "card-tools" },
    restart && button("Rename", () => rename(job, restart), { "aria-label": `Rename ${jobName(job)}` }),
    button("Delete", () => remove(job, removed), { "aria-label": `Delete ${jobName(job)}` })));
  const draw = (/** @type {Job} */ now) => {
    drawn.job = now;
    const picture = pictureOf(now, gone);
    link.replaceChildren(...inside(now, picture));
    if (now.state === "succeeded" && !thumbnailOf(now)) drawOnSight(item, now, picture, gone);
  };
  const drawn = { item, job, draw };
  draw(job);
  return drawn;
}

/** @param {Job} job @param {AbortSignal} gone */
function pictureOf(job, gone) {
  const picture = h("img", { loading: "lazy", decoding: "async", width: 384, height: 384, alt: "", src: thumbnailOf(job) ?? `v1/jobs/${job.id}/input/0` });
  askAgain(picture, gone);
  return picture;
}

/** @param {Job} job @param {HTMLImageElement} picture */
function inside(job, picture) {
  const lack = job.state === "queued" ? job.waits_for : undefined;
  const state = job.state === "succeeded" ? (job.made_by === "relief" ? "Preview" : "") : lack ? "Waits for a server" : stateName(job);
  const parts = [h("div", { class: "thumb" }, picture, state && h("span", { class: `badge ${job.state === "failed" ? "bad" : "preview"}` }, state)),
    h("strong", {}, jobName(job)), h("span", { class: "hint" }, when(job.created_at)),
    meshWork(job) && h("span", { class: "hint" }, meshWork(job)), lack && h("span", { class: "hint lack" }, sentence(lack.message))];
  return parts.filter((part) => !!part);
}

/** A key may have few requests a minute: a picture that did not come is asked for again, a few times. @param {HTMLImageElement} picture @param {AbortSignal} gone */
function askAgain(picture, gone) {
  let failures = 0;
  picture.addEventListener("error", async () => {
    failures += 1;
    await pause(5 * failures);
    if (failures < 5 && !gone.aborted && picture.isConnected) picture.src = picture.src;
  });
}

/** @param {Element} item @param {Job} job @param {HTMLImageElement} picture @param {AbortSignal} gone */
function drawOnSight(item, job, picture, gone) {
  const watch = new IntersectionObserver(([seen]) => {
    if (!seen.isIntersecting) return;
    watch.disconnect();
    drawing = drawing.then(async () => {
      while (performance.now() - scrolled < STILL_MS) await pause(STILL_MS / 1000);
      if (gone.aborted || !item.isConnected) return;
      await keepThumbnail(job, gone).catch(() => {});
      picture.src = thumbnailOf(job) ?? picture.src;
    });
  });
  watch.observe(item);
  gone.addEventListener("abort", () => watch.disconnect());
}
