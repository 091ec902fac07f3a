// One walk through everything that is rendered: the composed tree (open shadow roots, slots) and frames of the same
// origin. Each element becomes a record; each text node becomes a run of the record that holds it.

const NEVER = new Set(
  "script style template noscript head link meta title base param source track datalist option optgroup".split(" "),
);
const LEAVES = new Set("input textarea select img video audio canvas iframe object embed svg math progress meter".split(" "));
const records = [];
const runs = [];
const totals = { visited: 0, hidden: 0, fields: 0, images: 0, heads: 0, quotes: 0, prices: 0, questions: 0, cards: 0 };
const flow = { gap: "" };
let scroller = null;

const intersect = (box, clip) => {
  if (!clip) return box;
  const x = Math.max(box.x, clip.x);
  const y = Math.max(box.y, clip.y);
  const width = Math.min(box.x + box.width, clip.x + clip.width) - x;
  const height = Math.min(box.y + box.height, clip.y + clip.height) - y;
  return { x, y, width: Math.max(0, width), height: Math.max(0, height) };
};

const onPage = (box) =>
  box.width >= 2 && box.height >= 2 && box.x + box.width > 0 && box.y + box.height > 0 && box.x < view.layout;

function boxOf(rect, frame) {
  return { x: rect.left + frame.x, y: rect.top + frame.y, width: rect.width, height: rect.height };
}

function clipsFor(record, style, up) {
  // An absolute box escapes the overflow of ancestors that are not positioned; a fixed box escapes all.
  const inherited = { static: up.kidClip, relative: up.kidClip, sticky: up.kidClip, absolute: up.layerClip, fixed: null };
  const clip = inherited[record.position] ?? null;
  const positioned = record.position !== "static" || style.transform !== "none";
  let own = clip;
  const cuts = style.overflowX !== "visible" || style.overflowY !== "visible";
  if (cuts && record.element !== page.body && record.element !== page.root && record !== scroller) {
    own = intersect(record.box, clip);
  }
  return { clip, kidClip: own, layerClip: positioned ? own : up.layerClip };
}

function isScroller(record, style) {
  if (scroller || !/auto|scroll/u.test(style.overflowY) || scrollHeightOf(page.root) > view.height * 1.1) return false;
  const { width, height } = record.box;
  if (record.element === page.body || record.element === page.root) return false;
  const tall = scrollHeightOf(record.element) > clientHeightOf(record.element) * 1.3;
  return tall && width >= view.width * 0.6 && height >= view.height * 0.6;
}

function cutAway(record, style) {
  if (record.position !== "absolute" && record.position !== "fixed") return false;
  return /^rect\((?:0|1)(?:px)?,? (?:0|1)(?:px)?,? (?:0|1)(?:px)?,? (?:0|1)(?:px)?\)$/u.test(style.clip)
    || /^inset\((?:50|100)%\)$/u.test(style.clipPath);
}

function open(element, up, frame) {
  const style = getComputedStyle(element);
  const display = style.display;
  if (display === "none") return null;
  const tag = tagOf(element);
  const position = style.position;
  const contents = display === "contents";
  const record = {
    element, up, tag, style, display, position, frame,
    index: records.length,
    last: records.length,
    box: contents ? up.box : boxOf(rectOf(element), frame),
    opacity: up.opacity * Number(style.opacity),
    floats: position === "absolute" || position === "fixed",
    fixed: up.fixed,
    sticky: up.sticky,
    link: up.link,
    control: up.control,
    label: tag === "label" ? element : up.label,
    mute: up.mute || readAttribute(element, "aria-hidden") === "true",
    contents,
    firstRun: runs.length,
    lastRun: runs.length,
    kids: 0,
    before: null,
    facts: null,
  };
  if (position === "fixed") record.fixed ??= record;
  if (position === "sticky") record.sticky ??= record;
  record.block = !contents && !display.startsWith("inline");
  if (isScroller(record, style)) scroller = record;
  Object.assign(record, clipsFor(record, style, up));
  record.shown = style.visibility === "visible" && record.opacity >= 0.1 && !up.buried && !cutAway(record, style);
  record.buried = up.buried || style.contentVisibility === "hidden" || cutAway(record, style);
  const seen = intersect(record.box, record.clip);
  record.visible = record.shown && !contents && onPage(seen);
  record.ground = contents ? up.ground : groundOf(element, style, record, up.ground);
  return record;
}

function hide(element) {
  const text = contentOf(element);
  totals.hidden += squeeze(text, 50000).length;
}

