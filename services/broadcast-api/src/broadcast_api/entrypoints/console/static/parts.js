// Parts of pages from the server, put in place with as little change as possible: focus, selection and motion survive.

export async function load(address, form, also) {
  const body = form && new URLSearchParams([...new FormData(form), ...(also ? [also] : [])]);
  const answer = await fetch(address, { method: form ? "POST" : "GET", body, headers: { "X-Part": "1" } });
  return { answer, text: await answer.text() };
}

export const parse = (html) => new DOMParser().parseFromString(html, "text/html");

/** Show what was loaded inside an element; nothing changes when it could not be loaded. */
export async function region(element, loading) {
  const { answer, text } = await loading.catch(() => ({ answer: { ok: false } }));
  if (!answer.ok) return false;
  const fresh = element.cloneNode(false);
  fresh.append(...parse(text).body.childNodes);
  morph(element, fresh);
  return true;
}

/** Long counts come after the page, one at a time. */
export async function loadLater() {
  for (const cell of document.querySelectorAll("[data-load]")) await region(cell, load(cell.dataset.load));
}

/** Make every part of this page that is marked as live what it is in another rendering of it. */
export function refresh(fresh, kinds) {
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const old = part.id && document.getElementById(part.id);
    if (old && kinds.includes(part.dataset.live)) morph(old, part);
  }
}

const KEPT = new Set(["open"]); // what the reader did, not what the server said

export function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return void old.replaceWith(document.importNode(fresh, true));
  if (old.nodeType !== Node.ELEMENT_NODE) return void (old.data = fresh.data);
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const wanted = [...fresh.childNodes];
  [...old.childNodes].forEach((child, i) => (i < wanted.length ? morph(child, wanted[i]) : child.remove()));
  wanted.slice(old.childNodes.length).forEach((child) => old.append(document.importNode(child, true)));
}
