// What lies behind an element. A ground is the blend of backgrounds from the page's canvas up to one element:
//   blend    the colour within the innermost opacity group
//   group    that group's {opacity, blend below it, group around it}; null for the page's own
//   photo    0 plain, 1 gradient or veiled photo (colour estimated), 2 photo (colour unknown)
//   veil     how much of the photo is covered by colours over it
//   opaque   nearest record whose own background hides all that lies further down

const PAGE_GROUND = { blend: WHITE, group: null, photo: 0, veil: 0, opaque: null };
const ENOUGH_VEIL = 0.85; // of a photo: what is left moves a contrast ratio by less than a tenth of its range

function flatten(ground) {
  let value = ground.blend;
  for (let group = ground.group; group; group = group.around) value = over(fade(value, group.opacity), group.below);
  return over(value, WHITE);
}

const photoOf = (ground) => (ground.photo === 2 && ground.veil >= ENOUGH_VEIL ? 1 : ground.photo);

function withColour(ground, value, record) {
  if (value[3] <= 0.001) return ground;
  const solid = value[3] >= 0.99;
  return {
    blend: over(value, ground.blend),
    group: ground.group,
    photo: solid ? 0 : ground.photo,
    veil: solid ? 0 : ground.veil + (1 - ground.veil) * value[3],
    opaque: solid && record ? record : ground.opaque,
  };
}

const withPhoto = (ground, record) => ({ ...ground, photo: 2, veil: 0, opaque: record ?? ground.opaque });

function coversBox(style, box) {
  // A check mark or a select's arrow is a background image too.
  if (!style.backgroundRepeat.includes("no-repeat")) return true;
  const size = style.backgroundSize;
  if (/cover|contain|100%/u.test(size)) return box.width > 48 && box.height > 24;
  const wide = parseFloat(size);
  return Number.isFinite(wide) && size.includes("px") ? wide >= box.width * 0.8 : box.width >= 200 && box.height >= 100;
}

