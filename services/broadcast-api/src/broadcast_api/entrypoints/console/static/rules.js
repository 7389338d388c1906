// The rules of an audience: the server makes the form anew after every button; here it is put in place without a new page.

import { load, parse } from "./parts.js";

export function rules(form, count) {
  const place = form.querySelector("#rule");
  const again = async (act) => {
    const { answer, text } = await load("/audiences/rule", form, act && ["act", act]).catch(() => ({ answer: { ok: false } }));
    if (!answer.ok) return;
    place.replaceChildren(...parse(text).body.childNodes);
    place.querySelector("[autofocus]")?.focus();
    count();
  };
  place.addEventListener("click", (event) => {
    const button = event.target.closest("[name=act]");
    if (!button) return;
    event.preventDefault();
    again(button.value);
  });
  place.addEventListener("change", (event) => {
    if (event.target.matches("[data-again]")) again(`look:${event.target.name.replace(/\.[a-z]+$/, "")}`);
  });
  place.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    if (event.target.name.endsWith(".more")) again(`more:${event.target.name.slice(0, -5)}`);
  });
}
