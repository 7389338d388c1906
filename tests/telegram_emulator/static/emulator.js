// Refreshes the parts of the page that changed, and presses the buttons of the control API.

const PARTS = ["totals", "chats", "top", "messages"];
const DELETED_SHOWN = "show-deleted";

async function refresh() {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of PARTS) {
    const old = document.getElementById(id);
    const now = fresh.getElementById(id);
    if (!old || !now || old.innerHTML === now.innerHTML) continue;
    const atEnd = old.scrollHeight - old.scrollTop - old.clientHeight < 60;
    const at = old.scrollTop;
    old.replaceChildren(...now.childNodes);
    old.scrollTop = id === "messages" && atEnd ? old.scrollHeight : at;
  }
}

async function post(path, body = {}) {
  await fetch(path, { method: "POST", body: JSON.stringify(body) });
  await refresh();
}

document.addEventListener("click", (event) => {
  const { advance, chat, action, bot } = event.target.dataset ?? {};
  if (advance) post("/_control/clock", { advance_seconds: Number(advance) });
  if (action) post(`/_control/people/${chat}/${action}?bot=${bot}`);
});

const toggle = document.getElementById(DELETED_SHOWN);
if (toggle) {
  const show = () => document.body.classList.toggle(DELETED_SHOWN, toggle.checked);
  toggle.checked = localStorage.getItem(DELETED_SHOWN) !== "no";
  toggle.addEventListener("change", () => {
    localStorage.setItem(DELETED_SHOWN, toggle.checked ? "yes" : "no");
    show();
  });
  show();
}

let typing;
document.querySelector("input[type=search]").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    const address = new URL(location.href);
    address.searchParams.set("q", event.target.value);
    history.replaceState(null, "", address);
    refresh();
  }, 150);
});

addEventListener("load", () => {
  const messages = document.getElementById("messages");
  if (messages) messages.scrollTop = messages.scrollHeight;
});
setInterval(() => document.hidden || refresh(), 1000);
