// Files in the form: chosen or dropped, sent one by one with their progress, moved, renamed and taken away.
// Of a broadcast that is there they are sent at once; of a new one as soon as it has been created.

import { load, parse, region } from "./parts.js";

const FAULTS = "file-faults";

export function files(section) {
  if (!section) return;
  const form = section.closest("form");
  const input = section.querySelector("[type=file]");
  const arriving = section.querySelector(".arriving");
  const attached = section.querySelector("#attached");
  const waiting = new Map();
  let doing = Promise.resolve();
  const queue = (step) => (doing = doing.then(step, step)); // each sees the version that the one before it made

  input.multiple = true;
  input.removeAttribute("name"); // the form itself never carries it
  const count = () => attached.querySelectorAll("li").length + arriving.querySelectorAll("li:not(.bad)").length;
  const settle = () => {
    arriving.hidden = !arriving.children.length;
    form.elements.text.required = !count();
  };
  const changed = (text, version) => {
    const fresh = attached.cloneNode(false);
    fresh.append(...parse(text).body.childNodes);
    attached.replaceChildren(...fresh.childNodes);
    form.elements.version.value = version;
    form.dataset.version = version;
    settle();
    region(document.getElementById("preview"), load("/broadcasts/preview", form));
  };

  const line = (name) => {
    const item = document.createElement("li");
    const words = document.createElement("span");
    words.className = "file";
    words.append(Object.assign(document.createElement("b"), { textContent: name }), document.createElement("small"));
    const away = Object.assign(document.createElement("button"), { type: "button", className: "ghost square", textContent: "×" });
    away.setAttribute("aria-label", `${section.dataset.away}: ${name}`);
    away.addEventListener("click", () => {
      waiting.delete(item);
      item.remove();
      settle();
    });
    item.append(words, away);
    arriving.append(item);
    return item;
  };
  const fail = (item, why) => {
    item.className = "bad";
    item.querySelector("progress")?.remove();
    item.querySelector("small").textContent = why;
    settle();
  };
  const fault = (file) => {
    if (!file.size) return section.dataset.empty;
    if (file.size > +section.dataset.limit) return section.dataset.tooLarge;
    return count() > +section.dataset.most ? section.dataset.tooMany : "";
  };
  const send = async (item, file, place) => {
    const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
    bar.setAttribute("aria-label", file.name);
    item.querySelector(".file").append(bar);
    const answer = await post(place, form, file, (part) => (bar.value = part));
    if (!answer.ok) return fail(item, answer.text || section.dataset.broken), false;
    item.remove();
    if (form.elements.version) changed(answer.text, answer.version);
    return true;
  };
  const take = (list) => {
    for (const file of list) {
      const item = line(file.name);
      const why = fault(file);
      if (why) fail(item, why);
      else if (section.dataset.at) queue(() => send(item, file, section.dataset.at));
      else waiting.set(item, file);
    }
    settle();
  };

  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  dropping(section, take);
  sorting(attached, (ids) => queue(() => change(`${section.dataset.at}/order`, ids.map((id) => ["order", id]))));
  form.addEventListener("submit", async (event) => {
    const address = event.submitter?.getAttribute("formaction");
    if (address?.includes("/attachments/")) {
      event.preventDefault();
      const { value } = event.submitter;
      await queue(() => change(address, [["id", value]]));
      (attached.querySelector(`[value="${value}"][formaction="${address}"]:enabled`) ?? input).focus();
    } else if (waiting.size && !event.submitter?.name) {
      event.preventDefault();
      await create();
    }
  });
  async function change(address, fields) {
    const body = new URLSearchParams([...new FormData(form)].filter(([name]) => name === "csrf" || name === "version" || name.startsWith("name-")));
    for (const [name, value] of fields) body.append(name, value);
    const answer = await fetch(address, { method: "POST", body, headers: { "X-Part": "1" } });
    const text = await answer.text();
    if (answer.ok) changed(text, answer.headers.get("X-Version"));
    else fail(line(""), text);
  }
  async function create() {
    const buttons = form.querySelectorAll(".actions button");
    buttons.forEach((button) => (button.disabled = true));
    const body = new URLSearchParams([...new FormData(form), ["files_follow", "1"]]);
    const answer = await fetch("/broadcasts/new", { method: "POST", body, headers: { "X-Part": "1" } });
    const text = await answer.text();
    if (answer.status !== 201) {
      buttons.forEach((button) => (button.disabled = false));
      const alert = parse(text).querySelector(".alert");
      document.querySelector("main .alert")?.remove();
      form.before(alert);
      return alert.focus();
    }
    const faults = [];
    for (const [item, file] of waiting) {
      if (!(await send(item, file, `/broadcasts/${text}/attachments`))) faults.push([file.name, item.querySelector("small").textContent]);
    }
    sessionStorage.setItem(FAULTS, JSON.stringify(faults));
    location.assign(`/broadcasts/${text}${faults.length ? "/edit" : ""}`);
  }

  for (const [name, why] of JSON.parse(sessionStorage.getItem(FAULTS) ?? "[]")) fail(line(name), why);
  sessionStorage.removeItem(FAULTS);
  settle();
}

/** XMLHttpRequest, because fetch does not tell how much has been sent. */
function post(place, form, file, progress) {
  return new Promise((resolve) => {
    const body = new FormData();
    body.append("csrf", form.elements.csrf.value);
    if (form.elements.version) body.append("version", form.elements.version.value);
    body.append("file", file);
    const request = new XMLHttpRequest();
    request.open("POST", place);
    request.setRequestHeader("X-Part", "1");
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(loaded / total));
    request.addEventListener("loadend", () =>
      resolve({ ok: request.status === 200, text: request.responseText, version: request.getResponseHeader("X-Version") }));
    request.send(body);
  });
}

function dropping(section, take) {
  const over = (event) => event.dataTransfer?.types.includes("Files");
  for (const name of ["dragenter", "dragover"]) {
    section.addEventListener(name, (event) => {
      if (!over(event)) return;
      event.preventDefault();
      section.classList.add("over");
    });
  }
  section.addEventListener("dragleave", (event) => {
    if (!section.contains(event.relatedTarget)) section.classList.remove("over");
  });
  section.addEventListener("drop", (event) => {
    if (!over(event)) return;
    event.preventDefault();
    section.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}

/** Drag within the list; the buttons do the same for a keyboard. */
function sorting(list, done) {
  let moved = null;
  list.addEventListener("pointerover", ({ target }) => target.closest("li")?.setAttribute("draggable", "true"));
  list.addEventListener("dragstart", (event) => {
    moved = event.target.closest("li");
    event.dataTransfer.effectAllowed = "move";
  });
  list.addEventListener("dragover", (event) => {
    const under = event.target.closest("li");
    if (!moved || !under) return;
    event.preventDefault();
    const { top, height } = under.getBoundingClientRect();
    if (under !== moved) under[event.clientY > top + height / 2 ? "after" : "before"](moved);
  });
  list.addEventListener("dragend", () => {
    if (moved) done([...list.querySelectorAll("li")].map((item) => item.dataset.id));
    moved = null;
  });
}
