// Markup around a selection, as HTML or MarkdownV2 spell it.

export const MARKS = {
  HTML: {
    b: ["<b>", "</b>"], i: ["<i>", "</i>"], u: ["<u>", "</u>"], s: ["<s>", "</s>"], code: ["<code>", "</code>"],
    spoiler: ["<tg-spoiler>", "</tg-spoiler>"], quote: ["<blockquote>", "</blockquote>"], link: ['<a href="https://">', "</a>"],
  },
  MarkdownV2: {
    b: ["*", "*"], i: ["_", "_"], u: ["__", "__"], s: ["~", "~"], code: ["`", "`"],
    spoiler: ["||", "||"], quote: [">", ""], link: ["[", "](https://)"],
  },
};

/** Put marks around the selection, or take them away again. False when the mode has none. */
export function format(area, mode, mark) {
  const marks = MARKS[mode]?.[mark];
  if (!marks) return false;
  const [before, after] = marks;
  const { selectionStart: start, selectionEnd: end, value } = area;
  const chosen = value.slice(start, end);
  area.focus();
  if (value.slice(start - before.length, start) === before && after && value.slice(end, end + after.length) === after) {
    area.setSelectionRange(start - before.length, end + after.length);
    replace(area, chosen);
    area.setSelectionRange(start - before.length, end - before.length);
    return true;
  }
  replace(area, before + chosen + after);
  const address = (before + chosen + after).indexOf("https://");
  if (mark === "link") area.setSelectionRange(start + address, start + address + "https://".length);
  else area.setSelectionRange(start + before.length, end + before.length);
  return true;
}

/** As if it were typed: Ctrl+Z takes it back. */
function replace(area, text) {
  if (!document.execCommand("insertText", false, text)) area.setRangeText(text);
}
