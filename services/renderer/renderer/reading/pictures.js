// Pictures and what they weigh.

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
