// Talks to the server. Addresses are relative, so the page also works below a prefix of a proxy.

/** @typedef {{ name: string, format: string, size_bytes: number, preview: boolean }} Artifact */
/** @typedef {{ stage: string, step: number, total: number }} Progress */
/** @typedef {{ message: string, fix: string }} Failure */
/**
 * A job as the contract has it.
 * @typedef {{ id: string, state: "queued"|"running"|"succeeded"|"failed"|"cancelled", backend: string, priority: "low"|"normal"|"high", made_by?: string,
 *   params: Record<string, any>, inputs: { format: string, triangles?: number, name?: string }[],
 *   artifacts: Artifact[], provenance?: any, statement?: { name: string, signed_by?: string }, cached?: boolean,
 *   timings?: { stages: { stage: string, ms: number }[], peak_vram_bytes?: number }, progress?: Progress,
 *   failure?: Failure, waits_for?: Failure, notes: string[], created_at: string, name?: string, thumbnail?: string,
 *   source?: { job: string, artifact: string, decoder?: string }, latents?: { size_bytes: number } }} Job
 */

/** An answer that says no, in the server's words. */
export class Refused extends Error {
  /** @param {number} status @param {{ detail?: string, fix?: string, type?: string }} problem */
  constructor(status, problem) {
    super(problem.detail ?? `the server answered ${status}`);
    this.status = status;
    this.fix = problem.fix ?? "try again; the server's log may tell more";
    this.kind = problem.type?.split(":").at(-1) ?? "";
  }
}

/** After how many seconds the server wants to be asked again. @param {Response} answer */
export const retryAfter = (answer) => Math.min(60, Math.max(1, Number(answer.headers.get("retry-after")) || 5));

/** @param {number} seconds */
export const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

/** No answer came. */
export const UNREACHABLE = "unreachable";

/** How often a request is sent again that the key's number a minute did not allow. */
const ATTEMPTS = 6;

/** Called where the server wants a key; resolves once there is one. @type {() => Promise<void>} */
let signIn = async () => {};
/** @param {() => Promise<void>} ask */
export function onKeyNeeded(ask) {
  signIn = ask;
}

/**
 * Sends a request; asks for a key and sends it again where one is needed, and waits where the key is used too often.
 * @param {string} path @param {RequestInit} [init] @param {number} [attempt] @returns {Promise<Response>}
 */
export async function send(path, init = {}, attempt = 1) {
  let answer;
  try {
    answer = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    dispatchEvent(new Event(UNREACHABLE));
    throw Object.assign(new Error("the server cannot be reached"), { fix: "check that it runs, then try again" });
  }
  if (answer.status === 401 && !path.startsWith("v1/session")) {
    await signIn();
    return send(path, init, attempt);
  }
  if (answer.ok) return answer;
  const refused = new Refused(answer.status, await answer.json().catch(() => ({})));
  if (refused.kind !== "too_many_requests" || attempt >= ATTEMPTS) throw refused;
  await pause(retryAfter(answer));
  init.signal?.throwIfAborted();
  return send(path, init, attempt + 1);
}

/** @param {string} path @param {RequestInit} [init] */
export const json = async (path, init) => (await send(path, init)).json();

/** Sends JSON. @param {string} method @param {string} path @param {unknown} body */
export const put = (method, path, body) =>
  send(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** Asks for something that an older server lacks. @template T @param {Promise<T>} asked @returns {Promise<T | null>} */
export async function ifThere(asked) {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refused && (error.status === 404 || error.status === 405)) return null;
    throw error;
  }
}

/** @param {string} id @returns {Promise<Job>} */
export const getJob = (id) => json(`v1/jobs/${id}`);

/** The file shown in 3D: the result, or until then its preview. @param {Job} job */
export const shownModel = (job) =>
  job.artifacts.find((file) => file.format === "glb" && !file.preview) ??
  job.artifacts.find((file) => file.format === "glb");

/** @param {Job} job @param {string} name */
export const artifactUrl = (job, name) => `v1/jobs/${job.id}/artifacts/${encodeURIComponent(name)}`;

/** @param {Job} job */
export const isOver = (job) => ["succeeded", "failed", "cancelled"].includes(job.state);

/**
 * Submits pictures, and with a mesh has that textured. The key makes a request that was sent twice one job.
 * @param {File[]} pictures @param {Record<string, unknown>} params @param {string} backend @param {string} priority @param {File} [mesh]
 * @returns {Promise<Job>}
 */
export function submit(pictures, params, backend = "auto", priority = "normal", mesh = undefined) {
  const form = new FormData();
  if (mesh) form.append("mesh", mesh, mesh.name);
  for (const picture of pictures) form.append("image", picture, picture.name);
  form.append("params", JSON.stringify(params));
  form.append("backend", backend);
  form.append("priority", priority);
  return json("v1/jobs", { method: "POST", headers: { "idempotency-key": randomName() }, body: form });
}

/** `crypto.randomUUID` is missing where the page came over plain HTTP from another machine. */
function randomName() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Follows a job until it ends. The browser reconnects by itself and names the last event that it got.
 * @param {string} id @param {(event: any) => void} onEvent @param {(connected: boolean) => void} onLink
 * @returns {() => void} ends it
 */
export function follow(id, onEvent, onLink) {
  /** @type {EventSource} */
  let source;
  let timer = 0;
  let done = false;
  const open = () => {
    source = new EventSource(`v1/jobs/${id}/events`);
    source.onopen = () => onLink(true);
    source.onerror = async () => {
      onLink(false);
      // A refused answer, as of a proxy while the server restarts, ends an EventSource for good.
      if (source.readyState !== EventSource.CLOSED || done) return;
      const job = await getJob(id).catch(() => null);
      if (job && isOver(job)) return onEvent({ type: "state", state: job.state });
      if (!done) timer = setTimeout(open, 2000);
    };
    for (const name of ["state", "progress", "artifact"]) {
      source.addEventListener(name, (event) => onEvent(JSON.parse(event.data)));
    }
  };
  open();
  return () => {
    done = true;
    clearTimeout(timer);
    source.close();
  };
}
