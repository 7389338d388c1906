// The server shows times in the zone that this cookie names. On the very first page it does not know yet.

export function localTimes(root) {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if (document.cookie.split("; ").includes(`zone=${timeZone}`)) return;
  document.cookie = `zone=${timeZone}; path=/; max-age=31536000; samesite=lax`;
  const year = new Date().getFullYear();
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const format = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false };
    if (at.getFullYear() !== year) format.year = "numeric";
    time.textContent = new Intl.DateTimeFormat(document.documentElement.lang === "en" ? "en-GB" : "ru", format).format(at);
  }
}
