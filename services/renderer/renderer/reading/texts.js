// The visible text, and how readable it is.

const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Hangul}]/gu;
const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}'’-]*/gu;

function countWords(text) {
  const dense = text.match(CJK)?.length ?? 0;
  const rest = dense ? text.replace(CJK, " ") : text;
  return (rest.match(WORD)?.length ?? 0) + Math.ceil(dense / 2);
}

function shareAbove(run) {
  // Only runs that cross the fold need their lines.
  const { box } = run;
  if (box.x >= view.width || box.y >= view.height) return 0;
  if (box.y + box.height <= view.height || !run.node) return 1;
  ruler.selectNodeContents(run.node);
  const rects = [...ruler.getClientRects()].slice(0, 500);
  if (!rects.length) return 0;
  return rects.filter((rect) => rect.top + run.record.frame.y + rect.height / 2 < view.height).length / rects.length;
}

function failsContrast(record) {
  // WCAG 1.4.3 asks nothing of controls that are switched off.
  if (record.control && isDisabled(record.control)) return false;
  const { ratio } = colours(record);
  if (ratio === null) return false;
  const size = parseFloat(record.style.fontSize) || 0;
  const bold = Number.parseInt(record.style.fontWeight, 10) >= 700;
  return ratio < (size >= 24 || (bold && size >= 18.66) ? 3 : 4.5) - 0.005;
}

function median(sizes) {
  const list = [...sizes].sort((a, b) => a[0] - b[0]);
  const half = list.reduce((sum, [, count]) => sum + count, 0) / 2;
  let passed = 0;
  for (const [size, count] of list) {
    passed += count;
    if (passed >= half) return size;
  }
  return 0;
}

function isRunning(record, text) {
  // Running text: sentences, not headings, buttons or menus.
  return text.length >= 20 && !record.control && !insideHeading(record);
}

function insideHeading(record) {
  for (let at = record; at?.element; at = at.up) {
    if (at.role === "heading" || at.tag === "nav") return true;
    if (at.block && at.tag === "p") return false;
  }
  return false;
}

function textStats() {
  const stats = {
    characters: 0, characters_below_12px: 0, characters_failing_aa: 0, characters_on_image: 0,
    body_font_px_median: 0, words: 0, words_first_screen: 0, words_in_links: 0, hidden_characters: totals.hidden,
  };
  const running = new Map();
  const any = new Map();
  for (const run of runs) {
    if (!run.seen) continue;
    const { record, text } = run;
    const count = text.length;
    const counted = countWords(text);
    const size = parseFloat(record.style.fontSize) || 0;
    stats.characters += count;
    if (size < 11.995) stats.characters_below_12px += count;
    if (colours(record).photo) stats.characters_on_image += count;
    else if (failsContrast(record)) stats.characters_failing_aa += count;
    stats.words += counted;
    stats.words_first_screen += Math.round(counted * shareAbove(run));
    if (record.link) stats.words_in_links += counted;
    any.set(size, (any.get(size) ?? 0) + count);
    if (isRunning(record, text)) running.set(size, (running.get(size) ?? 0) + count);
  }
  stats.body_font_px_median = median(running.size ? running : any);
  return stats;
}

function starRows() {
  // Ratings are drawn as icons, without a word: only their names say that they are stars.
  const rows = new Map();
  for (const { up, tag, visible, element } of records) {
    if (!visible || !up || !/^(?:i|span|div|svg|img|li|label)$/u.test(tag)) continue;
    const name = `${words(element)} ${tag === "img" ? attr(element, "src", 300) : ""}`;
    if (/(?:^|[\s_/-])stars?(?:$|[\s_.-])/iu.test(name)) rows.set(up, (rows.get(up) ?? 0) + 1);
  }
  return [...rows.values()].filter((stars) => stars >= 3 && stars <= 10).length;
}

function pageText() {
  const pieces = [];
  let length = 0;
  for (const run of runs) {
    if (!run.seen) continue;
    const piece = (length ? run.gap : "") + run.text;
    if (length + piece.length > LIMITS.text) {
      notes.add("text");
      break;
    }
    pieces.push(piece);
    length += piece.length;
  }
  return pieces.join("");
}
