// What can be asked of a generation, read from the server's contract: no name, default or range is written here.

import { json } from "./api.js";
import { version } from "./pictures.js";

/**
 * @typedef {{ name: string, help: string, type: "number"|"choice"|"several"|"switch"|"interval", initial: any,
 *   min?: number, max?: number, step?: number, choices?: string[] }} Parameter
 */

/** @type {Promise<any> | undefined} */
let asked;
/** The server's contract, asked for once. @returns {Promise<any>} */
const contract = () => (asked ??= json("openapi.json").catch((error) => {
  asked = undefined;
  throw error;
}));
/** What each model takes, by its name; what each server decides for itself has no default in the contract. @returns {Promise<Map<string, Parameter[]>>} */
export const parameters = async () => {
  const [said, { defaults = {} }] = await Promise.all([contract(), version()]);
  const decided = (/** @type {Parameter} */ one) => ({ ...one, initial: one.initial ?? defaults[one.name] });
  return new Map([...read(said)].map(([model, all]) => [model, all.map(decided)]));
};

/** Whether the server has a route. @param {string} path @param {string} [method] */
export const offers = async (path, method) => {
  const item = (await contract()).paths[path];
  return Boolean(method ? item?.[method] : item);
};

/** The contract has a schema for each model, which names it. @param {any} contract @returns {Map<string, Parameter[]>} */
export function read(contract) {
  const schemas = contract.components.schemas;
  const models = Object.values(schemas).map((schema) => [schema.properties?.model?.enum ?? [], schema]);
  return new Map(models.filter(([names]) => names.length === 1).map(([[name], schema]) => [name, ofModel(schema, schemas)]));
}

/** @param {any} model @param {any} schemas @returns {Parameter[]} */
function ofModel(model, schemas) {
  const resolved = (/** @type {any} */ schema) => (schema?.$ref ? schemas[schema.$ref.split("/").at(-1)] : schema);
  const properties = Object.entries(model.properties).filter(([name]) => name !== "model");
  return properties.map(([name, /** @type {any} */ property]) => {
    const either = property.oneOf?.find((/** @type {any} */ one) => one.$ref) ?? property;
    const schema = either.$ref ? { ...resolved(either), default: property.default } : property;
    const types = [schema.type].flat();
    // Some descriptions end with the default in brackets, which the field shows anyway.
    const help = (either.description ?? property.description ?? "").replace(/ \([^()]*\)\.$/, ".");
    const common = { name, help, initial: property.default };
    if (schema.enum) return { ...common, type: "choice", choices: schema.enum.filter((/** @type {any} */ one) => one) };
    if (schema.items?.type === "number") return { ...common, type: "interval" };
    if (types.includes("array")) return { ...common, type: "several", choices: resolved(schema.items).enum };
    if (types.includes("boolean")) return { ...common, type: "switch" };
    const whole = types.includes("integer");
    const step = schema.multipleOf ?? (whole ? 1 : (schema.maximum - schema.minimum) / 100);
    const nice = whole || schema.multipleOf ? step : Math.max(0.01, Math.min(step, 0.5));
    return { ...common, type: "number", min: schema.minimum, max: schema.maximum, step: nice };
  });
}

/** A parameter's name for people: `ss_sampling_steps` is "Ss sampling steps". @param {string} name */
export function title(name) {
  const words = name.replaceAll("_", " ").replace(/\bss\b/, "structure").replace(/^shape slat\b/, "shape").replace(/^tex slat\b/, "texture").replace(/\bslat\b/, "detail")
    .replace(/\bstl\b/, "STL").replace(/\balgo\b/, "method").replace("multiimage", "several pictures").replace(/ mm$/, " (mm)");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const PRESETS = /** @type {const} */ (["draft", "balanced", "quality"]);
/** @typedef {typeof PRESETS[number]} Preset */

/**
 * What a preset asks: draft takes the smallest texture and a `quality` of its name, or half of the sampler's steps where
 * there is none; quality doubles them and takes the largest, within the contract's ranges; balanced is the defaults.
 * @param {Parameter[]} all @param {Preset} preset @returns {Record<string, unknown>}
 */
export function preset(all, preset) {
  /** @type {Record<string, unknown>} */
  const values = {};
  const drafts = all.some(({ name, choices }) => name === "quality" && choices?.includes("draft"));
  for (const { name, initial, min = 0, max = 0 } of all) {
    if (name === "quality") values[name] = drafts && preset === "draft" ? preset : initial;
    else if (name.endsWith("sampling_steps")) {
      const factor = { draft: drafts ? 1 : 0.5, balanced: 1, quality: 2 }[preset];
      values[name] = Math.min(max, Math.max(min, Math.round(initial * factor)));
    } else if (name === "texture_size") {
      values[name] = { draft: min, balanced: initial, quality: max }[preset];
    }
  }
  return values;
}
