// Makes elements, and says things to people who do not look at them.

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element: properties beginning with `on` are listeners, `class` and names with a hyphen are attributes, the rest properties.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class" || name === "role" || name === "for" || name === "list" || name.includes("-"))
      element.setAttribute(name, value);
    else /** @type {any} */ (element)[name] = value;
  }
  element.append(.../** @type {(Node | string)[]} */ (children.flat().filter((child) => child || child === "")));
  return element;
}

/** A button. @param {string} label @param {() => unknown} onclick @param {Record<string, any>} [more] */
export function button(label, onclick, more = {}) {
  return h("button", { type: "button", class: "quiet", ...more, onclick: once(onclick) }, label);
}

/** Runs something and tells a person where it fails. @param {() => unknown} work */
export async function attempt(work) {
  try {
    await work();
  } catch (error) {
    toast(error);
  }
}

/** The same; what still runs is not begun again. @param {() => unknown} work */
export function once(work) {
  let runs = false;
  return async () => {
    if (runs) return;
    runs = true;
    await attempt(work);
    runs = false;
  };
}

/** Says a sentence to screen readers. @param {string} text */
export function announce(text) {
  const live = element("live");
  if (live.textContent !== text) live.textContent = text;
}

/** Names the view in the window's title. @param {string} view */
export const title = (view) => { document.title = view ? `${view} · trellis` : "trellis"; };

/** Shows what failed, why and what to do. @param {unknown} error */
export function toast(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const { message, fix } = /** @type {{ message: string, fix?: string }} */ (error);
  /** @type {HTMLElement} */
  const note = h("div", { class: "toast" },
    h("div", {}, h("strong", {}, sentence(message)), fix && h("p", {}, sentence(fix))),
    button("✕", () => note.remove(), { "aria-label": "Close this message" }));
  element("toasts").append(note);
  setTimeout(() => note.remove(), 12_000);
}

/** A message of the server begins in lower case and has no full stop. @param {string} text */
export function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}

/** An element of the page. @param {string} id @returns {HTMLElement} */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** A dialog that is gone once it is closed. @param {string} title @param {...Child} children */
export function dialog(title, ...children) {
  const close = button("✕", () => shown.close(), { "aria-label": "Close", class: "quiet close" });
  const shown = h("dialog", { "aria-label": title, onclose: () => shown.remove() },
    h("div", { class: "dialog-head" }, h("h2", {}, title), close), ...children);
  document.body.append(shown);
  shown.showModal();
  return shown;
}