function withImage(ground, style, record) {
  const image = style.backgroundImage;
  if (image === "none" || style.backgroundClip === "text") return ground;
  if (/url\(|image-set\(|cross-fade\(|element\(/u.test(image)) {
    return coversBox(style, record.box) ? withPhoto(ground, record) : ground;
  }
  const value = gradient(image);
  if (value[3] <= 0.05 || !coversBox(style, record.box)) return ground;
  const blended = withColour(ground, value, record);
  return { ...blended, photo: Math.max(1, ground.photo === 2 && value[3] < 0.99 ? 2 : 1) };
}

function withPseudo(ground, element, record) {
  // `.hero::before` with a veil or a photo is how themes darken their first screen.
  let result = ground;
  for (const which of ["::before", "::after"]) {
    const style = getComputedStyle(element, which);
    if (style.content === "none" || !/absolute|fixed/u.test(style.position) || style.display === "none") continue;
    const zIndex = Number.parseInt(style.zIndex, 10);
    if (which === "::after" && !(zIndex <= 0)) continue;
    const large = parseFloat(style.width) >= record.box.width * 0.8 && parseFloat(style.height) >= record.box.height * 0.8;
    if (!large) continue;
    const opacity = Number(style.opacity);
    if (opacity < 0.05) continue;
    result = withColour(result, fade(colour(style.backgroundColor), opacity), record);
    result = withImage(result, style, record);
  }
  return result;
}

function groundOf(element, style, record, below) {
  let ground = below;
  const opacity = Number(style.opacity);
  if (opacity < 1) {
    ground = { ...ground, blend: CLEAR, group: { opacity, below: below.blend, around: below.group } };
  }
  const own = colour(style.backgroundColor);
  if (own[3] > 0 && style.backgroundClip !== "text") {
    ground = withColour(ground, own, opacity < 1 ? null : record);
    if (opacity < 1 && below.photo) ground = { ...ground, photo: below.photo, veil: own[3] * opacity };
  }
  if (style.backgroundImage !== "none") ground = withImage(ground, style, record);
  const { width, height } = record.box;
  if (width >= view.width * 0.6 && height >= 120 && pseudoChecks.left > 0) {
    pseudoChecks.left -= 1;
    ground = withPseudo(ground, element, record);
  }
  return ground;
}
const pseudoChecks = { left: 300 };

// --- plates: images and coloured boxes that lie under an element without being its ancestors ---

const plates = [];

function notePlate(record) {
  if (plates.length >= LIMITS.plates || !record.visible) return;
  const { width, height } = record.box;
  if (width * height < 4000) return;
  if (/^(?:img|video|canvas|picture|iframe)$/u.test(record.tag)) plates.push({ record, photo: true, value: CLEAR });
  else if (record.floats) {
    const style = record.style;
    const photo = /url\(/u.test(style.backgroundImage) && coversBox(style, record.box);
    let value = colour(style.backgroundColor);
    const shaded = !photo && style.backgroundImage !== "none";
    if (shaded) value = over(gradient(style.backgroundImage), value);
    if (photo || value[3] > 0.01) plates.push({ record, photo, shaded, value: fade(value, record.opacity) });
  }
}

function isAncestor(candidate, record) {
  return candidate.index <= record.index && record.index <= candidate.last;
}

function levelBelow(record, ancestor) {
  // The z-index that decides between two branches is that of their outermost positioned members.
  let level = 0;
  for (let at = record; at && at !== ancestor; at = at.up) {
    if (at.position !== "static") level = Number.parseInt(at.style.zIndex, 10) || 0;
  }
  return level;
}

function sharedAncestor(first, second) {
  let at = first;
  while (at && !isAncestor(at, second)) at = at.up;
  return at;
}

function liesUnder(plate, record) {
  const shared = sharedAncestor(record, plate);
  const difference = levelBelow(record, shared) - levelBelow(plate, shared);
  return difference > 0 || (difference === 0 && plate.index < record.index);
}

function overlapShare(box, other) {
  const width = Math.min(box.x + box.width, other.x + other.width) - Math.max(box.x, other.x);
  const height = Math.min(box.y + box.height, other.y + other.height) - Math.max(box.y, other.y);
  return width > 0 && height > 0 ? (width * height) / (box.width * box.height || 1) : 0;
}

function withPlates(ground, record) {
  let result = ground;
  for (const { record: plate, photo, shaded, value } of plates) {
    if (overlapShare(record.box, plate.box) < 0.7) continue;
    if (isAncestor(plate, record) || isAncestor(record, plate)) continue;
    if (ground.opaque && !isAncestor(ground.opaque, plate)) continue;
    if (!liesUnder(plate, record)) continue;
    result = photo ? withPhoto(result) : withColour(result, value);
    if (shaded) result = { ...result, photo: Math.max(1, result.photo) };
  }
  return result;
}

// --- layers: what a transparent bar over the first screen lies on is not among its ancestors ---

function layerOf(record) {
  for (let at = record; at?.element; at = at.up) if (at.floats || at.position === "sticky") return at;
  return null;
}

function groundBelow(layer, box) {
  const x = box.x + box.width / 2;
  const y = box.y + box.height / 2;
  if (x < 0 || y < 0 || x >= view.width || y >= view.height || belowChecks.left <= 0) return null;
  belowChecks.left -= 1;
  for (const element of document.elementsFromPoint(x - page.left, y - page.top).slice(0, 40)) {
    const hit = byElement.get(element);
    if (!hit || isAncestor(layer, hit)) continue;
    return isAncestor(hit, layer) ? null : withPlates(hit.ground, hit);
  }
  return null;
}
const belowChecks = { left: 400 };

function relaid(ground, layer, record) {
  // The colours from the layer down to the record, laid on what was found below.
  const path = [];
  for (let at = record; at; at = at === layer ? null : at.up) path.unshift(at);
  let result = ground;
  for (const at of path) {
    result = withColour(result, fade(colour(at.style.backgroundColor), at.opacity), at);
    if (at.style.backgroundImage !== "none") result = withImage(result, at.style, at);
  }
  return result;
}

function seenThrough(record, holder) {
  // The ground of `holder` as it is seen behind the record's box.
  if (!holder?.element) return withPlates(PAGE_GROUND, record);
  const layer = layerOf(holder);
  const hidden = layer && holder.ground.opaque && isAncestor(layer, holder.ground.opaque);
  const below = layer && !hidden ? groundBelow(layer, record.box) : null;
  return withPlates(below ? relaid(below, layer, holder) : holder.ground, record);
}

const behind = (record) => seenThrough(record, record);
const around = (record) => seenThrough(record, record.up);
