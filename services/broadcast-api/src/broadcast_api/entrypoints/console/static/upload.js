// A file on its way shows how far it is. Only XMLHttpRequest tells that; without scripts the browser's own sign has to do.

import { morph, parse } from "./parts.js";

export function upload(form) {
  if (!form) return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const bar = form.querySelector("progress");
    const request = new XMLHttpRequest();
    form.querySelector("[data-sending]").hidden = false;
    request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => {
      if (lengthComputable) Object.assign(bar, { max: total, value: loaded });
    });
    request.addEventListener("load", () => {
      if (request.status < 400) return location.assign(request.responseURL);
      const answer = parse(request.responseText).querySelector("main");
      if (answer) morph(document.querySelector("main"), answer);
      document.querySelector(".alert")?.focus();
      again();
    });
    request.addEventListener("error", () => {
      form.querySelector("[data-lost]").hidden = false;
      again();
    });
    const again = () => {
      for (const part of document.querySelectorAll("[data-sending]")) part.hidden = true;
      for (const button of document.querySelectorAll("[data-upload] button")) button.disabled = false;
    };
    request.open("POST", form.action);
    request.send(new FormData(form));
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
}
