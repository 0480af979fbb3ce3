// Keys: asked for once, exchanged for a cookie that scripts cannot read.

import { json, onKeyNeeded, put, send, Refused } from "./api.js";
import { button, dialog, h, sentence } from "./dom.js";

/** @typedef {{ key_needed: boolean, name: string | null }} Session */

/** @returns {Promise<Session>} */
export const session = () => json("v1/session").catch(() => ({ key_needed: false, name: null }));

/** @type {Promise<void> | null} */
let asking = null;

/** Asks for a key until a right one comes. Requests that need one at the same time share the question. */
const ask = () => (asking ??= new Promise((/** @type {(value: void) => void} */ done, gaveUp) => {
  const key = h("input", { type: "password", id: "key", autocomplete: "current-password", required: true, autofocus: true });
  const wrong = h("p", { class: "wrong", role: "alert" });
  let signedIn = false;
  const send = async () => {
    try {
      await put("POST", "v1/session", { key: key.value });
      signedIn = true;
      shown.close();
    } catch (error) {
      const { message, status } = /** @type {Refused} */ (error);
      wrong.textContent = status === 401 ? "The server does not know this key. Check it for missing characters." : sentence(message);
      key.select();
    }
  };
  const shown = dialog("Sign in", h("p", {}, "This server needs an API key. The person who runs it can give you one."),
    h("form", { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); send(); } },
      h("label", { for: "key" }, "API key"), key, wrong,
      h("div", { class: "row end" }, h("button", { type: "submit", class: "primary" }, "Sign in"))));
  shown.addEventListener("close", () => {
    asking = null;
    if (signedIn) {
      dispatchEvent(new Event("signed-in"));
      done();
    } else gaveUp(Object.assign(new Error("this needs a key"), { fix: "reload the page to sign in" }));
  });
}));
onKeyNeeded(ask);

/** The button to sign out, where somebody has signed in. @param {Session} who */
export function signOut({ name }) {
  return name && button(`Sign out ${name}`, async () => {
    await send("v1/session", { method: "DELETE" });
    location.hash = "#/";
    location.reload();
  });
}

/** Asks at once where a key is needed, rather than at the first click. */
export async function signInFirst() {
  const who = await session();
  if (who.key_needed && !who.name) await ask();
}
