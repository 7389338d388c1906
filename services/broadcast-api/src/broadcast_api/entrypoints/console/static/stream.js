// Server-Sent Events for the page that is open. Every connection begins with the present state, so that whatever was missed
// (a laptop that slept, a server that restarted) is made good by connecting again.

import { loadLater, parse, refresh } from "./parts.js";

const SILENCE = 10_000; // the server says something every 3 s
const CALM = 600; // changes that follow each other closely are one

let source, heard, refreshing;

export function stream() {
  open();
  setInterval(() => source && Date.now() - heard > SILENCE && open(), 2_000);
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pageshow", (event) => event.persisted && open());
  addEventListener("pagehide", close);
}

const holder = () => document.querySelector("[data-stream]");
const mark = () => document.querySelector("[data-refresh]")?.dataset.refresh;

function open() {
  close();
  if (document.hidden || !holder()) return;
  heard = Date.now();
  source = new EventSource(holder().dataset.stream);
  source.onerror = () => (document.getElementById("offline").hidden = false);
  source.addEventListener("beat", alive);
  source.addEventListener("stale", () => alive() && later());
  source.addEventListener("patch", ({ data }) => {
    alive();
    const before = mark();
    refresh(parse(data), ["stream"]);
    if (mark() !== before) later();
  });
}

function close() {
  source?.close();
  source = undefined;
}

function alive() {
  heard = Date.now();
  return (document.getElementById("offline").hidden = true);
}

/** Read the whole page again: the parts that do not come over the stream. */
function later() {
  clearTimeout(refreshing);
  refreshing = setTimeout(async () => {
    const answer = await fetch(location.href).catch(() => undefined);
    if (answer?.status === 404) return location.reload();
    if (!answer?.ok) return later();
    const watched = holder().dataset.stream;
    refresh(parse(await answer.text()), ["page"]);
    loadLater();
    if (holder()?.dataset.stream !== watched) open();
  }, CALM);
}
