// What a picture of the page would lack: pictures, letters, and content that is laid out but was never shown.

const SPARE = 0.1; // opacity below which nobody reads
const deadline = performance.now() + 600;
const found = { pending: [], broken: [], unrevealed: [], content: [] };
const families = new Set();
const rows = []; // boxes of what is shown
const limit = () => (WHOLE ? HEIGHT : view.height);
const boxAt = (element) => {
  const rect = rectOf(element);
  return { x: rect.left + page.left, y: rect.top + page.top, width: rect.width, height: rect.height };
};
const isIn = (box) =>
  box.width > 1 && box.height > 1 && box.y < limit() && box.y + box.height > 0 && box.x + box.width > 1 && box.x < view.layout;
const firstFamily = (style) => style.fontFamily.split(",")[0].trim().replace(/^["']|["']$/gu, "").toLowerCase();
const ruler = new Range();
const ownLetters = (element) => {
  for (let node = firstOf(element); node; node = nextOf(node)) if (kindOf(node) === 3 && dataOf(node).trim()) return node;
  return null;
};

function lettersBox(node) {
  // A box may be tall around one line.
  ruler.selectNodeContents(node);
  const rect = ruler.getBoundingClientRect();
  return { x: rect.left + page.left, y: rect.top + page.top, width: rect.width, height: rect.height };
}

function isCut(style) {
  const inset = /^inset\(([^()]+)\)$/u.exec(style.clipPath);
  if (inset) {
    const shares = inset[1].split("round")[0].trim().split(/\s+/u).map((side) => (side.endsWith("%") ? parseFloat(side) : 0));
    const [top, right = top, bottom = top, left = right] = shares;
    return top + bottom >= 99 || left + right >= 99;
  }
  return /^circle\(0(?:px|%)?\b/u.test(style.clipPath);
}

function holdsContent(element) {
  const picture = one(element, "img,video,canvas,picture,iframe");
  return contentOf(element).replace(/\s+/gu, " ").trim().length >= 20 || (picture !== null && rectOf(picture).width >= 100) || /^(?:img|video|canvas)$/u.test(tagOf(element));
}

function isUnrevealed(element, style, opacity, floats) {
  // Menus, tips and slides float or say that they are hidden; what waits to be scrolled to has its place in the page.
  if (opacity >= SPARE && style.visibility === "visible" && !isCut(style)) return false;
  const box = boxAt(element);
  if (floats || !isIn(box) || box.width < 100 || box.height < 24 || box.width * box.height < 6000) return true;
  const reach = Math.min(box.x + box.width, view.layout) - Math.max(box.x, 0);
  if (reach >= box.width * 0.5 && holdsContent(element)) found.unrevealed.push(box);
  return true;
}

function noteImage(element, box) {
  const url = currentSrcOf(element) || attr(element, "src", 2000);
  if (!url || box.width < 8 || box.height < 8) return;
  if (!completeOf(element)) found.pending.push(url);
  else if (!naturalWidthOf(element)) found.broken.push(url);
}

function noteShown(element, style, tag) {
  const box = boxAt(element);
  if (!isIn(box)) return;
  const letters = ownLetters(element);
  if (letters) families.add(firstFamily(style));
  if (tag === "img") noteImage(element, box);
  const picture = /^(?:img|video|canvas|iframe|svg|object|embed)$/u.test(tag) ? box.width >= 40 && box.height >= 40 : /url\(/u.test(style.backgroundImage) && box.width >= 200 && box.height >= 100;
  if (letters || picture) rows.push({ ...(picture ? box : lettersBox(letters)), around: box });
}

const NEVER_SHOWN = /^(?:script|style|template|noscript|dialog|head|option|optgroup|datalist|title|meta|link)$/u;

function walkFrom(top) {
  const stack = [{ node: top, opacity: 1, floats: false }];
  for (let count = 0; stack.length && count < 40000 && performance.now() < deadline; count += 1) {
    const { node, opacity, floats } = stack.pop();
    const tag = tagOf(node);
    if (NEVER_SHOWN.test(tag) || attr(node, "aria-hidden") === "true") continue;
    const style = getComputedStyle(node);
    if (style.display === "none" || style.contentVisibility === "hidden") continue;
    const here = opacity * Number(style.opacity);
    const lifted = floats || style.position === "absolute" || style.position === "fixed";
    if (style.display !== "contents") {
      if (isUnrevealed(node, style, here, lifted || tag === "nav")) continue;
      noteShown(node, style, tag);
    }
    if (tag === "details" && !has(node, "open")) continue;
    for (let kid = firstOf(shadowOf(node) ?? node); kid; kid = nextOf(kid)) {
      if (kindOf(kid) === 1) stack.push({ node: kid, opacity: here, floats: lifted });
    }
  }
}

function isStacked(box) {
  // Slides and tabs lie upon each other, and one of them is shown.
  let over = 0;
  for (const row of rows) {
    const { around } = row;
    const other = around.width * around.height > box.width * box.height * 4 ? row : around;
    const width = Math.min(box.x + box.width, other.x + other.width) - Math.max(box.x, other.x);
    const height = Math.min(box.y + box.height, other.y + other.height) - Math.max(box.y, other.y);
    const behind = other.width * other.height > box.width * box.height * 4;
    if (width > 0 && height > 0 && !behind) over += width * height;
  }
  return over > box.width * box.height * 0.3;
}

function fontsMissing() {
  const faces = new Map();
  for (const face of document.fonts) {
    const family = face.family.replace(/^["']|["']$/gu, "").toLowerCase();
    const seen = faces.get(family) ?? { name: face.family.replace(/^["']|["']$/gu, ""), loaded: 0, failed: 0 };
    if (face.status === "loaded") seen.loaded += 1;
    if (face.status === "error") seen.failed += 1;
    faces.set(family, seen);
  }
  const lost = { failed: [], waiting: [] };
  for (const [family, { name, loaded, failed }] of faces) {
    // A family comes in many files, of which a page needs few: only one of which nothing came is missed.
    if (!families.has(family) || (loaded && !failed)) continue;
    (failed ? lost.failed : lost.waiting).push(name.slice(0, 100));
  }
  return lost;
}

function spansOf() {
  const spans = rows.concat(found.unrevealed).map((box) => [Math.max(0, box.y), Math.min(limit(), box.y + box.height)]);
  const joined = [];
  for (const [top, bottom] of spans.sort((a, b) => a[0] - b[0])) {
    const last = joined[joined.length - 1];
    if (last && top <= last[1]) last[1] = Math.max(last[1], bottom);
    else joined.push([top, bottom]);
  }
  return joined.slice(0, 1000).map(([top, bottom]) => [Math.round(top), Math.round(bottom)]);
}

function lacks() {
  if (page.body) walkFrom(page.body);
  const fonts = fontsMissing();
  found.unrevealed = found.unrevealed.filter((box) => !isStacked(box)).slice(0, 20);
  const urls = (list) => [...new Set(list)].slice(0, 20).map((url) => url.slice(0, 500));
  return {
    version: 1,
    pending: urls(found.pending),
    broken: urls(found.broken),
    fonts_failed: fonts.failed,
    fonts_waiting: fonts.waiting,
    unrevealed: found.unrevealed.map((box) => [box.x, box.y, box.width, box.height]),
    content: spansOf(),
  };
}
