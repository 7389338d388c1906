// Search and filters answer while one types; the address says what is shown, so that it can be kept and sent.

import { parse, morph } from "./parts.js";

const PAUSE = 250;

export function filters(root) {
  for (const form of root.querySelectorAll("[data-filter]")) {
    let waiting, latest = 0;
    const apply = async () => {
      const address = new URL(form.action);
      address.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
      const mine = ++latest;
      const inDialog = form.closest("dialog");
      const answer = await fetch(address, { headers: inDialog ? { "X-Part": "1" } : {} }).catch(() => undefined);
      if (!answer?.ok || mine !== latest) return;
      const fresh = parse(await answer.text()).getElementById(form.dataset.filter);
      morph(document.getElementById(form.dataset.filter), fresh);
      if (!inDialog) history.replaceState(null, "", address);
    };
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(apply, PAUSE);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      apply();
    });
  }
}
