// Layers over the first screen that a visitor would wave away, found by what is hit on a grid of points.

const saved = (globalThis.croBanners ??= { layers: [], tried: [], guard: null });
const ACROSS = 24;
const DOWN = 16;
const rule = (name) => new RegExp(LEXICON[name].join("|"), "iu");
const NAMES = rule("names");
const TOPICS = rule("topics");
const CHAT = rule("chat");
const NEWS = rule("newsletter");
const DECLINE = rule("decline");
const PAID = rule("paid");
const CLOSE = rule("close");
const CLOSING = rule("closing");
const ROOTS = LEXICON.platforms.map((platform) => platform.root).join(",");
const PAGE_PARTS = "main,h1,[role=main],article,footer,nav,[role=navigation]";
const CLICKABLE = "button,a,[role=button],input[type=button],input[type=submit],[onclick],[tabindex]";

const matches = method(Element.prototype, "matches");
const visibleNow = method(Element.prototype, "checkVisibility");
const isShown = (element) => visibleNow(element, { opacityProperty: true, visibilityProperty: true });
const above = (node) => {
  const parent = parentOf(node);
  if (!parent) return null;
  if (kindOf(parent) === 11) return parent instanceof ShadowRoot ? hostOf(parent) : null;
  return kindOf(parent) === 1 ? parent : null;
};
const lengthOf = (element) => contentOf(element).length;

function textOf(element) {
  // What is written in it and shown, across open shadow roots, without its scripts.
  let text = "";
  const stack = [element];
  for (let count = 0; stack.length && count < 1500 && text.length < 3000; count += 1) {
    const node = stack.pop();
    if (kindOf(node) === 3) text += ` ${dataOf(node).slice(0, 500)}`;
    if (kindOf(node) !== 1 && kindOf(node) !== 11) continue;
    if (kindOf(node) === 1) {
      if (/^(?:script|style|template|noscript)$/u.test(tagOf(node)) || !isShown(node) && node !== element) continue;
      if (shadowOf(node)) stack.push(shadowOf(node));
    }
    const kids = [];
    for (let kid = firstOf(node); kid; kid = nextOf(kid)) kids.push(kid);
    stack.push(...kids.reverse());
  }
  return text.replace(/\s+/gu, " ").trim();
}

function scopesOf(element) {
  // The element and every tree inside it that can be searched: open shadow roots, frames of the same origin.
  const scopes = [element];
  for (let at = 0; at < scopes.length && at < 60; at += 1) {
    const scope = scopes[at];
    const own = kindOf(scope) === 1 && shadowOf(scope);
    if (own) scopes.push(own);
    for (const inner of [...all(scope, "*")].slice(0, 4000)) {
      if (shadowOf(inner)) scopes.push(shadowOf(inner));
      else if (tagOf(inner) === "iframe") {
        const body = frameDocumentOf(inner) && bodyOf(frameDocumentOf(inner));
        if (body) scopes.push(body);
      }
    }
  }
  return scopes;
}

const isModal = (element) =>
  tagOf(element) === "dialog" || /^(?:dialog|alertdialog)$/u.test(attr(element, "role")) || attr(element, "aria-modal") === "true";

function hintsOf(element) {
  const parts = [words(element), attr(element, "aria-label"), attr(element, "title")];
  for (const inner of [...all(element, "*")].slice(0, 40)) {
    parts.push(words(inner));
    if (tagOf(inner) === "iframe") parts.push(attr(inner, "src", 300), attr(inner, "title", 200));
  }
  return parts.join(" ");
}

function speaksOfConsent(element) {
  if (!NAMES.test(words(element) + attr(element, "aria-label")) || all(element, PAGE_PARTS).length) return false;
  const text = textOf(element);
  return text.length > 30 && text.length < 3000 && TOPICS.test(text) && buttonsOf(element).length > 0;
}

function layerAt(element, known) {
  // The outermost ancestor that floats over the page, is a dialog, or is a consent notice in the flow.
  const path = [];
  let found = null;
  let notice = null;
  for (let at = element; at && at !== page.body && at !== page.root; at = above(at)) {
    if (known.has(at)) {
      found = known.get(at) ?? found;
      break;
    }
    path.push(at);
    const { position } = getComputedStyle(at);
    if (matches(at, ROOTS)) found = at;
    else if ((position === "fixed" || position === "sticky" || isModal(at)) && !(found && matches(found, ROOTS))) found = at;
    if (!found && speaksOfConsent(at)) notice = at;
  }
  const layer = found ?? notice;
  for (const each of path) known.set(each, layer);
  return layer;
}

