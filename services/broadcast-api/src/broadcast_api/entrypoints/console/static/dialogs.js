// A link marked data-dialog opens its page in a dialog; without scripts it is a page like any other.

import { audience } from "./audience.js";
import { filters } from "./filters.js";
import { load, parse } from "./parts.js";

export function dialogs() {
  addEventListener("click", async (event) => {
    const link = event.target.closest?.("[data-dialog]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const { answer, text } = await load(link.href);
    if (answer.ok) show(text, link);
    else location.assign(link.href);
  });
}

function show(html, opener) {
  const dialog = document.createElement("dialog");
  fill(dialog, html);
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  dialog.addEventListener("submit", (event) => {
    if (event.target.matches("[data-remote]")) remote(event, dialog, opener);
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    opener.focus();
  });
  dialog.showModal();
}

function fill(dialog, html) {
  dialog.replaceChildren(...parse(html).body.childNodes);
  const title = dialog.querySelector("h1");
  title.id = "dialog-title";
  dialog.setAttribute("aria-labelledby", title.id);
  filters(dialog);
  audience(dialog.querySelector("[data-audience]"));
}

/** A form whose result is used by the page underneath. */
async function remote(event, dialog, opener) {
  event.preventDefault();
  const { answer, text } = await load(event.target.action, event.target);
  if (answer.status !== 201) return fill(dialog, text);
  opener.dispatchEvent(new CustomEvent("made", { bubbles: true, detail: JSON.parse(text) }));
  dialog.close();
}
