// Small pictures of results: drawn once by a browser, then kept with their job.

import { artifactUrl, ifThere, send, shownModel } from "./api.js";
import { offers } from "./contract.js";
import { thumbnail } from "./viewer.js";

/** Where the server keeps none, they last as long as the page. @type {Map<string, string>} */
const drawnHere = new Map();

/** @typedef {import("./api.js").Job} Job */

/** A picture's longest side. */
const SIDE = 384;

/** @param {Job} job */
export const thumbnailOf = (job) => job.thumbnail?.replace(/^\//, "") ?? drawnHere.get(job.id);

/** Draws and keeps a picture of a job's result, where it has one and no picture yet. @param {Job} job @param {AbortSignal} gone */
export async function keepThumbnail(job, gone) {
  const model = shownModel(job);
  if (!model || model.preview || thumbnailOf(job)) return;
  const picture = await shrunk(await thumbnail(artifactUrl(job, model.name)));
  // Beside another viewer, of the view that was gone to, it would be cut off.
  if (gone.aborted) return;
  drawnHere.set(job.id, URL.createObjectURL(picture));
  if (!(await offers("/v1/jobs/{id}/thumbnail"))) return;
  // The job may be gone by now.
  await ifThere(send(`v1/jobs/${job.id}/thumbnail`, { method: "PUT", headers: { "content-type": picture.type }, body: picture }));
}

/** @param {Blob} picture @returns {Promise<Blob>} */
async function shrunk(picture) {
  const bitmap = await createImageBitmap(picture);
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
}
