// The panel of parameters, made from the contract.

import { PRESETS, parameters, preset, title } from "./contract.js";
import { button, h } from "./dom.js";
import { version } from "./pictures.js";
import { formatName, PRIORITIES } from "./words.js";

/** @typedef {import("./contract.js").Parameter} Parameter */
/** @typedef {import("./mesh.js").Texturing} Texturing */
/**
 * `texturing` is what the chosen model textures, and `anyTexturing` what it or else another model does, which `chooseTexturing`
 * chooses. `texture` says whether a mesh is textured: then only what holds for that is asked.
 * @typedef {{ element: HTMLElement, values: () => Record<string, unknown>, backend: () => string, priority: () => string, load: (params: Record<string, any>) => void,
 *   texturing: () => Texturing | undefined, anyTexturing: () => Texturing | undefined, chooseTexturing: () => void, texture: (on: boolean) => void }} Form
 */

const STORE = "trellis-form";

/** What stays while a person looks at another view. */
const kept = { backend: "auto", priority: "normal", open: false };

/** @param {() => void} [moved] called when another model was chosen @returns {Promise<Form>} */
export async function form(moved = () => {}) {
  const [models, facts] = await Promise.all([parameters(), version()]);
  const stored = JSON.parse(localStorage.getItem(STORE) ?? "{}");
  const known = (/** @type {any} */ name) => facts.models.includes(name) && models.has(name);
  let model = known(stored.model) ? stored.model : facts.default_model;
  /** @type {Parameter[]} */
  let all = [];
  /** @type {Record<string, any>} */
  const values = {};
  let chosen = "balanced";
  /** @type {Parameter[]} */
  let fields = [];
  const usable = facts.backends.filter((/** @type {any} */ one) => one.status !== "unavailable");
  let hasMesh = false;

  const texturingOf = (/** @type {string} */ name) => /** @type {Texturing | undefined} */ (facts.backends.find((/** @type {any} */ one) => one.model === name && one.texturing)?.texturing);
  /** The fields that hold now, and as far as they do. @returns {Parameter[]} */
  const holding = () => {
    const limits = hasMesh && texturingOf(model);
    if (!limits) return fields;
    return fields.filter(({ name }) => limits.parameters.includes(name)).map((field) => {
      if (field.name === "resolution") return { ...field, max: limits.max_resolution };
      return field.name === "formats" ? { ...field, choices: limits.formats } : field;
    });
  };
  /** The values within what holds now; what was chosen stays for when the mesh is gone. @returns {Record<string, any>} */
  const fitting = () => Object.fromEntries(holding().map(({ name, type, max = Infinity, choices = [], initial }) => {
    if (type === "number") return [name, Math.min(values[name], max)];
    if (type !== "several") return [name, values[name]];
    const left = values[name].filter((/** @type {string} */ one) => choices.includes(one));
    return [name, left.length ? left : initial];
  }));
  /** The model that textures a mesh: the chosen one if it does so. @returns {string | undefined} */
  const able = () => (texturingOf(model) ? model : facts.models.find(texturingOf));

  const panel = h("div", { class: "fields" });
  const presets = h("div", { class: "segments", role: "radiogroup", "aria-label": "Preset" });
  const seed = h("input", { type: "number", id: "seed", min: "0", max: "4294967295", placeholder: "Random", value: stored.seed ?? "" });
  const lock = h("input", { type: "checkbox", id: "seed-lock", checked: stored.seed !== undefined, onchange: () => { if (!lock.checked) seed.value = ""; keep(); } });
  seed.addEventListener("input", () => { lock.checked = seed.value !== ""; keep(); });

  const keep = () => localStorage.setItem(STORE, JSON.stringify({ preset: chosen, model, values, ...(seed.value === "" ? {} : { seed: seed.value }) }));
  const draw = () => {
    presets.replaceChildren(...PRESETS.map((name) => h("button", {
      type: "button", role: "radio", "aria-checked": String(name === chosen), tabIndex: name === chosen || (chosen === "custom" && name === "balanced") ? 0 : -1,
      onclick: () => { set(preset(all, name)); chosen = name; draw(); keep(); },
      onkeydown: (/** @type {KeyboardEvent} */ event) => step(event),
    }, title(name))));
    if (choice) choice.hidden = hasMesh;
    given.hidden = !hasMesh;
    const shown = fitting();
    panel.replaceChildren(...holding().map((field) => control(field, shown, facts.formats, () => { values[field.name] = shown[field.name]; chosen = "custom"; draw2(); keep(); })));
  };
  // A change of one field leaves the others, and with them the focus, alone.
  const draw2 = () => {
    for (const one of presets.children) one.setAttribute("aria-checked", "false");
  };
  /** The arrow keys move along the presets. @param {KeyboardEvent} event */
  const step = (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const at = [...presets.children].indexOf(/** @type {Element} */ (event.currentTarget));
    const next = /** @type {HTMLElement} */ (presets.children[(at + by + PRESETS.length) % PRESETS.length]);
    next.click();
    /** @type {HTMLElement} */ (presets.children[(at + by + PRESETS.length) % PRESETS.length]).focus();
  };
  /** @param {Record<string, any>} some */
  const set = (some) => {
    for (const { name } of fields) if (some[name] !== undefined) values[name] = some[name];
  };
  const defaults = () => set(Object.fromEntries(all.map(({ name, initial }) => [name, initial])));
  /** From here on for this model: what only another one has is not asked for. @param {string} name */
  const choose = (name) => {
    model = name;
    all = models.get(name) ?? [];
    fields = all.filter((field) => field.name !== "seed");
    for (const old of Object.keys(values)) delete values[old];
    defaults();
    if (which) which.value = name;
  };
  /** Another model, with its defaults. @param {string} name */
  const change = (name) => {
    choose(name);
    chosen = "balanced";
    draw();
    keep();
    moved();
  };
  const which = facts.models.length > 1 && h("select", { id: "model", onchange: (/** @type {Event} */ event) => change(/** @type {HTMLSelectElement} */ (event.target).value) }, ...facts.models.map((/** @type {string} */ one) => h("option", { value: one }, one)));
  const choice = usable.length > 1 && h("div", { class: "field" }, h("label", { for: "backend" }, "Made by"),
    h("select", { id: "backend", onchange: (/** @type {Event} */ event) => (kept.backend = /** @type {HTMLSelectElement} */ (event.target).value) },
      h("option", { value: "auto" }, "Best available"),
      ...usable.map((/** @type {any} */ one) => h("option", { value: one.name, selected: one.name === kept.backend }, `${one.name}${one.preview ? " (preview)" : ""}`))));
  const urgency = h("div", { class: "field" }, h("div", { class: "row" }, h("label", { for: "priority" }, "Priority"),
    h("select", { id: "priority", "aria-describedby": "priority-hint", onchange: (/** @type {Event} */ event) => (kept.priority = /** @type {HTMLSelectElement} */ (event.target).value) },
      ...PRIORITIES.map((one) => h("option", { value: one, selected: one === kept.priority }, title(one))))),
    h("p", { class: "hint", id: "priority-hint" }, "Which of your waiting jobs goes first."));
  const given = h("p", { class: "hint" }, "The mesh keeps its shape, so settings of the shape are left out.");
  const preview = usable.length > 0 && usable.every((/** @type {any} */ one) => one.preview);
  choose(model);
  set(stored.values ?? {});
  chosen = stored.preset ?? chosen;
  draw();

  const element = h("div", { class: "form" }, which && h("div", { class: "field" }, h("label", { for: "model" }, "Model"), which), presets,
    h("div", { class: "seed" }, h("label", { for: "seed" }, "Seed"), seed,
      h("label", { class: "lock", for: "seed-lock", title: "Keep this seed for the next results" }, lock, "Lock")),
    h("details", { open: kept.open, ontoggle: (/** @type {Event} */ event) => { kept.open = /** @type {HTMLDetailsElement} */ (event.target).open; } }, h("summary", {}, "All settings"), given,
      preview && h("p", { class: "hint" }, "Previews are made from the outline: settings for sampling change nothing here."), choice, panel, urgency,
      button("Back to defaults", () => { defaults(); chosen = "balanced"; draw(); keep(); })));
  return {
    element,
    values: () => ({ ...(which ? { model } : {}), ...fitting(), ...(seed.value === "" ? {} : { seed: Number(seed.value) }) }),
    backend: () => (hasMesh ? "auto" : kept.backend),
    priority: () => kept.priority,
    load: (params) => { if (known(params.model)) choose(params.model); set(params); seed.value = String(params.seed); lock.checked = true; chosen = "custom"; draw(); keep(); moved(); },
    texturing: () => texturingOf(model),
    anyTexturing: () => texturingOf(able() ?? ""),
    chooseTexturing: () => {
      const name = able();
      if (name && name !== model) change(name);
    },
    texture: (on) => {
      if (on === hasMesh) return;
      hasMesh = on;
      draw();
    },
  };
}

