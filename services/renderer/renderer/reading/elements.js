// One row of the element table: style, link, field, picture.

const FIRST_SCREEN = { x: 0, y: 0, width: view.width, height: view.height };
const HANDLER = /^(?:onclick|onmousedown|ontouchstart|@click|v-on:click|x-on:click|ng-click|\(click\)|jsaction|wire:click|hx-(?:get|post|put|delete)|data-(?:bs-)?(?:toggle|target|dismiss|slide|slide-to|action|fancybox|lightbox|open|modal|popup|scroll)|aria-(?:controls|expanded|haspopup|pressed))$/u;
const tests = { left: LIMITS.hitTests };

// --- text and line boxes ---

function isDisabled(record) {
  const { element } = record;
  return has(element, "disabled") || attr(element, "aria-disabled") === "true" || /(?:^|\s)disabled(?:\s|$)/u.test(attr(element, "class"));
}

function textRecord(record) {
  // The letters of a button often belong to a span inside it: theirs is the colour that counts.
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

// --- style ---

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
    color: hex(tone.text),
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

// --- visibility ---

function isOver(hit, record) {
  // Letters let clicks through to the box around them; a transparent sheet (a stretched link) hides nothing.
  if (contains(hit, record.element) || contains(record.element, hit)) return false;
  for (let at = byElement.get(hit); at && !isAncestor(at, record); at = at.up) {
    if (isAncestor(record, at)) return false;
    if (/^(?:img|video|canvas|iframe|input|select|textarea|svg)$/u.test(at.tag)) return true;
    if (colour(at.style.backgroundColor)[3] * at.opacity > 0.05 || at.style.backgroundImage !== "none") return true;
  }
  return false;
}

function hitAt(x, y) {
  let hit = document.elementFromPoint(x, y);
  for (let i = 0; hit && i < 8; i += 1) {
    const inner = shadowOf(hit)?.elementFromPoint(x, y);
    if (!inner || inner === hit) break;
    hit = inner;
  }
  return hit;
}

function isCovered(record) {
  const seen = intersect(intersect(record.box, record.clip), FIRST_SCREEN);
  if (seen.width < 2 || seen.height < 2 || tests.left <= 0 || record.frame.up !== null) return false;
  let points = 0;
  for (const [across, down] of [[0.5, 0.5], [0.2, 0.25], [0.8, 0.25], [0.2, 0.75], [0.8, 0.75]]) {
    const x = record.box.x + record.box.width * across;
    const y = record.box.y + record.box.height * down;
    if (x < 0 || y < 0 || x >= view.width || y >= view.height) continue;
    points += 1;
    tests.left -= 1;
    const hit = hitAt(x - page.left, y - page.top);
    if (!hit || !isOver(hit, record)) return false;
  }
  return points > 0;
}

// --- links, fields, pictures ---

function resolved(href) {
  try {
    return new URL(href, document.baseURI);
  } catch {
    return null;
  }
}

function fragmentExists(fragment) {
  if (!fragment || fragment.toLowerCase() === "top") return true;
  let name = fragment;
  try {
    name = decodeURIComponent(fragment);
  } catch {
    // A broken escape is looked up as it stands.
  }
  return Boolean(one(document, `[id="${CSS.escape(name)}"],a[name="${CSS.escape(name)}"]`));
}

function site(host) {
  return host.toLowerCase().replace(/^www\./u, "");
}

function linkOf(record) {
  const { element, tag } = record;
  if (tag !== "a") return null;
  const raw = attr(element, "href", 4000);
  const handled = attributesOf(element).some((name) => HANDLER.test(name)) || attr(element, "role") === "button";
  const link = { href: raw, kind: "internal", has_handler: handled, target_exists: true };
  const url = resolved(raw);
  if (!has(element, "href") || raw === "") return { ...link, kind: "empty" };
  if (/^javascript:/iu.test(raw)) return { ...link, kind: "script", has_handler: handled || !/^javascript:\s*(?:void\b.*|;*|false;?)$/iu.test(raw) };
  if (/^(?:tel|sms|callto):/iu.test(raw)) return { ...link, kind: "tel" };
  if (/^mailto:/iu.test(raw)) return { ...link, kind: "mailto" };
  if (!url) return { ...link, target_exists: false };
  link.href = url.href;
  const here = new URL(document.URL);
  if (raw.includes("#") && url.href.split("#")[0] === here.href.split("#")[0]) {
    return { ...link, href: raw.startsWith("#") ? raw : url.href, kind: "anchor", target_exists: fragmentExists(url.hash.slice(1)) };
  }
  if (site(url.host) !== site(here.host)) link.kind = "external";
  return link;
}

function fieldOf(record) {
  const { element, tag } = record;
  if (record.kind !== "field") return null;
  const type = tag === "input" ? inputType(element) : { select: "select", textarea: "textarea" }[tag] ?? record.role ?? "textbox";
  return {
    type,
    name: attr(element, "name", 200),
    label: nameOf(record),
    label_source: labelSource(record),
    placeholder: attr(element, "placeholder", 300) || attr(element, "aria-placeholder", 300),
    required: has(element, "required") || attr(element, "aria-required") === "true",
    autocomplete: attr(element, "autocomplete", 100),
    inputmode: attr(element, "inputmode", 40),
    form: formIndex(record),
  };
}

function transferred(src) {
  const entry = bytesByUrl().get(src);
  return entry ? entry.transferSize || entry.encodedBodySize || null : null;
}

let sizes = null;
function bytesByUrl() {
  if (!sizes) {
    sizes = new Map();
    for (const entry of performance.getEntriesByType("resource").slice(0, 2000)) {
      const known_ = sizes.get(entry.name);
      if (!known_ || entry.transferSize > known_.transferSize) sizes.set(entry.name, entry);
    }
  }
  return sizes;
}

function altOf(record) {
  const { element } = record;
  const alt = readAttribute(element, "alt");
  if (alt !== null) return alt.slice(0, 400);
  if (record.mute || /^(?:presentation|none)$/u.test(attr(element, "role"))) return "";
  return byIds(record, "aria-labelledby") || attr(element, "aria-label", 400) || attr(element, "title", 400) || null;
}

function pictureOf(record) {
  const { element, tag, box } = record;
  const plain = { src: "", natural_width: 0, natural_height: 0, alt: "", complete: false, transferred_bytes: null, lazy: false };
  if (tag === "img") {
    const src = currentSrcOf(element) || resolved(attr(element, "src", 4000))?.href || "";
    return {
      ...plain,
      src: src.startsWith("data:") ? src.slice(0, 40) : src.slice(0, 2000),
      natural_width: naturalWidthOf(element),
      natural_height: naturalHeightOf(element),
      alt: altOf(record),
      complete: completeOf(element) && Boolean(src) && src !== document.URL,
      transferred_bytes: transferred(src),
      lazy: attr(element, "loading") === "lazy",
    };
  }
  if (tag === "svg") {
    return { ...plain, natural_width: Math.round(box.width), natural_height: Math.round(box.height), alt: nameOf(record) || altOf(record), complete: true };
  }
  if (record.kind !== "image" || !backgroundPhoto(record)) return null;
  // A background has no alt to miss and no natural size to read: it is listed for its weight.
  const found = /url\("?([^")]{1,2000})/u.exec(record.style.backgroundImage);
  const src = found ? found[1] : "";
  return { ...plain, src: src.startsWith("data:") ? src.slice(0, 40) : src, transferred_bytes: transferred(src) };
}

