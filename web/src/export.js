// What else can be made of a finished model: other formats, and the same with another texture or other triangles.

import { put } from "./api.js";
import { offers } from "./contract.js";
import { button, dialog, h, once } from "./dom.js";
import { control } from "./form.js";
import { version } from "./pictures.js";
import { OTHERWISE, formatName, meshWork } from "./words.js";

/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./contract.js").Parameter} Parameter */

const CONVERTED = ["obj", "voxels", "stl", "ply"];
const DECODED = ["glb", "gaussian_ply", "turntable", "vxz"];

/** @param {Job} job @param {Parameter[]} all */
export async function otherFiles(job, all) {
  if (job.state !== "succeeded" || !(await offers("/v1/jobs/{id}/exports"))) return null;
  const sampled = whoseSampling(job);
  const there = (/** @type {string} */ format) => job.artifacts.some((file) => file.format === format);
  const { backends } = await version();
  const maker = backends.find((/** @type {{ name: string }} */ { name }) => name === job.made_by);
  const decoded = DECODED.filter((format) => job.latents && maker?.formats.includes(format));
  const formats = [...CONVERTED, ...decoded].filter((format) => !there(format));
  const list = h("select", { "aria-label": "Another format" }, ...formats.map((format) => h("option", { value: format }, formatName(format))));
  return h("div", { class: "other-files" },
    formats.length > 0 && h("div", { class: "row export" }, list, button("Export", () => exported(job.id, { format: list.value }))),
    sampled && there("glb") && button("Change texture or triangles…", () => askAgain(job, sampled, all)),
    job.made_by?.startsWith("trellis") && !sampled && h("p", { class: "hint" },
      meshWork(job) ? "To change the texture, submit the pictures and the mesh again." : "TRELLIS’s samples for this model are not kept. To change texture or triangles, submit its pictures again."));
}

/** Of which job what was sampled is kept: an export has none of its own. @param {Job} job */
const whoseSampling = ({ id, latents, source }) => (latents ? id : source?.decoder && source.job);

/** @param {Job} job @param {string} sampled @param {Parameter[]} all */
function askAgain(job, sampled, all) {
  const fields = all.filter(({ name }) => OTHERWISE.includes(name) && name in job.params);
  /** @type {Record<string, unknown>} */
  const values = Object.fromEntries(fields.map(({ name }) => [name, job.params[name]]));
  const make = once(async () => {
    await exported(sampled, { format: "glb", ...values });
    shown.close();
  });
  const shown = dialog("Change texture or triangles", h("p", { class: "hint" }, "TRELLIS decodes its samples for this model again. That takes seconds, and the shape stays the same."),
    h("form", { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); make(); } },
      h("div", { class: "fields" }, ...fields.map((field) => control(field, values, [], () => {}, "again"))),
      h("div", { class: "row end" }, h("button", { class: "primary", type: "submit" }, "Make it"))));
}

/** Has another file made of a job's model, and shows that. @param {string} id @param {Record<string, unknown>} wish */
export async function exported(id, wish) {
  const answer = await put("POST", `v1/jobs/${id}/exports`, wish);
  location.hash = `#/job/${answer.headers.get("location")?.split("/").at(-1)}`;
}
