// The console without scripts is complete; these make it quicker. One module for each thing, found by its mark in the page.

import { audience } from "./audience.js";
import { compose } from "./compose.js";
import { copying } from "./copy.js";
import { dialogs } from "./dialogs.js";
import { files } from "./files.js";
import { filters } from "./filters.js";
import { loadLater } from "./parts.js";
import { stream } from "./stream.js";
import { localTimes } from "./times.js";
import { upload } from "./upload.js";

localTimes(document);
dialogs();
filters(document);
compose(document.querySelector("#compose"));
files(document.querySelector("#files"));
audience(document.querySelector("[data-audience]"));
copying();
upload(document.querySelector("[data-upload]"));
if (document.querySelector("[data-stream]")) stream();

const answered = document.querySelector("[data-canonical]");
if (answered) history.replaceState(null, "", answered.dataset.canonical);
document.querySelector(".alert")?.focus();

await loadLater();

// A second click on a button that was pressed does nothing.
addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  setTimeout(() => event.target.querySelectorAll("button").forEach((button) => (button.disabled = true)));
});
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[method=post] button:disabled").forEach((button) => (button.disabled = false));
});
