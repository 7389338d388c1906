// The editor of a broadcast: formatting, a preview as Telegram reads it, and a draft that survives a reload.

import { load, region } from "./parts.js";
import { format, MARKS } from "./marks.js";

const PAUSE = 200;
const DRAFT = "draft:";
const KEPT = ["name", "text", "parse_mode", "audience_id", "link_preview", "silent", "pictures_as_files"];

export function compose(form) {
  if (!form) return;
  const { text, parse_mode: mode, audience_id: select } = form.elements;
  const place = DRAFT + form.dataset.draft;
  const original = values(form);
  let previewing;

  const preview = () => region(document.getElementById("preview"), load("/broadcasts/preview", form));
  const reach = () => {
    const line = document.getElementById("reach");
    if (select.value) region(line, load(`/audiences/${select.value}/reach`));
    else line.textContent = "";
  };
  const tools = () => (form.querySelector(".toolbar").hidden = !MARKS[mode.value]);
  const changed = (event) => {
    localStorage.setItem(place, JSON.stringify({ version: form.dataset.version, id: form.elements.draft?.value, values: values(form) }));
    if (event?.target === select) reach();
    if (event?.target === mode) tools();
    if (!event || event.target === text || event.target === mode || event.target.name === "pictures_as_files") {
      clearTimeout(previewing);
      previewing = setTimeout(preview, PAUSE);
    }
  };

  if (restore(form, place)) {
    const notice = document.getElementById("restored");
    notice.hidden = false;
    notice.querySelector("[data-forget]").addEventListener("click", () => {
      localStorage.removeItem(place);
      fill(form, original);
      notice.hidden = true;
      preview();
      reach();
    });
    preview();
  }
  reach();
  tools();
  form.addEventListener("input", changed);
  form.querySelector("[data-leave]").addEventListener("click", () => localStorage.removeItem(place));
  form.addEventListener("made", ({ detail }) => {
    select.append(new Option(detail.name, detail.id, true, true));
    changed({ target: select });
  });
  form.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-mark]");
    if (button && format(text, mode.value, button.dataset.mark)) changed();
    if (target.dataset.at) {
      text.focus();
      text.setSelectionRange(+target.dataset.at, +target.dataset.at + 1);
    }
  });
  text.addEventListener("keydown", (event) => {
    const mark = { b: "b", i: "i", u: "u" }[event.key.toLowerCase()];
    if (mark && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && format(text, mode.value, mark)) {
      event.preventDefault();
      changed();
    }
  });
}

const field = (form, name) => form.elements[name];

function values(form) {
  return Object.fromEntries(KEPT.map((name) => [name, field(form, name).type === "checkbox" ? field(form, name).checked : field(form, name).value]));
}

function fill(form, saved) {
  for (const name of KEPT) {
    if (field(form, name).type === "checkbox") field(form, name).checked = saved[name];
    else field(form, name).value = saved[name];
  }
}

/** Whether there was something to restore: not over an answer of the server, and not what the server has by now. */
function restore(form, place) {
  const kept = JSON.parse(localStorage.getItem(place) ?? "null");
  if (!kept || "answered" in form.dataset) return false;
  if (kept.version !== form.dataset.version || form.dataset.used.split(" ").includes(kept.id)) {
    localStorage.removeItem(place);
    return false;
  }
  if (form.elements.draft && kept.id) form.elements.draft.value = kept.id;
  if (JSON.stringify(kept.values) === JSON.stringify(values(form))) return false;
  fill(form, kept.values);
  return true;
}
