// Says by a brush what belongs to the object. What comes out is the picture with that alpha.

import { Refused, send } from "./api.js";
import { announce, button, dialog, h } from "./dom.js";

/** Larger pictures are edited, and then sent, at this size. */
const LONGEST = 2048;
const UNDO_STEPS = 12;

/** Opens the editor; resolves with the corrected picture, or with null where nothing is to change. @param {File} file @returns {Promise<File | null>} */
export async function edit(file) {
  const picture = await createImageBitmap(file).catch(() => {
    throw Object.assign(new Error("this picture cannot be edited in a browser"), { fix: "save it as PNG first" });
  });
  const scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  const width = Math.round(picture.width * scale);
  const height = Math.round(picture.height * scale);
  const { mask, origin } = await firstMask(file, width, height);
  const original = canvasOf(width, height, picture);
  return new Promise((done) => open({ file, original, mask, origin, width, height, done }));
}

/** What the server would use; everything where it cannot say. @param {File} file @param {number} width @param {number} height */
async function firstMask(file, width, height) {
  const form = new FormData();
  form.append("image", file, file.name);
  try {
    const answer = await send("v1/preprocess", { method: "POST", body: form });
    const picture = await createImageBitmap(await answer.blob());
    const origin = answer.headers.get("trellis-mask") === "submitted" ? "The picture’s own transparency." : "What the preview takes for the object.";
    return { mask: alphaOf(canvasOf(width, height, picture)), origin };
  } catch (error) {
    if (!(error instanceof Refused) || error.status >= 500) throw error;
    const why = error.status === 404 || error.status === 405 ? "" : `${error.message}: `;
    return { mask: new Uint8ClampedArray(width * height).fill(255), origin: `${why}Everything is kept; paint over what is not the object.` };
  }
}

/** @param {number} width @param {number} height @param {CanvasImageSource} [picture] */
function canvasOf(width, height, picture) {
  const canvas = h("canvas", { width, height });
  if (picture) context(canvas).drawImage(picture, 0, 0, width, height);
  return canvas;
}

/** @param {HTMLCanvasElement} canvas */
const context = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));

/** @param {HTMLCanvasElement} canvas */
function alphaOf(canvas) {
  const { data } = context(canvas).getImageData(0, 0, canvas.width, canvas.height);
  return Uint8ClampedArray.from({ length: data.length / 4 }, (_, at) => data[at * 4 + 3]);
}

/**
 * @param {{ file: File, original: HTMLCanvasElement, mask: Uint8ClampedArray, origin: string, width: number, height: number, done: (file: File | null) => void }} work
 */
function open({ file, original, mask, origin, width, height, done }) {
  const pixels = context(original).getImageData(0, 0, width, height);
  // A picture's own alpha would hide what is to be kept.
  for (let at = 3; at < pixels.data.length; at += 4) pixels.data[at] = 255;
  const shown = canvasOf(width, height);
  shown.setAttribute("role", "img");
  shown.setAttribute("aria-label", "The picture; removed parts are checkered");
  /** @type {Uint8ClampedArray[]} */
  const before = [];
  let keeping = false;
  let saved = false;
  let zoom = 1;

  const draw = drawer(shown, pixels, mask);
  const brush = h("input", { type: "range", min: "4", max: "200", value: String(Math.max(12, Math.round(Math.max(width, height) / 25))), "aria-label": "Brush size" });
  const keep = h("button", { type: "button", "aria-pressed": "false", onclick: () => choose(true) }, "Keep");
  const drop = h("button", { type: "button", "aria-pressed": "true", onclick: () => choose(false) }, "Remove");
  const choose = (/** @type {boolean} */ on) => {
    keeping = on;
    keep.setAttribute("aria-pressed", String(on));
    drop.setAttribute("aria-pressed", String(!on));
  };
  const undo = button("Undo", () => {
    const last = before.pop();
    if (!last) return;
    mask.set(last);
    draw();
    undo.disabled = before.length === 0;
    announce("Undone");
  }, { disabled: true });
  const magnify = (/** @type {number} */ by) => {
    zoom = Math.min(8, Math.max(1, zoom * by));
    // At first the whole picture is in sight.
    shown.style.width = `calc(${zoom} * min(100%, 56dvh * ${(width / height).toFixed(4)}))`;
  };
  const remember = () => {
    before.push(mask.slice());
    if (before.length > UNDO_STEPS) before.shift();
    undo.disabled = false;
  };

  paint(shown, {
    begin: remember,
    dab: (x, y) => {
      const radius = Number(brush.value) / 2;
      dab(mask, width, height, x, y, radius, keeping ? 255 : 0);
      draw(x - radius - 2, y - radius - 2, x + radius + 2, y + radius + 2);
    },
    step: () => Number(brush.value) / 6,
  });
  const save = async () => {
    for (let at = 0; at < mask.length; at += 1) pixels.data[at * 4 + 3] = mask[at];
    const canvas = canvasOf(width, height);
    context(canvas).putImageData(pixels, 0, 0);
    const blob = await new Promise((ready) => canvas.toBlob(ready, "image/png"));
    saved = true;
    box.close();
    done(new File([/** @type {Blob} */ (blob)], `${file.name.replace(/\.\w+$/, "")}.png`, { type: "image/png" }));
  };
  const box = dialog("Cut out the object",
    h("p", { class: "hint" }, `${origin} What is checkered is left out.`),
    h("div", { class: "tools" }, h("div", { class: "segments", role: "group", "aria-label": "Brush" }, drop, keep), h("label", { class: "brush" }, "Size", brush),
      button("−", () => magnify(1 / 1.5), { "aria-label": "Zoom out" }), button("+", () => magnify(1.5), { "aria-label": "Zoom in" }), undo),
    h("div", { class: "canvas", tabIndex: 0, role: "region", "aria-label": "Picture" }, shown),
    h("div", { class: "row end" }, button("Discard", () => box.close()), button("Use this", save, { class: "primary" })));
  box.classList.add("wide");
  magnify(1);
  box.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); undo.click(); }
    if (event.key === "[" || event.key === "]") brush.value = String(Number(brush.value) * (event.key === "]" ? 1.25 : 0.8));
    if (event.key === "x") choose(!keeping);
  });
  box.addEventListener("close", () => { if (!saved) done(null); });
  draw();
}

