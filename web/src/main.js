// Starts the page and draws what its address names.

import { compare } from "./compare.js";
import { create } from "./create.js";
import { attempt, button, element, h, sentence, title } from "./dom.js";
import { gallery } from "./gallery.js";
import { signInFirst } from "./session.js";
import { restoreTheme, watchStatus } from "./status.js";

let leave = new AbortController();

async function route() {
  leave.abort();
  leave = new AbortController();
  const gone = leave.signal;
  const main = element("main");
  // What was said of the view before.
  element("toasts").replaceChildren();
  const [view = "", one, other] = location.hash.replace(/^#\/?/, "").split("/");
  for (const link of document.querySelectorAll("nav a")) {
    const current = link.getAttribute("href") === (["gallery", "compare"].includes(view) ? "#/gallery" : "#/");
    current ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  title(view === "gallery" ? "Gallery" : view === "compare" ? "Compare" : "");
  try {
    if (view === "gallery") await gallery(main, gone);
    else if (view === "compare" && one) await compare(main, gone, one, other);
    else await create(main, gone, view === "job" ? one : undefined);
  } catch (error) {
    if (gone.aborted) return;
    const { message, fix, status } = /** @type {{ message: string, fix?: string, status?: number }} */ (error);
    const ways = [h("a", { class: "button primary", href: "#/" }, "Start over"), h("a", { class: "button", href: "#/gallery" }, "Gallery")];
    const place = main.querySelector(".stage") ?? main;
    place.replaceChildren(h("div", { class: "empty" }, h("h2", {}, sentence(message)), fix && h("p", {}, sentence(fix)), h("div", { class: "row" }, status === 404 ? ways : button("Try again", route, { class: "primary" }))));
  }
}

restoreTheme();
addEventListener("hashchange", route);
watchStatus();
attempt(async () => {
  await signInFirst();
  await route();
});
