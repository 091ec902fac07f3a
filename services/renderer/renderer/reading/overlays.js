// Layers over the first screen, as the visitor meets them.

const CONSENT_TEXT = new RegExp(LEXICON.topics.join("|"), "iu");
const REJECT = new RegExp(LEXICON.reject.join("|"), "iu");

function isDialog(record) {
  return record.tag === "dialog" || /^(?:dialog|alertdialog)$/u.test(record.role) || attr(record.element, "aria-modal") === "true";
}

function layerCandidates() {
  const found = [];
  for (const record of records) {
    const docked = record.position === "sticky" && record.box.y < view.height;
    if (record.position !== "fixed" && !docked && !isDialog(record)) continue;
    if (!record.shown || found.some((outer) => isAncestor(outer, record))) continue;
    if (record === scroller || (scroller && isAncestor(record, scroller)) || record.tag === "body" || record.tag === "html") continue;
    if (record.frame.up === null) found.push(record);
    if (found.length >= 60) break;
  }
  return found;
}

function isPainted(record) {
  if (!record.visible) return false;
  if (/^(?:img|video|canvas|iframe|svg|input|select|textarea|button)$/u.test(record.tag)) return true;
  const { style } = record;
  if (colour(style.backgroundColor)[3] * record.opacity > 0.05 || style.backgroundImage !== "none") return true;
  return borderOf(record).width > 0 || style.boxShadow !== "none" || style.backdropFilter !== "none";
}

function paintedBoxes(layer) {
  const boxes = [];
  for (let i = layer.index; i <= layer.last && boxes.length < 200; i += 1) {
    if (isPainted(records[i])) boxes.push(intersect(intersect(records[i].box, records[i].clip), FIRST_SCREEN));
  }
  for (let i = layer.firstRun; i < layer.lastRun && i < layer.firstRun + 100; i += 1) {
    if (runs[i].seen) boxes.push(intersect(runs[i].box, FIRST_SCREEN));
  }
  return boxes.filter((box) => box.width > 0 && box.height > 0);
}

function coverage(boxes) {
  // The exact area of the boxes together: limits are crossed by single pixels.
  const edges = [...new Set(boxes.flatMap((box) => [box.x, box.x + box.width]))].sort((a, b) => a - b);
  let area = 0;
  for (let i = 1; i < edges.length; i += 1) {
    const [left, right] = [edges[i - 1], edges[i]];
    const across = boxes.filter((box) => box.x <= left && box.x + box.width >= right).sort((a, b) => a.y - b.y);
    let bottom = 0;
    for (const box of across) {
      area += Math.max(0, box.y + box.height - Math.max(bottom, box.y)) * (right - left);
      bottom = Math.max(bottom, box.y + box.height);
    }
  }
  return Math.min(1, area / (view.width * view.height));
}

function bounds(boxes) {
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  return {
    x,
    y,
    width: Math.max(...boxes.map((box) => box.x + box.width)) - x,
    height: Math.max(...boxes.map((box) => box.y + box.height)) - y,
  };
}

function onTop(layer, boxes) {
  // A fixed photo behind the page is a background, not a layer over it.
  if (layer.index === 0 || boxes.length === 0) return false;
  for (const box of boxes.slice(0, 12)) {
    for (const [across, down] of [[0.5, 0.5], [0.1, 0.1], [0.9, 0.9]]) {
      const x = Math.min(box.x + box.width * across, view.width - 1);
      const y = Math.min(box.y + box.height * down, view.height - 1);
      const hit = byElement.get(hitAt(x - page.left, y - page.top));
      if (hit && isAncestor(layer, hit)) return true;
    }
  }
  return Number.parseInt(layer.style.zIndex, 10) > 0 && layer.style.pointerEvents === "none";
}

function hints(layer) {
  const parts = [words(layer.element), attr(layer.element, "aria-label", 200)];
  for (let i = layer.index + 1; i <= Math.min(layer.last, layer.index + 40); i += 1) {
    const { element, tag } = records[i];
    parts.push(words(element));
    if (tag === "iframe") parts.push(attr(element, "src", 300), attr(element, "title", 200));
  }
  return parts.join(" ");
}

function hasConsent(layer) {
  const text = visibleText(layer, 3000);
  const named_ = CONSENT_HINT.test(hints(layer));
  // A page that sells cookies has the word in a menu; a consent layer has it in a sentence beside its buttons.
  const spoken = CONSENT_TEXT.test(text) && text.length > 30 && records.slice(layer.index, layer.last + 1).some((each) => each.kind === "control");
  if (isDocked(layer) && layer.box.y <= 1 && hasNavigation(layer)) return false;
  return named_ || (spoken && text.length < 3000 && !hasNavigation(layer));
}

function hasNavigation(layer) {
  return records.slice(layer.index, layer.last + 1).some((each) => each.tag === "nav" || each.role === "navigation");
}

function isDocked(layer) {
  const { box } = layer;
  return box.width >= view.width * 0.6 && box.height < view.height * 0.15;
}

function isRail(layer, box) {
  // A site's navigation beside its content, the whole height of the screen: nothing lies under it.
  const docked = box.x <= 1 || box.x + box.width >= view.width - 1;
  return docked && box.width < view.width * 0.35 && box.height >= view.height * 0.9 && hasNavigation(layer);
}

function kindOfLayer(layer, box) {
  if (hasConsent(layer)) return "consent";
  const wide = box.width >= view.width * 0.6 && box.height < view.height * 0.15;
  if (wide && (box.y <= view.height * 0.2 || box.y + box.height >= view.height * 0.98)) return "bar";
  if (isRail(layer, box)) return "bar";
  if (isDialog(layer) || records.slice(layer.index, layer.last + 1).some(isDialog)) return "dialog";
  const share = (box.width * box.height) / (view.width * view.height);
  return share >= 0.15 && layer.lastRun > layer.firstRun ? "dialog" : "other";
}

function refuses(layer) {
  return records
    .slice(layer.index, layer.last + 1)
    .some((each) => each.kind === "control" && each.visible && REJECT.test(`${nameOf(each)} ${visibleText(each, 200)}`));
}

function findLayers() {
  const layers = [];
  for (const record of layerCandidates()) {
    const boxes = paintedBoxes(record);
    if (!boxes.length) continue;
    const share = coverage(boxes);
    if (share < 0.03 || !onTop(record, boxes)) continue;
    const box = bounds(boxes);
    if (record.position === "sticky" && !(isDocked(record) || hasConsent(record))) continue;
    layers.push({ record, box, coverage: share, kind: kindOfLayer(record, box), has_reject: refuses(record) });
  }
  return withBackdrops(layers);
}

function withBackdrops(layers) {
  // A sheet that dims the page belongs to the dialog above it.
  const isSheet = (layer) => layer.kind === "other" && layer.coverage > 0.9 && layer.record.lastRun === layer.record.firstRun;
  const dialog = layers.find((layer) => layer.kind === "dialog" || layer.kind === "consent");
  if (!dialog) return layers;
  const sheet = layers.find(isSheet);
  if (sheet) dialog.coverage = Math.max(dialog.coverage, sheet.coverage);
  return layers.filter((layer) => !isSheet(layer));
}

function noteLayers(layers) {
  for (const layer of layers) {
    layer.record.overlayKind = layer.kind;
    layer.record.kind ||= "landmark";
  }
}
