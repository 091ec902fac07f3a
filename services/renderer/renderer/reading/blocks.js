// What the page is cut into sections by: wide boxes, what must not be cut through, and rows that repeat.

const PRICE = /(?:[$€£¥₹₽]|\b(?:USD|EUR|GBP|CHF|PLN)\b)\s?\d|\d[\d.,]*\s?(?:€|£|zł|kr\b|Kč|₽|USD\b|EUR\b|CHF\b)/u;
const COUNTED = ["fields", "images", "heads", "quotes", "prices", "questions"];
const blocks = [];

function countSigns(text, record) {
  if (text.length < 200 && PRICE.test(text)) totals.prices += 1;
  if (/^["“„«].{20,}/u.test(text)) totals.quotes += 1;
  if (text.length < 200 && /[?？؟]$/u.test(text) && !record.link) totals.questions += 1;
}

function noteBlock(record) {
  const { box } = record;
  if (record.frame.up !== null || record.fixed || !record.visible || blocks.length >= LIMITS.blocks) return;
  if (box.width < view.width * 0.6 || box.height < 40) return;
  if (record.floats && box.height < view.height * 1.5) return;
  if (!record.block && !/^(?:img|video|iframe|canvas)$/u.test(record.tag)) return;
  record.before = Object.fromEntries(COUNTED.map((name) => [name, totals[name]]));
  record.blockNumber = blocks.length;
  blocks.push(record);
}

function finish(record) {
  if (!record.before) return;
  record.counts = Object.fromEntries(COUNTED.map((name) => [name, totals[name] - record.before[name]]));
}

function blockAbove(record) {
  for (let at = record.up; at; at = at.up) if (at.blockNumber !== undefined) return at;
  return null;
}

function step(record) {
  const id = attr(record.element, "id", 60);
  return `${record.tag}${sane(id) ? `#${id}` : ""}${classesOf(record.element).slice(0, 1).map((name) => `.${name}`).join("")}`;
}

function headingIn(record) {
  let best = null;
  for (let i = record.index; i <= record.last; i += 1) {
    const level = records[i].visible && records[i].role === "heading" ? levelOf(records[i]) : 0;
    if (level && (!best || level < levelOf(best))) best = records[i];
    if (level === 1) break;
  }
  return best ? visibleText(best, 200) : "";
}

function ownHeads() {
  // A block owns the headings for which it is the nearest wide block.
  const owners = new Map();
  for (const record of records) {
    if (!record.visible || !/^h[12]$/u.test(record.tag)) continue;
    const owner = record.blockNumber !== undefined && blockAbove(record) ? blockAbove(record) : blockAbove(record);
    if (owner) owners.set(owner, (owners.get(owner) ?? 0) + 1);
  }
  return owners;
}

function blockRows() {
  const owners = ownHeads();
  return blocks.map((record) => ({
    parent: blockAbove(record)?.blockNumber ?? -1,
    tag: record.tag,
    role: record.role,
    words: words(record.element).slice(0, 160),
    step: step(record),
    box: Object.values(record.box),
    ground: hex(flatten(record.ground)) + (record.ground.photo ? "*" : ""),
    heading: headingIn(record),
    own_heads: owners.get(record) ?? 0,
    sticky: Boolean(record.sticky),
    characters: Math.min(1e6, characters(record)),
    ...record.counts,
  }));
}

function repeatRows() {
  const groups = new Map();
  for (const record of records) {
    const { up, box } = record;
    // Paragraphs repeat too, but each says something new.
    if (record.tag === "p" || record.last - record.index < 2) continue;
    if (!record.visible || record.fixed || !up || up.kids < 4 || box.width < 80 || box.height < 60 || record.frame.up !== null) continue;
    const key = `${up.index} ${record.tag} ${classesOf(record.element).join(".")}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(box);
  }
  const rows = [];
  for (const list of groups.values()) {
    if (list.length < 4) continue;
    const middle = [...list].sort((a, b) => a.height - b.height)[Math.floor(list.length / 2)];
    const alike = list.filter((box) => Math.abs(box.width - middle.width) < middle.width * 0.15 && Math.abs(box.height - middle.height) < middle.height * 0.5);
    if (alike.length >= 4) rows.push(alike.slice(0, 300).map((box) => Object.values(box)));
    if (rows.length >= 60) break;
  }
  return rows;
}

function solidRows() {
  const spans = [];
  const add = (box) => {
    if (box.height > 1 && box.height <= 1400) spans.push([box.y, box.y + box.height]);
  };
  for (const run of runs) if (run.seen && !run.record.fixed) add(run.box);
  for (const record of records) {
    if (!record.visible || record.fixed) continue;
    const { tag, box } = record;
    const picture = /^(?:img|video|iframe|canvas|svg)$/u.test(tag) || (record.lastRun === record.firstRun && backgroundPhoto(record));
    if (picture) {
      if (!isBackdrop(record)) add(box);
    } else if (/^(?:button|input|select|textarea)$/u.test(tag) || (record.kind === "control" && box.height <= 200)) add(box);
  }
  return merged(spans);
}

function isBackdrop(record) {
  const { box } = record;
  if (box.height < 300 || box.width < view.width * 0.5) return false;
  const inside = (other) => {
    const middle = other.y + other.height / 2;
    return middle > box.y && middle < box.y + box.height && other.x < box.x + box.width && other.x + other.width > box.x;
  };
  return runs.some((run) => run.seen && !run.record.fixed && inside(run.box));
}

function merged(spans) {
  const result = [];
  for (const [top, bottom] of spans.sort((a, b) => a[0] - b[0])) {
    const last_ = result[result.length - 1];
    if (last_ && top <= last_[1] + 0.5) last_[1] = Math.max(last_[1], bottom);
    else if (result.length < LIMITS.solids) result.push([top, bottom]);
  }
  return result.map(([top, bottom]) => [Math.round(top), Math.round(bottom)]);
}
