// A button that copies what stands in a field. Over plain HTTP there is no clipboard but the old command.

export function copying() {
  addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copy);
    field.select();
    const done = await (navigator.clipboard?.writeText(field.value).then(() => true, () => false) ?? false);
    if (!done && !document.execCommand("copy")) return;
    document.getElementById("copied").textContent = button.dataset.done;
  });
}
