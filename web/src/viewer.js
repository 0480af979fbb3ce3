// A 3D view of a GLB. Its code is loaded on first use.

import { h } from "./dom.js";

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
  adoptStyle(view);
  // The page says in its own words how far it is.
  view.append(h("div", { slot: "progress-bar" }));
  return view;
}

/** The viewer's style, a template by `build.mjs`, as a constructed sheet, which the page's policy allows. @param {Element} view */
function adoptStyle(view) {
  const root = view.shadowRoot;
  const template = root?.querySelector("#css");
  if (!root || !(template instanceof HTMLTemplateElement)) return;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(template.content.textContent ?? "");
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
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
 * A small picture of a model, drawn out of sight.
 * @param {string} url @returns {Promise<Blob>}
 */
export async function thumbnail(url) {
  const view = await viewer(url, "", { class: "unseen", "camera-orbit": "25deg 75deg auto", "loading": "eager" });
  view.removeAttribute("auto-rotate");
  document.body.append(view);
  try {
    await drawn(view);
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return await view.toBlob({ mimeType: "image/webp", qualityArgument: 0.85, idealAspect: false });
  } finally {
    view.remove();
  }
}

/** The cameras of two viewers move together. @param {ModelViewer} one @param {ModelViewer} other */
export function link(one, other) {
  for (const [from, to] of [[one, other], [other, one]]) {
    from.addEventListener("camera-change", (/** @type {any} */ event) => {
      if (event.detail.source !== "user-interaction") return;
      const { theta, phi } = from.getCameraOrbit();
      to.cameraOrbit = `${theta}rad ${phi}rad auto`;
      to.jumpCameraToGoal();
    });
  }
}
