// What is done about one layer: its decline or close button is found, or it is hidden. Nothing is ever accepted.

const labelOf = (element) => {
  const own = [textOf(element), attr(element, "value"), attr(element, "aria-label"), attr(element, "title")];
  return (own.find((text) => text.trim()) ?? "").toLowerCase().trim();
};

function staysHere(element) {
  // A link to somewhere else is no button, whatever it says.
  if (tagOf(element) !== "a" || !has(element, "href")) return true;
  return /^(?:#|javascript:|$)/iu.test(attr(element, "href")) || attr(element, "role") === "button";
}

function buttonsOf(element) {
  const found = [];
  for (const scope of scopesOf(element)) {
    for (const button of [...all(scope, CLICKABLE)].slice(0, 300)) {
      if (isShown(button) && !has(button, "disabled") && staysHere(button)) found.push(button);
    }
  }
  return found;
}

function declinerOf({ element, platform }) {
  const scopes = scopesOf(element);
  for (const selector of platform?.decline ?? []) {
    for (const scope of [...scopes, document]) {
      const known = one(scope, selector);
      if (known && !PAID.test(labelOf(known))) return known;
    }
  }
  const refuses = (button) => {
    const label = labelOf(button);
    return label.length <= 60 && DECLINE.test(label) && !PAID.test(label);
  };
  return buttonsOf(element).find(refuses) ?? null;
}

function closerOf(element) {
  const closes = (button) => {
    const label = labelOf(button);
    if (PAID.test(label)) return false;
    return (label.length <= 40 && CLOSE.test(label)) || (label.length <= 2 && CLOSING.test(words(button)));
  };
  return buttonsOf(element).find(closes) ?? null;
}

function placeOf(element) {
  // The middle of an element on the screen, out of the frames that it is in.
  const box = rectOf(element);
  let [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  let frame = documentOf(element).defaultView?.frameElement ?? null;
  for (let depth = 0; frame && depth < 5; depth += 1) {
    const outer = rectOf(frame);
    x += outer.left;
    y += outer.top;
    frame = documentOf(frame).defaultView?.frameElement ?? null;
  }
  return { x, y };
}

function isHit(element, { x, y }) {
  if (!isShown(element) || documentOf(element) !== document) return isShown(element) && documentOf(element) !== document;
  for (let at = hitAt(x, y); at; at = above(at)) if (at === element) return true;
  return false;
}

function aim(number) {
  const layer = saved.layers[number];
  if (!layer) return { way: "none" };
  const target = layer.kind === "consent" ? declinerOf(layer) : closerOf(layer.element);
  if (!target) return { way: "none" };
  const place = placeOf(target);
  if (isHit(target, place)) return { way: "mouse", ...place };
  target.click();
  return { way: "script" };
}

function isGone(number) {
  const layer = saved.layers[number];
  if (!layer || !layer.element.isConnected) return true;
  const over = (point) => {
    for (let at = hitAt(...point); at; at = above(at)) if (at === layer.element) return true;
    return false;
  };
  return !layer.points.some(over);
}

function vanish(element) {
  element.style.setProperty("display", "none", "important");
}

function hide(number) {
  const layer = saved.layers[number];
  if (!layer) return false;
  if (tagOf(layer.element) === "dialog") layer.element.close();
  vanish(layer.element);
  for (const sheet of saved.sheets) vanish(sheet.element);
  release();
  return isGone(number);
}

function release() {
  for (const element of [page.root, page.body]) {
    if (!element) continue;
    const style = getComputedStyle(element);
    if (/hidden|clip/u.test(style.overflowY)) element.style.setProperty("overflow", "visible", "important");
    if (style.position === "fixed") element.style.setProperty("position", "static", "important");
  }
}

function guard() {
  // A decline must not lead away from the page: every document that would replace it is refused while we press.
  saved.tried = [];
  saved.guard = (event) => {
    if (event.destination.sameDocument || event.hashChange || !event.cancelable) return;
    event.preventDefault();
    saved.tried.push(event.navigationType === "reload" ? "reload" : event.destination.url.slice(0, 500));
  };
  navigation.addEventListener("navigate", saved.guard);
  return true;
}

function unguard() {
  if (saved.guard) navigation.removeEventListener("navigate", saved.guard);
  saved.guard = null;
  return saved.tried;
}

const tried = () => saved.tried.splice(0);
