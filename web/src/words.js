// What the page says of jobs, files and times.

/** @typedef {import("./api.js").Job} Job */

/** @param {number} bytes */
export function size(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${bytes >= 10 || unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

/** @param {number} ms */
export const duration = (ms) =>
  ms < 1000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;

/** Words in a sentence. @param {string[]} words @param {string} last what stands before the last one */
export const listed = (words, last) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`);

/** @param {string} time */
export const when = (time) => new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

/** @type {Record<string, string>} */
const STAGES = {
  preprocess: "Cut out the object",
  condition: "Look at the picture",
  sparse_structure: "Find the shape",
  structured_latent: "Add detail",
  texture_latent: "Imagine the colours",
  decode: "Build the mesh",
  simplify: "Simplify",
  texture: "Paint the texture",
  export: "Write the files",
};
export const STAGE_ORDER = Object.keys(STAGES);
/** Where a given mesh is textured, its shape is not found but read. @type {Record<string, string>} */
const STAGES_OF_A_MESH = { sparse_structure: "Read the mesh", structured_latent: "Encode its shape", decode: "Decode the colours" };
/** @param {string} stage @param {Job} job */
export const stageName = (stage, job) => (meshFile(job) && STAGES_OF_A_MESH[stage]) || (STAGES[stage] ?? stage.replaceAll("_", " "));

/** @param {Job} job */
export const jobName = (job) => job.name ?? job.inputs[0]?.name ?? "Untitled";

/** @type {Record<string, string>} */
const STATES = { queued: "Waiting", running: "Working", succeeded: "Ready", failed: "Failed", cancelled: "Cancelled" };
/** @param {Job} job */
export const stateName = (job) => STATES[job.state] ?? job.state;

/** @type {Record<string, string>} */
const FORMATS = {
  glb: "GLB model",
  obj: "OBJ with texture",
  voxels: "Voxels",
  stl: "STL for printing",
  ply: "PLY mesh",
  gaussian_ply: "Gaussian splats",
  turntable: "Turntable video",
  vxz: "O-Voxel (TRELLIS.2)",
};
/** @param {string} format */
export const formatName = (format) => FORMATS[format] ?? format;

/** @type {Record<string, string>} */
const NAMES = { trellis: "TRELLIS", trellis2: "TRELLIS.2" };

/** Who made a result. @param {string} backend */
export const makerName = (backend) => NAMES[backend] ?? backend;

/** Where a result comes from, in sentences. @param {Job} job */
export function provenance(job) {
  const made = job.provenance;
  const backend = job.made_by ?? made?.backend;
  if (!backend) return [];
  const preview = backend === "relief";
  const named = makerName(backend);
  const lines = [preview ? "Made by the preview backend from the picture’s outline, not by TRELLIS." : `Made by ${named}${made?.gpu ? ` on ${made.gpu.name}` : ""}.`];
  if (made) {
    lines.push(`Seed ${made.params.seed}, trellis-server ${made.server.version}. The file contains this record.`);
    const pinned = made.server.pin === "nix" && (!made.python_env || made.python_env.pin === "nix");
    lines.push(pinned ? "All software is pinned by Nix, so another machine can run exactly the same." : "The software is not pinned by Nix: another machine may make something slightly different.");
  }
  if (made?.non_commercial?.length) lines.push(`Made with the help of ${made.non_commercial.join(" and ")}: ${made.non_commercial.length > 1 ? "their licences allow" : "its licence allows"} no commercial use.`);
  if (job.statement) lines.push(job.statement.signed_by ? `Signed by ${job.statement.signed_by}.` : "An unsigned statement about it can be downloaded.");
  if (job.cached) lines.push("An earlier job asked for the same thing, so its result was reused.");
  return lines;
}

/** A word for a shell. @param {string} text */
const quoted = (text) => (/^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** @param {Job} job */
const picturesOf = (job) => job.inputs.filter(({ triangles }) => !triangles);

/** @param {Job} job */
const pictureFiles = (job) =>
  picturesOf(job).map((input, index, all) => `${input.name ?? "picture"}${all.length > 1 ? `-${index + 1}` : ""}.${input.format === "jpeg" ? "jpg" : input.format}`);

/** The file of the mesh to be textured, where there is one. @param {Job} job */
export function meshFile(job) {
  const mesh = job.inputs.find(({ triangles }) => triangles);
  return mesh && `${mesh.name ?? "mesh"}.${mesh.format}`;
}

/** What a job does with a mesh, where there is one. @param {Job} job */
export function meshWork(job) {
  const file = meshFile(job);
  return file && `${job.state === "succeeded" ? "Textured" : "Texture for"} ${file}`;
}

/** What may be otherwise where a model is decoded once more. */
export const OTHERWISE = ["texture", "texture_size", "texture_format", "mesh_simplify", "decimation_target", "remesh"];

/** From the least urgent one. @type {string[]} */
export const PRIORITIES = ["low", "normal", "high"];

/** What was asked of an export. @param {Job} job */
export function exportOf({ params, source, priority }) {
  const { formats } = params;
  return {
    ...(formats.length > 1 ? { formats } : { format: formats[0] }),
    // Decoded once more from what was sampled, not converted.
    ...(source?.decoder && Object.fromEntries(OTHERWISE.filter((name) => name in params).map((name) => [name, params[name]]))),
    ...(formats.includes("voxels") && { voxel_resolution: params.voxel_resolution }),
    ...(formats.includes("stl") && { stl_size_mm: params.stl_size_mm }),
    ...(priority !== "normal" && { priority }),
  };
}

/** The server's address. */
const server = () => new URL(".", document.baseURI).href.replace(/\/$/, "");

/** The `curl` line that asks for the same. @param {Job} job */
export function curlLine(job) {
  const address = `${server()}/v1/jobs`;
  if (job.source) {
    return `curl --fail-with-body --json ${quoted(JSON.stringify(exportOf(job)))} ${quoted(`${address}/${job.source.job}/exports`)}`;
  }
  const mesh = meshFile(job);
  const pictures = [...pictureFiles(job).map((file) => `image=@${file}`), ...(mesh ? [`mesh=@${mesh}`] : [])].map((file) => `-F ${quoted(file)}`).join(" ");
  const urgency = job.priority === "normal" ? "" : ` -F priority=${job.priority}`;
  return `curl --fail-with-body ${pictures} -F ${quoted(`params=${JSON.stringify(job.params)}`)} -F backend=${job.backend}${urgency} ${quoted(address)}`;
}

/**
 * The line with `trellis` that asks for the same, with what is not a default.
 * @param {Job} job @param {Map<string, import("./contract.js").Parameter[]>} models
 */
export function generateLine(job, models) {
  const { source } = job;
  if (source) {
    const { format: _, formats: __, ...numbers } = exportOf(job);
    const flags = Object.entries(numbers).map(([name, value]) => `--${name.replaceAll("_", "-")} ${value}`);
    // The command makes one file at a time.
    const lines = job.params.formats.map((/** @type {string} */ format) =>
      ["trellis jobs export", source.job, `--format ${format}`, ...flags, `--server ${quoted(server())}`].join(" "));
    return lines.join(" && ");
  }
  const [usual] = models.keys();
  const model = job.params.model ?? usual;
  const flags = (models.get(model) ?? [])
    .filter(({ name, initial }) => name !== "formats" && name in job.params && String(job.params[name]) !== String(initial))
    .map(({ name }) => `--${name.replaceAll("_", "-")} ${quoted(String(job.params[name]))}`);
  if (model !== usual) flags.unshift(`--model-name ${model}`);
  if (job.priority !== "normal") flags.push(`--priority ${job.priority}`);
  if (picturesOf(job).length > 1) flags.push("--multiview");
  const mesh = meshFile(job);
  if (mesh) flags.push(`--texture-mesh ${quoted(mesh)}`);
  return ["trellis generate", ...pictureFiles(job).map(quoted), "-o model.glb", `--format ${job.params.formats.join(",")}`,
    ...flags, `--backend ${job.backend}`, `--server ${quoted(server())}`].join(" ");
}
