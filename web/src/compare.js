// Two results beside each other, turned together.

import { artifactUrl, getJob, shownModel } from "./api.js";
import { h } from "./dom.js";
import { gallery } from "./gallery.js";
import { link, viewer } from "./viewer.js";
import { duration, jobName } from "./words.js";

/** @param {HTMLElement} main @param {AbortSignal} gone @param {string} one @param {string} [other] */
export async function compare(main, gone, one, other) {
  if (!other) {
    return gallery(main, gone, { title: "Compare with…", without: one, pick: (job) => { location.hash = `#/compare/${one}/${job.id}`; } });
  }
  const jobs = await Promise.all([one, other].map(getJob));
  const views = await Promise.all(jobs.map((job) => {
    const model = shownModel(job);
    if (!model) throw Object.assign(new Error(`“${jobName(job)}” has no model`), { fix: "choose a job that has succeeded" });
    return viewer(artifactUrl(job, model.name), `3D model of ${jobName(job)}`, { loading: "eager" });
  }));
  if (gone.aborted) return;
  // Turning by themselves they would drift apart.
  for (const view of views) view.removeAttribute("auto-rotate");
  link(views[0], views[1]);
  const differing = Object.keys(jobs[0].params).filter((name) => String(jobs[0].params[name]) !== String(jobs[1].params[name]));
  main.replaceChildren(h("section", { class: "compare" }, h("h1", {}, "Compare"),
    h("div", { class: "pair" }, ...jobs.map((job, at) => h("figure", {}, h("div", { class: "view" }, views[at]), h("figcaption", {},
      h("a", { href: `#/job/${job.id}` }, jobName(job)),
      h("span", { class: "hint" }, [job.made_by, job.timings && duration(job.timings.stages.reduce((sum, { ms }) => sum + ms, 0)), ...differing.map((name) => `${name} ${job.params[name]}`)].filter(Boolean).join(" · ")))))),
    h("p", { class: "hint" }, differing.length ? "Turn one and the other follows. Below each are the settings that differ." : "Turn one and the other follows. Both have the same settings.")));
}
