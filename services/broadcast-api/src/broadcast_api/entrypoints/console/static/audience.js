// The audience form counts whom its rules reach while they change, and finds people by name.

import { load, region } from "./parts.js";
import { rules } from "./rules.js";

const PAUSE = 250;

export function audience(form) {
  if (!form) return;
  let counting, finding;
  const count = () => region(form.querySelector("#audience-reach"), load("/audiences/preview", form));
  const find = () => region(form.querySelector("#found"), load("/audiences/people", form));
  form.addEventListener("input", (event) => {
    if (event.target.name === "name" || event.target.name.endsWith(".more")) return;
    if (event.target.matches("[data-find]")) {
      clearTimeout(finding);
      finding = setTimeout(find, PAUSE);
    } else {
      clearTimeout(counting);
      counting = setTimeout(count, PAUSE);
    }
  });
  rules(form, count);
  form.querySelector("[data-find]").addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}