function surveyed() {
  const known = new Map();
  const tallies = new Map();
  const misses = [];
  for (let row = 0; row < DOWN; row += 1) {
    for (let column = 0; column < ACROSS; column += 1) {
      const [x, y] = [((column + 0.5) * view.width) / ACROSS, ((row + 0.5) * view.height) / DOWN];
      const hit = hitAt(x, y);
      const layer = hit && (known.has(hit) ? known.get(hit) : layerAt(hit, known));
      if (layer) tallies.set(layer, [...(tallies.get(layer) ?? []), [x, y]]);
      else misses.push([x, y]);
    }
  }
  return { tallies, misses };
}

function boundsOf(points) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const box = { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
  return { ...box, wide: (box.right - box.left) / view.width, high: (box.bottom - box.top) / view.height };
}

function isBehind(points, misses) {
  // A photograph or a canvas that stands still behind the page is hit between the page's own words.
  const box = boundsOf(points);
  const through = misses.filter(([x, y]) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom);
  return through.length > points.length * 0.1;
}

function isSheet(element, share) {
  const style = getComputedStyle(element);
  const alpha = colour(style.backgroundColor)[3] * Number(style.opacity);
  const dims = (alpha > 0.05 && alpha < 0.98) || style.backdropFilter !== "none";
  return share > 0.4 && dims && textOf(element).length < 3 && !all(element, "input,video,canvas,iframe,img,svg").length;
}

function isLocked() {
  const locks = (element) => element && (/hidden|clip/u.test(getComputedStyle(element).overflowY) || getComputedStyle(element).position === "fixed");
  return locks(page.body) || locks(page.root);
}

function kindOfLayer(layer) {
  const { element, share, box, platform } = layer;
  const text = textOf(element);
  const hints = hintsOf(element);
  const navigates = all(element, "nav,[role=navigation],[role=menubar]").length > 0 || /^(?:header|nav)$/u.test(tagOf(element));
  const buttons = buttonsOf(element).length > 0;
  const framed = all(element, "iframe").length > 0;
  if (platform || (NAMES.test(hints) && (TOPICS.test(text) || framed) && !navigates)) return "consent";
  if (TOPICS.test(text) && text.length > 30 && buttons && !navigates && text.length < 3000) return "consent";
  if (CHAT.test(hints)) return share > 0.05 ? "chat" : "";
  if (isSheet(element, share)) return "sheet";
  const docked = box.wide > 0.6 && box.high < 0.12 && box.top < view.height * 0.15;
  if (navigates || docked || getComputedStyle(element).position === "sticky") return "";
  if (all(element, "input[type=email],input[name*=email i]").length && (NEWS.test(text) || share > 0.03)) return "newsletter";
  if (isModal(element) || all(element, "[role=dialog],[role=alertdialog],[aria-modal=true],dialog[open]").length) return "dialog";
  if (NEWS.test(text) && closerOf(element)) return "newsletter";
  if (share >= 0.15 && text && (isLocked() || saved.sheets.length)) return "dialog";
  return share >= 0.03 && text && closerOf(element) ? "other" : "";
}

function isShell(element) {
  // Some applications put the whole page into a fixed box.
  return all(element, PAGE_PARTS).length > 0 && lengthOf(element) > lengthOf(page.body) * 0.5 && !isModal(element);
}

function find() {
  const { tallies, misses } = surveyed();
  const total = ACROSS * DOWN;
  const found = [];
  saved.sheets = [];
  for (const [element, points] of tallies) {
    const platform = LEXICON.platforms.find((each) => matches(element, each.root)) ?? null;
    if (!platform && (isShell(element) || isBehind(points, misses))) continue;
    const layer = { element, points, platform, share: points.length / total, box: boundsOf(points) };
    if (!platform && isSheet(element, layer.share)) saved.sheets.push(layer);
    else found.push(layer);
  }
  for (const layer of found) layer.kind = kindOfLayer(layer);
  saved.layers = found.filter((layer) => layer.kind).slice(0, 8);
  const dim = saved.sheets[0];
  if (!saved.layers.length && dim) saved.layers = [{ ...dim, kind: "other" }];
  else if (dim) for (const layer of saved.layers.slice(0, 1)) layer.share += dim.share;
  const rows = saved.layers.map(({ element, kind, share }) => ({ kind, selector: shortSelector(element), coverage: share }));
  return { version: 1, layers: rows };
}

function shortSelector(element) {
  const id = attr(element, "id", 80);
  if (id) return `#${CSS.escape(id)}`;
  const classes = attr(element, "class", 200).split(/\s+/u).filter(Boolean).slice(0, 2);
  return tagOf(element) + classes.map((name) => `.${CSS.escape(name)}`).join("");
}
