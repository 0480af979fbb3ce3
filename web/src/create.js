// The first view: pictures in, a job out.

import { submit } from "./api.js";
import { announce, attempt, button, h } from "./dom.js";
import { form } from "./form.js";
import { isMesh, meshOf } from "./mesh.js";
import { look, measured, TYPES, version } from "./pictures.js";
import { showJob } from "./job.js";
import { prepare } from "./viewer.js";
import { size } from "./words.js";
import sample from "./sample.webp";

/** @typedef {import("./pictures.js").Picture} Picture */

/** What stays while a person looks at another view. @type {Picture[]} */
let pictures = [];
/** The mesh that is to be textured, where it is not to be made. @type {File | null} */
let mesh = null;
/** A job is on its way: these pictures are not sent a second time meanwhile. */
let sending = false;
/** Draws the view that is shown. */
let redraw = () => {};

/**
 * Draws the view; the job that `id` names is shown beside it.
 * @param {HTMLElement} main @param {AbortSignal} gone @param {string} [id]
 */
export async function create(main, gone, id) {
  const [panel, facts] = await Promise.all([form(() => draw()), version()]);
  if (gone.aborted) return;
  const input = h("input", { type: "file", id: "pick", multiple: true, accept: TYPES.join(","), class: "hidden-text", "aria-label": "Choose pictures", onchange: () => attempt(() => add([...(input.files ?? [])])) });
  const camera = h("input", { type: "file", accept: "image/*", capture: "environment", class: "hidden-text", "aria-label": "Take a photo", onchange: () => attempt(() => add([...(camera.files ?? [])])) });
  const meshInput = h("input", { type: "file", id: "pick-mesh", class: "hidden-text", "aria-label": "Choose a mesh to texture", onchange: () => attempt(() => add([...(meshInput.files ?? [])])) });
  const heading = h("h1");
  const meshPlace = h("div");
  const list = h("div", { class: "pictures" });
  const zone = h("div", { class: "drop" });
  const go = h("button", { type: "button", class: "primary", disabled: true, onclick: () => attempt(start) });
  const stage = h("section", { class: "stage", "aria-label": "Result" });

  const draw = () => {
    const texturing = panel.texturing();
    panel.texture(Boolean(mesh && texturing));
    heading.textContent = mesh ? "Texture a mesh" : "Picture to 3D";
    go.textContent = sending ? "Sending…" : mesh ? "Texture it" : "Make it 3D";
    go.disabled = sending || pictures.length === 0 || (mesh !== null && !texturing);
    drawMesh(texturing);
    list.replaceChildren(...pictures.map((picture, at) => h("figure", { class: "picture" },
      h("img", { src: picture.url, alt: picture.file.name }),
      picture.edited && h("span", { class: "tag" }, "Cut out"),
      h("div", { class: "picture-tools" },
        button("Cut out", () => cutOut(at), { title: "Choose what belongs to the object" }),
        button("✕", () => { URL.revokeObjectURL(picture.url); pictures.splice(at, 1); draw(); }, { "aria-label": `Remove ${picture.file.name}` })))));
    zone.classList.toggle("small", pictures.length > 0);
    choose.textContent = pictures.length > 0 ? "Add another view" : "Choose pictures";
    hint.textContent = pictures.length > 1 ? "Several pictures are views of one object." : mesh && pictures.length === 0 ? "Add a picture that shows how the mesh should look." : "";
  };
  /** The mesh, or where one is chosen if a model textures it. @param {import("./mesh.js").Texturing | undefined} texturing what the chosen model textures */
  const drawMesh = (texturing) => {
    const any = panel.anyTexturing();
    if (mesh) {
      const { name } = mesh;
      meshPlace.replaceChildren(h("div", { class: "mesh" }, h("div", {}, h("strong", {}, name), h("span", { class: "hint" }, size(mesh.size))),
        button("✕", () => { mesh = null; draw(); meshInput.focus(); }, { "aria-label": `Remove ${name}` })),
        h("p", { class: "hint" }, texturing ? "It keeps its shape and gets the look of the picture." : "This model does not texture meshes: choose another one, or remove the mesh."));
    } else if (any) {
      meshInput.accept = any.meshes.map((format) => `.${format}`).join();
      meshPlace.replaceChildren(h("label", { class: "button link", for: "pick-mesh" }, "Texture a mesh of your own"), meshInput);
    } else meshPlace.replaceChildren();
  };
  const add = async (/** @type {File[]} */ files) => {
    if (files.length === 0) return;
    const textured = meshOf(files, mesh, panel.anyTexturing(), facts.limits.body_bytes);
    pictures.push(...(await look(files.filter((file) => !isMesh(file)), pictures, facts.limits, textured?.size)));
    // A mesh that was there may be removed by now.
    if (files.some(isMesh)) {
      mesh = textured;
      panel.chooseTexturing();
    }
    input.value = camera.value = meshInput.value = "";
    draw();
    announce([mesh && `${mesh.name} chosen`, pictures.length > 0 && `${pictures.length} picture${pictures.length > 1 ? "s" : ""} chosen`].filter(Boolean).join(", "));
    (go.disabled ? input : go).focus();
  };
  const cutOut = async (/** @type {number} */ at) => {
    const { edit } = await import("./cutout.js");
    const file = await edit(pictures[at].file);
    if (!file) return;
    URL.revokeObjectURL(pictures[at].url);
    pictures[at] = { ...(await measured(file, facts.limits)), edited: true };
    draw();
  };
  const start = async () => {
    sending = true;
    draw();
    try {
      const job = await submit(pictures.map(({ file }) => file), panel.values(), panel.backend(), panel.priority(), mesh ?? undefined);
      location.hash = `#/job/${job.id}`;
    } finally {
      sending = false;
      redraw();
    }
  };
  const trySample = async () => {
    const picture = await (await fetch(new URL(sample, import.meta.url))).blob();
    await add([new File([picture], "duck.webp", { type: "image/webp" })]);
  };

  const hint = h("p", { class: "hint" });
  const choose = h("label", { class: "button", for: "pick" });
  zone.append(h("label", { class: "drop-mark", for: "pick", "aria-hidden": "true" }, "+"),
    h("p", {}, h("strong", {}, "Drop a picture here"), h("span", {}, "or paste it with Ctrl+V")),
    h("div", { class: "row" }, choose, input,
      h("label", { class: "button camera" }, "Take a photo", camera)),
    h("button", { type: "button", class: "link", onclick: () => attempt(trySample) }, "Try it with a sample"));
  main.replaceChildren(h("div", { class: "create" },
    h("section", { class: "panel", "aria-label": "Pictures and settings" }, heading, list, zone, hint, meshPlace, panel.element, h("div", { class: "go" }, go)),
    stage));
  redraw = draw;
  draw();

  takeDrops(zone, add, gone);
  setTimeout(prepare, 300);
  if (id) await showJob(stage, id, gone, panel);
  else stage.append(welcome(facts));
}

/** Drops on the window and pastes. @param {HTMLElement} zone @param {(files: File[]) => Promise<void>} add @param {AbortSignal} signal */
function takeDrops(zone, add, signal) {
  addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); }, { signal });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) zone.classList.remove("over"); }, { signal });
  addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    attempt(() => add([...(event.dataTransfer?.files ?? [])]));
  }, { signal });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) attempt(() => add(files));
  }, { signal });
}

/** What stands where the result will be. @param {any} facts */
function welcome(facts) {
  const real = facts.backends.some((/** @type {any} */ one) => !one.preview && one.status !== "unavailable");
  return h("div", { class: "welcome" }, h("div", { class: "cube", "aria-hidden": "true" }),
    h("h2", {}, "Watch a picture become 3D"),
    h("p", {}, "One object on a plain background works best. Several pictures of it show its other sides."),
    !real && h("p", { class: "note" }, "This server makes previews from the outline, in a moment and without a GPU. For full models by TRELLIS, see “Preview only” above."));
}
