// The page's scroller is its window, or the one box in it that scrolls where the window does not.

const deepAll = (scope, found = []) => {
  for (const element of [...scope.querySelectorAll("*")].slice(0, 20000)) {
    found.push(element);
    if (element.shadowRoot && found.length < 40000) deepAll(element.shadowRoot, found);
  }
  return found;
};

function innerScroller() {
  const root = document.documentElement;
  if (globalThis.croScroller?.isConnected) return globalThis.croScroller;
  if (!root || Math.max(root.scrollHeight, document.body?.scrollHeight ?? 0) > innerHeight * 1.1) return null;
  let best = null;
  for (const element of deepAll(document)) {
    if (element === root || element === document.body) continue;
    if (element.scrollHeight <= element.clientHeight * 1.2 + 40) continue;
    if (element.clientWidth < innerWidth * 0.5 || element.clientHeight < innerHeight * 0.5) continue;
    if (!/auto|scroll|overlay/u.test(getComputedStyle(element).overflowY)) continue;
    if (!best || element.scrollHeight > best.scrollHeight) best = element;
  }
  globalThis.croScroller = best;
  return best;
}

function scrollToY(y) {
  const inner = innerScroller();
  scrollTo({ top: y, left: 0, behavior: "instant" });
  inner?.scrollTo({ top: y, left: 0, behavior: "instant" });
  return Math.max(scrollY, inner?.scrollTop ?? 0);
}

const setAll = (element, styles) => {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value, "important");
};

function unrolled(limit) {
  // The box gets the height of what is in it, and everything around it grows by as much.
  const inner = innerScroller();
  if (!inner) return 0;
  inner.scrollTo({ top: 0, left: 0, behavior: "instant" });
  const more = Math.min(inner.scrollHeight, limit) - inner.clientHeight;
  if (more < 1) return 0;
  const around = [];
  for (let at = inner; at && at !== document.documentElement; at = at.parentElement ?? at.getRootNode().host ?? null) {
    around.push([at, at.offsetHeight + more, getComputedStyle(at)]);
  }
  for (const [element, height, style] of around) {
    const fixed = style.position === "fixed" ? { position: "absolute" } : {};
    const grown = { height: `${height}px`, "max-height": "none", "min-height": "0", bottom: "auto", contain: "none" };
    setAll(element, { ...grown, ...fixed, overflow: element === inner ? "hidden" : "visible", "box-sizing": "border-box" });
    if (element === inner) setAll(element, { flex: "none", "align-self": "flex-start", width: `${element.offsetWidth}px` });
  }
  if (document.documentElement) setAll(document.documentElement, { overflow: "visible", height: "auto", "max-height": "none" });
  return more;
}