// --- the row ---

function isInline(record) {
  if (record.kind !== "control" || record.block || !/^inline$/u.test(record.display)) return false;
  let block = record.up;
  while (block && !block.block) block = block.up;
  if (!block) return false;
  let outside = 0;
  for (let i = block.firstRun; i < Math.min(block.lastRun, block.firstRun + 200); i += 1) {
    if (runs[i].seen && !runs[i].record.control) outside += runs[i].text.length;
  }
  return outside >= 10;
}

function rowOf(record, number) {
  const shown = record.visible;
  const long = record.kind === "landmark" || record.kind === "image";
  const rows = shown && !long ? textRows(record) : [];
  const { x, y, width, height } = record.box;
  return {
    n: number,
    tag: record.tag,
    role: record.role,
    name: nameOf(record),
    text: long ? "" : visibleText(record, 400),
    characters: long ? 0 : characters(record),
    selector: selectorOf(record),
    box: [x, y, width, height],
    visible: shown,
    covered: shown && isCovered(record),
    landmark: landmarkOf(record),
    heading_level: levelOf(record),
    clickable: record.kind === "control",
    inline: isInline(record),
    disabled: /^(?:control|field)$/u.test(record.kind) && isDisabled(record),
    lines: countLines(rows),
    style: shown ? styleOf(record, rows) : null,
    link: linkOf(record),
    field: fieldOf(record),
    picture: pictureOf(record),
  };
}
