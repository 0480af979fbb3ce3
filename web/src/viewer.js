// A 3D view of a GLB. Its code is loaded on first use.

import { button, h } from "./dom.js";

/** @typedef {import("./model-viewer.js").ModelViewer} ModelViewer */

/** Loads the viewer's code ahead of its use. */
export const prepare = () => import("./model-viewer.js");

/**
 * A viewer of the model at `url`.
 * @param {string} url @param {string} label @param {Record<string, string>} [more] @returns {Promise<ModelViewer>}
 */
export async function viewer(url, label, more = {}) {
  await prepare();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const view = /** @type {ModelViewer} */ (/** @type {unknown} */ (document.createElement("model-viewer")));
  const attributes = {
    src: url,
    alt: label,
    "camera-controls": "",
    "touch-action": "pan-y",
    "shadow-intensity": "0.9",
    "shadow-softness": "0.9",
    "tone-mapping": "neutral",
    "interaction-prompt": "none",
    "environment-image": "neutral",
    ar: "",
    "ar-modes": "webxr scene-viewer quick-look",
    ...(still ? {} : { "auto-rotate": "", "auto-rotate-delay": "1200", "rotation-per-second": "18deg" }),
    ...more,
  };
  for (const [name, value] of Object.entries(attributes)) view.setAttribute(name, value);
  // The page says in its own words how far it is. The viewer's own buttons would come before all others by Tab.
  view.append(h("div", { slot: "progress-bar" }),
    h("button", { slot: "ar-button", type: "button", class: "ar" }, "View in your room"),
    h("button", { slot: "exit-webxr-ar-button", type: "button", class: "ar" }, "Leave AR"));
  return view;
}

/** Resolves once the model is drawn. @param {ModelViewer} view @returns {Promise<void>} */
export const drawn = (view) =>
  view.loaded
    ? Promise.resolve()
    : new Promise((done, failed) => {
        view.addEventListener("load", () => done(), { once: true });
        view.addEventListener("error", () => failed(new Error("the model cannot be shown")), { once: true });
      });

/**
 * A small picture of a model, drawn where nobody sees it; outside of the window nothing would be drawn.
 * @param {string} url @returns {Promise<Blob>}
 */
export async function thumbnail(url) {
  const view = await viewer(url, "", { class: "unseen", "inert": "", "camera-orbit": "25deg 75deg auto", "loading": "eager" });
  view.removeAttribute("auto-rotate");
  const { ModelViewerElement } = await prepare();
  const least = ModelViewerElement.minimumRenderScale;
  // Where frames take long the viewer draws smaller ones, and then gives a part of a still picture for the whole.
  ModelViewerElement.minimumRenderScale = 1;
  document.body.append(view);
  try {
    await drawn(view);
    view.jumpCameraToGoal();
    // A busy machine says that it has drawn before it has.
    for (let turn = 0; turn < 20; turn += 1) {
      for (let frame = 0; frame < 4; frame += 1) await new Promise(requestAnimationFrame);
      const picture = await view.toBlob({ mimeType: "image/webp", qualityArgument: 0.85, idealAspect: false });
      if (await hasSomething(picture)) return picture;
    }
    throw new Error("the model was not drawn");
  } finally {
    view.remove();
    ModelViewerElement.minimumRenderScale = least;
  }
}

/** Whether anything in a picture is opaque. @param {Blob} picture */
async function hasSomething(picture) {
  const bitmap = await createImageBitmap(picture, { resizeWidth: 32, resizeHeight: 32 });
  const pen = new OffscreenCanvas(32, 32).getContext("2d");
  pen?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return pen?.getImageData(0, 0, 32, 32).data.some((value, at) => at % 4 === 3 && value > 250);
}

/**
 * The cameras of two viewers move together: whichever was touched last leads, until it stands still too. What the viewer
 * says of a movement's cause does not tell who leads: it forgets that whenever something else sets the camera.
 * @param {ModelViewer} one @param {ModelViewer} other
 */
export function link(one, other) {
  /** @type {ModelViewer | undefined} */
  let leader;
  /** How far each camera is at first: models have sizes of their own. @type {Map<ModelViewer, number>} */
  const far = new Map();
  for (const [from, to] of [[one, other], [other, one]]) {
    from.addEventListener("load", () => far.set(from, from.getCameraOrbit().radius), { once: true });
    for (const touch of ["pointerdown", "wheel", "keydown"]) from.addEventListener(touch, () => { leader = from; }, { capture: true, passive: true });
    from.addEventListener("camera-change", () => {
      const [here, there] = [far.get(from), far.get(to)];
      if (leader !== from || !here || !there) return;
      const { theta, phi, radius } = from.getCameraOrbit();
      to.cameraOrbit = `${theta}rad ${phi}rad ${(radius / here) * there}m`;
      to.fieldOfView = `${from.getFieldOfView()}deg`;
      to.jumpCameraToGoal();
    });
  }
}

/** What can be done with a view: look at the surface without its texture, let it turn, fill the screen. @param {ModelViewer} view */
export function tools(view) {
  const press = (/** @type {HTMLElement} */ shown, /** @type {boolean} */ on) => shown.setAttribute("aria-pressed", String(on));
  /** @type {(() => void)[] | null} */
  let undo = null;
  const surface = button("Surface", () => {
    const bare = !undo;
    if (undo) for (const back of undo) back();
    undo = bare ? (view.model?.materials ?? []).map(withoutTexture) : null;
    press(surface, bare);
  }, { title: "Without the texture", "aria-pressed": "false" });
  const turn = button("Turn", () => {
    view.toggleAttribute("auto-rotate");
    press(turn, view.hasAttribute("auto-rotate"));
  }, { title: "Turn by itself", "aria-pressed": String(view.hasAttribute("auto-rotate")) });
  const full = document.fullscreenEnabled && button("Full screen", () => (document.fullscreenElement ? document.exitFullscreen() : view.parentElement?.requestFullscreen()));
  return h("div", { class: "scene-tools", role: "group", "aria-label": "View" }, surface, turn, full);
}

/** Makes a material grey; gives what undoes it. @param {NonNullable<ModelViewer["model"]>["materials"][number]} material */
function withoutTexture({ pbrMetallicRoughness: look }) {
  const { texture } = look.baseColorTexture;
  const factor = [...look.baseColorFactor];
  look.baseColorTexture.setTexture(null);
  look.setBaseColorFactor([0.75, 0.75, 0.78, 1]);
  return () => {
    look.baseColorTexture.setTexture(texture);
    look.setBaseColorFactor(/** @type {[number, number, number, number]} */ (factor));
  };
}
