// How an element looks: its lines, colours, padding and border.

function isDisabled(record) {
  const { element } = record;
  return has(element, "disabled") || attr(element, "aria-disabled") === "true" || /(?:^|\s)disabled(?:\s|$)/u.test(attr(element, "class"));
}

function mostText(record) {
  // A paragraph that begins with a link has the colour of its sentences, not the link's.
  const sizes = new Map();
  for (let i = record.firstRun; i < record.lastRun && i < record.firstRun + 60; i += 1) {
    const { seen, record: holder, text } = runs[i];
    if (seen) sizes.set(holder, (sizes.get(holder) ?? 0) + text.length);
  }
  return [...sizes].reduce((best, each) => (best && best[1] >= each[1] ? best : each), null)?.[0];
}

function textRecord(record) {
  // The letters of a button often belong to a span inside it: theirs is the colour that counts.
  if (record.kind === "text") return mostText(record) ?? record;
  for (let i = record.firstRun; i < record.lastRun && i < record.firstRun + 12; i += 1) {
    if (runs[i].seen) return runs[i].record;
  }
  return record;
}

function textRows(record) {
  const rects = [];
  for (let i = record.firstRun; i < record.lastRun && i < record.firstRun + 60; i += 1) {
    const { node, seen, record: holder } = runs[i];
    if (!seen || !node) continue;
    ruler.selectNodeContents(node);
    for (const rect of [...ruler.getClientRects()].slice(0, 200)) if (rect.width > 0) rects.push(boxOf(rect, holder.frame));
  }
  return rects.sort((a, b) => a.y - b.y);
}

function countLines(rects) {
  let lines = 0;
  let bottom = -Infinity;
  for (const rect of rects) {
    if (rect.y + rect.height / 2 > bottom) {
      lines += 1;
      bottom = rect.y + rect.height;
    } else bottom = Math.max(bottom, Math.min(rect.y + rect.height, bottom + rect.height / 2));
  }
  return lines;
}

function hasLetters(record, letters) {
  if (record.kind === "image" || record.kind === "landmark") return false;
  return record.kind === "field" || letters !== record || ownText(record);
}

function painted(record) {
  // `<a><span class="button">`: the box that the visitor sees is the only child's.
  let at = record;
  for (let i = 0; i < 3; i += 1) {
    if (colour(at.style.backgroundColor)[3] > 0.05 || at.style.backgroundImage !== "none" || borderOf(at).width > 0) return at;
    const kid = records[at.index + 1];
    if (at.kids !== 1 || !kid || kid.up !== at || overlapShare(at.box, kid.box) < 0.8) return record;
    at = kid;
  }
  return record;
}

function borderOf(record) {
  let best = { width: 0, value: CLEAR };
  for (const side of ["Top", "Right", "Bottom", "Left"]) {
    const width = record.style[`border${side}Style`] === "none" ? 0 : parseFloat(record.style[`border${side}Width`]) || 0;
    const value = width ? colour(record.style[`border${side}Color`]) : CLEAR;
    if (width > best.width && value[3] > 0.05) best = { width, value };
  }
  return best;
}

function paddingOf(record, text) {
  if (record.kind === "text" || record.kind === "heading") return parseFloat(record.style.paddingLeft) || 0;
  // Fixed width and centred text look like padding, so the free room at the text's sides counts too.
  const own = (parseFloat(record.style.paddingLeft) + parseFloat(record.style.paddingRight)) / 2 || 0;
  if (!text.length || text.length > 3) return own;
  const left = Math.min(...text.map((rect) => rect.x));
  const right = Math.max(...text.map((rect) => rect.x + rect.width));
  const room = Math.min(left - record.box.x, record.box.x + record.box.width - right);
  return Math.max(own, /^(?:center)$/u.test(record.style.textAlign) || /flex|grid/u.test(record.display) ? room : 0);
}

function colours(record) {
  // One blend of text and ground for each record, shared by the element table and the text statistics.
  if (record.colours) return record.colours;
  const ground = behind(record);
  const groundColour = flatten(ground);
  const paint = record.style.webkitTextFillColor || record.style.color;
  const own = colour(paint);
  const clipped = record.style.backgroundClip === "text" && own[3] < 0.1;
  const inGroup = flatten({ ...ground, blend: over(own, ground.blend) });
  const photo = clipped ? 2 : photoOf(ground);
  record.colours = {
    clipped,
    photo,
    background: groundColour,
    text: clipped ? over(gradient(record.style.backgroundImage), WHITE) : inGroup,
    ratio: photo === 2 || own[3] < 0.05 ? null : contrast(inGroup, groundColour),
  };
  return record.colours;
}

function isFilled(box, surround, photoAround) {
  const own = colour(box.style.backgroundColor);
  const image = box.style.backgroundImage !== "none" && gradient(box.style.backgroundImage)[3] > 0.3;
  if (image) return true;
  if (own[3] * box.opacity < 0.1) return false;
  if (photoAround) return own[3] >= 0.5;
  const fill = flatten(box.ground);
  return Math.max(...[0, 1, 2].map((i) => Math.abs(fill[i] - surround[i]))) >= 8;
}

function styleOf(record, rows) {
  const letters = record.kind === "field" ? record : textRecord(record);
  const box = painted(record);
  const tone = colours(letters);
  const ground = letters === record && box !== record ? colours(box) : tone;
  const outside = around(record);
  const surround = flatten(outside);
  const border = borderOf(box);
  const font = parseFloat(letters.style.fontSize) || 0;
  return {
    font_px: font,
    font_weight: Number.parseInt(letters.style.fontWeight, 10) || 400,
    line_height_px: parseFloat(letters.style.lineHeight) || font * 1.2,
    // Letters cut out of a picture or gradient have no one colour.
    color: tone.clipped && tone.photo === 2 ? "" : hex(tone.text),
    background: hex(ground.background),
    background_is_image: ground.photo > 0 || record.kind === "image" && backgroundPhoto(record),
    border_color: border.width ? hex(over(border.value, surround)) : "",
    border_px: border.width,
    padding_px: Math.max(paddingOf(record, rows), box === record ? 0 : paddingOf(box, rows)),
    filled: isFilled(box, surround, photoOf(outside) === 2),
    surround: hex(surround),
    position: (record.fixed && "fixed") || (record.sticky && "sticky") || record.position,
    contrast: hasLetters(record, letters) ? tone.ratio : null,
    text_align: record.style.textAlign,
  };
}