/**
 * Draws the picture, or a part of it, with squares where the mask leaves it out.
 * @param {HTMLCanvasElement} shown @param {ImageData} pixels @param {Uint8ClampedArray} mask
 */
function drawer(shown, pixels, mask) {
  const { width, height } = shown;
  const square = Math.max(6, Math.round(Math.max(width, height) / 40));
  return (x0 = 0, y0 = 0, x1 = width, y1 = height) => {
    const left = Math.max(0, Math.floor(x0)), top = Math.max(0, Math.floor(y0));
    const right = Math.min(width, Math.ceil(x1)), bottom = Math.min(height, Math.ceil(y1));
    if (right <= left || bottom <= top) return;
    const part = new ImageData(right - left, bottom - top);
    for (let y = top; y < bottom; y += 1) {
      for (let x = left; x < right; x += 1) {
        const from = y * width + x, to = 4 * ((y - top) * (right - left) + x - left);
        const kept = mask[from] / 255;
        // Of removed parts a shadow stays, so that they can still be recognised.
        const grey = (pixels.data[from * 4] + pixels.data[from * 4 + 1] + pixels.data[from * 4 + 2]) / 3;
        const removed = 0.22 * grey + 0.78 * ((Math.floor(x / square) + Math.floor(y / square)) % 2 ? 205 : 240);
        for (let c = 0; c < 3; c += 1) part.data[to + c] = kept * pixels.data[from * 4 + c] + (1 - kept) * removed;
        part.data[to + 3] = 255;
      }
    }
    context(shown).putImageData(part, left, top);
  };
}

/**
 * Calls `dab` along the way of a pointer; two fingers scroll.
 * @param {HTMLCanvasElement} canvas @param {{ begin: () => void, dab: (x: number, y: number) => void, step: () => number }} brush
 */
function paint(canvas, { begin, dab, step }) {
  /** @type {{ x: number, y: number } | null} */
  let last = null;
  const place = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) * canvas.width) / box.width, y: ((event.clientY - box.top) * canvas.height) / box.height };
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    canvas.setPointerCapture(event.pointerId);
    begin();
    last = place(event);
    dab(last.x, last.y);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last || !event.isPrimary) return;
    const to = place(event);
    const far = Math.hypot(to.x - last.x, to.y - last.y);
    const dabs = Math.max(1, Math.ceil(far / step()));
    for (let at = 1; at <= dabs; at += 1) dab(last.x + ((to.x - last.x) * at) / dabs, last.y + ((to.y - last.y) * at) / dabs);
    last = to;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
}

/**
 * A disc with an edge of two pixels. @param {Uint8ClampedArray} mask @param {number} width @param {number} height
 * @param {number} x @param {number} y @param {number} radius @param {number} value
 */
function dab(mask, width, height, x, y, radius, value) {
  for (let row = Math.max(0, Math.floor(y - radius)); row <= Math.min(height - 1, y + radius); row += 1) {
    for (let column = Math.max(0, Math.floor(x - radius)); column <= Math.min(width - 1, x + radius); column += 1) {
      const inside = Math.min(1, Math.max(0, (radius - Math.hypot(column - x, row - y)) / 2));
      const at = row * width + column;
      const next = inside * value + (1 - inside) * mask[at];
      // The edge of an overlapping dab does not undo what the last one did.
      if (value > mask[at] ? next > mask[at] : next < mask[at]) mask[at] = next;
    }
  }
}