/**
 * A labelled field for a parameter, kept in `values`; `place` tells its id from those of other forms.
 * @param {Parameter} field @param {Record<string, any>} values @param {string[]} formats @param {() => void} changed @param {string} [place]
 */
export function control({ name, help, type, min, max, step, choices = [] }, values, formats, changed, place = "field") {
  const id = `${place}-${name}`;
  const hint = h("p", { class: "hint", id: `${id}-hint` }, help);
  const common = { id, "aria-describedby": hint.id };
  const set = (/** @type {any} */ value) => { values[name] = value; changed(); };
  if (type === "number") {
    const shown = h("output", { for: id }, String(values[name]));
    const slider = h("input", { ...common, type: "range", min, max, step, value: String(values[name]), oninput: () => { shown.textContent = slider.value; set(Number(slider.value)); } });
    return h("div", { class: "field" }, h("div", { class: "row" }, h("label", { for: id }, title(name)), shown), slider, hint);
  }
  if (type === "interval") {
    const ends = [0, 1].map((at) => h("input", {
      type: "number", min: "0", max: "1", step: "0.05", value: String(values[name][at]), "aria-label": `${title(name)}, ${at ? "to" : "from"}`, "aria-describedby": hint.id,
      oninput: (/** @type {Event} */ event) => set(values[name].map((/** @type {number} */ old, /** @type {number} */ index) => (index === at ? Number(/** @type {HTMLInputElement} */ (event.target).value) : old))),
    }));
    return h("fieldset", { class: "field" }, h("legend", {}, title(name)), h("div", { class: "row" }, ...ends), hint);
  }
  if (type === "switch") {
    const box = h("input", { ...common, type: "checkbox", class: "switch", checked: values[name], onchange: () => set(box.checked) });
    return h("div", { class: "field" }, h("div", { class: "row" }, h("label", { for: id }, title(name)), box), hint);
  }
  if (type === "choice") {
    const list = h("select", { ...common, onchange: () => set(list.value) }, ...choices.map((one) => h("option", { value: one, selected: one === values[name] }, one)));
    return h("div", { class: "field" }, h("div", { class: "row" }, h("label", { for: id }, title(name)), list), hint);
  }
  const boxes = choices.filter((one) => formats.includes(one)).map((one) => h("label", { class: "chip" },
    h("input", { type: "checkbox", checked: values[name].includes(one), onchange: (/** @type {Event} */ event) => {
      const on = /** @type {HTMLInputElement} */ (event.target).checked;
      const next = on ? [...values[name], one] : values[name].filter((/** @type {string} */ other) => other !== one);
      // Without a GLB there would be nothing to look at.
      if (next.length === 0) /** @type {HTMLInputElement} */ (event.target).checked = true;
      else set(next);
    } }), formatName(one)));
  return h("fieldset", { class: "field", "aria-describedby": hint.id }, h("legend", {}, title(name)), h("div", { class: "chips" }, ...boxes), hint);
}