function addText(node, record) {
  const raw = dataOf(node).slice(0, 100000);
  const text = raw.replace(/\s+/gu, " ").trim();
  if (!text) {
    if (raw && !flow.gap) flow.gap = " ";
    return;
  }
  if (runs.length >= LIMITS.runs) {
    notes.add("text");
    return;
  }
  const gap = flow.gap || (/^\s/u.test(raw) ? " " : "");
  flow.gap = /\s$/u.test(raw) ? " " : "";
  const run = { node, record, text, gap, box: record.box, alt: false, seen: false, muted: record.mute || record.style.visibility !== "visible" };
  measure(run);
  runs.push(run);
  if (run.seen) {
    countSigns(text, record);
    return;
  }
  totals.hidden += text.length;
  flow.gap = gap === "\n" ? gap : " ";
}

const ruler = new Range();

function measure(run) {
  const { record } = run;
  if (!record.shown) return;
  const small = parseFloat(record.style.fontSize) < 1;
  if (runs.length < LIMITS.measured && documentOf(run.node) === document) {
    ruler.selectNodeContents(run.node);
    run.box = boxOf(ruler.getBoundingClientRect(), record.frame);
  }
  run.seen = !small && onPage(intersect(run.box, record.kidClip));
}

function addAlt(record) {
  const alt = record.tag === "svg" ? svgTitle(record.element) : attr(record.element, "alt", 400);
  const name = attr(record.element, "aria-label", 400) || alt;
  if (name) runs.push({ node: null, record, text: name, gap: " ", box: record.box, alt: true, seen: false, muted: record.mute });
}

function svgTitle(element) {
  const title = one(element, "title");
  return title ? squeeze(contentOf(title), 200) : "";
}

function breakLine() {
  flow.gap = "\n";
}

function nodesOf(record) {
  const { element, tag } = record;
  if (LEAVES.has(tag)) return [];
  const shadow = shadowOf(element);
  if (!shadow && tag === "slot") {
    const assigned = assignedTo(element);
    if (assigned.length) return [...assigned];
  }
  const list = [];
  for (let node = firstOf(shadow ?? element); node; node = nextOf(node)) list.push(node);
  if (tag !== "details" || has(element, "open")) return list;
  const summary = list.find((node) => kindOf(node) === 1 && tagOf(node) === "summary");
  for (const node of list) if (node !== summary && kindOf(node) === 1) hide(node);
  return summary ? [summary] : [];
}

function frameOf(record) {
  // Another origin's document is null here.
  if (record.tag !== "iframe" || !record.visible) return null;
  const inner = frameDocumentOf(record.element);
  const body = inner && bodyOf(inner);
  if (!body) return null;
  const { element, box } = record;
  const borders = { x: parseFloat(record.style.borderLeftWidth) || 0, y: parseFloat(record.style.borderTopWidth) || 0 };
  const frame = { x: box.x + borders.x, y: box.y + borders.y, element, up: record.frame };
  return { body, frame };
}

function visit(node, up, frame, stack) {
  totals.visited += 1;
  const kind = kindOf(node);
  if (kind === 3) {
    addText(node, up);
    return;
  }
  if (kind !== 1) return;
  const tag = tagOf(node);
  if (NEVER.has(tag)) return;
  if (tag === "br") {
    breakLine();
    return;
  }
  const record = open(node, up, frame);
  if (!record) {
    hide(node);
    return;
  }
  records.push(record);
  up.kids += 1;
  if (record.block) breakLine();
  classify(record);
  if (tag === "img" || tag === "svg") addAlt(record);
  stack.push({ record, nodes: nodesOf(record), next: 0, frame });
  const inner = frameOf(record);
  if (inner) {
    record.kidClip = intersect(record.box, record.clip);
    stack.push({ record: null, nodes: [inner.body], next: 0, frame: inner.frame, up: record });
  }
}

function close(record) {
  record.last = records.length - 1;
  record.lastRun = runs.length;
  if (record.block) breakLine();
  finish(record);
}

function walk() {
  const frame = { x: page.left, y: page.top, element: null, up: null };
  const base = {
    index: -1, last: Infinity, up: null, box: { x: 0, y: 0, width: view.width, height: view.height }, opacity: 1, ground: PAGE_GROUND,
    kidClip: null, layerClip: null, fixed: null, sticky: null, link: null, control: null, label: null, mute: false, kids: 0, buried: false,
    frame, tag: "", position: "static", style: null,
  };
  const first = page.root ?? page.body;
  const stack = [{ record: null, nodes: first ? [first] : [], next: 0, frame, up: base }];
  while (stack.length) {
    const top = stack[stack.length - 1];
    if (top.next >= top.nodes.length || totals.visited >= LIMITS.visits) {
      stack.pop();
      if (top.record) close(top.record);
      continue;
    }
    visit(top.nodes[top.next], top.record ?? top.up, top.frame, stack);
    top.next += 1;
    if (totals.visited % 256 === 0 && late()) totals.visited = LIMITS.visits;
  }
  if (totals.visited >= LIMITS.visits) notes.add("nodes");
}
