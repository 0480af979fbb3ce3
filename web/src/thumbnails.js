// Small pictures of results: drawn once by a browser, then kept with their job.

import { ifThere, send } from "./api.js";

/** Where the server keeps none, they last as long as the page. @type {Map<string, string>} */
const drawnHere = new Map();
let serverKeeps = true;

/** @typedef {import("./api.js").Job} Job */

/** A picture's longest side. */
const SIDE = 384;

/** @param {Job} job */
export const thumbnailOf = (job) => job.thumbnail?.replace(/^\//, "") ?? drawnHere.get(job.id);

/** Keeps a picture of a job that has none. @param {Job} job @param {() => Promise<Blob>} draw */
export async function keepThumbnail(job, draw) {
  if (thumbnailOf(job)) return;
  const picture = await shrunk(await draw());
  drawnHere.set(job.id, URL.createObjectURL(picture));
  if (!serverKeeps) return;
  const kept = await ifThere(send(`v1/jobs/${job.id}/thumbnail`, { method: "PUT", headers: { "content-type": picture.type }, body: picture }));
  serverKeeps = kept !== null;
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
