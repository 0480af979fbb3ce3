// Pictures before they are sent: taken from wherever a person has them, and looked at.

import { json } from "./api.js";
import { size } from "./words.js";

/** @typedef {{ file: File, url: string, width: number, height: number, edited?: boolean }} Picture */
/** @typedef {{ body_bytes: number, images_per_job: number, pixels: number }} Limits */

export const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff"];

/** @type {Promise<any> | undefined} */
let asked;
/** The server's facts. */
export const version = () => (asked ??= json("v1/version").catch((error) => {
  asked = undefined;
  throw error;
}));

/** @param {string} message @param {string} fix */
export const bad = (message, fix) => Object.assign(new Error(message), { fix });

/**
 * Looks at files without sending them; `besides` is the size of what else is sent, in bytes.
 * @param {File[]} files @param {Picture[]} present @param {Limits} limits @param {number} [besides] @returns {Promise<Picture[]>}
 */
export async function look(files, present, limits, besides = 0) {
  if (present.length + files.length > limits.images_per_job) {
    throw bad(`that would be ${present.length + files.length} pictures`, `up to ${limits.images_per_job} views of one object are taken`);
  }
  let total = present.reduce((sum, { file }) => sum + file.size, besides);
  if (total > limits.body_bytes) throw bad(`the files are too large together: ${size(total)}`, `${size(limits.body_bytes)} is the limit for a job; make one of them smaller`);
  /** @type {Picture[]} */
  const pictures = [];
  for (const file of files) {
    if (file.size === 0) throw bad(`“${file.name}” is empty`, "choose another file");
    if (file.type && !TYPES.includes(file.type)) {
      throw bad(`“${file.name}” is not a picture that the server reads`, "save it as PNG or JPEG, then try again");
    }
    total += file.size;
    if (total > limits.body_bytes) {
      throw bad(`“${file.name}” is too large: ${size(file.size)}`, `${size(limits.body_bytes)} is the limit for ${besides ? "a job" : "all pictures"}; make it smaller`);
    }
    pictures.push(await measured(file, limits));
  }
  return pictures;
}

/** @param {File} file @param {Limits} limits @returns {Promise<Picture>} */
export async function measured(file, limits) {
  // Browsers cannot show a TIFF; the server can read it.
  const shown = file.type !== "image/tiff";
  const bitmap = shown ? await createImageBitmap(file).catch(() => null) : null;
  if (shown && !bitmap) throw bad(`“${file.name}” cannot be read as a picture`, "it may be damaged: open it in a viewer and save it again");
  const { width = 0, height = 0 } = bitmap ?? {};
  bitmap?.close();
  if (width * height > limits.pixels) {
    throw bad(`“${file.name}” has ${width} × ${height} pixels`, "make it smaller: 2048 pixels a side are plenty");
  }
  return { file, url: URL.createObjectURL(file), width, height };
}
