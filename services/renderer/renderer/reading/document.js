// The head of the document, lab timings, and the whole answer.

function metaTag(...names) {
  for (const name of names) {
    for (const tag of [...all(document, `meta[name="${name}" i],meta[property="${name}" i]`)].slice(0, 5)) {
      if (has(tag, "content")) return attr(tag, "content", 4000);
    }
  }
  return null;
}

function openGraph() {
  const found = {};
  for (const tag of [...all(document, 'meta[property^="og:" i],meta[name^="og:" i]')].slice(0, 40)) {
    const name = (attr(tag, "property", 60) || attr(tag, "name", 60)).toLowerCase();
    if (!Object.hasOwn(found, name)) found[name] = attr(tag, "content", 1000);
  }
  return found;
}

function linkedDataTypes() {
  const types = new Set();
  for (const script of [...all(document, 'script[type="application/ld+json" i]')].slice(0, 20)) {
    try {
      const stack = [JSON.parse(contentOf(script).slice(0, 300000))];
      for (let count = 0; stack.length && count < 3000; count += 1) {
        const value = stack.pop();
        if (!value || typeof value !== "object") continue;
        for (const type of [value["@type"]].flat()) if (typeof type === "string" && types.size < 60) types.add(type.slice(0, 80));
        stack.push(...Object.values(value).slice(0, 500));
      }
    } catch {
      // Broken data counts as none: that is how search engines take it.
    }
  }
  return [...types];
}

function metaFacts() {
  const canonical = one(document, 'link[rel~="canonical" i][href]');
  const title = one(document, "head > title") ?? one(document, "title:not(svg *)");
  return {
    title: title ? squeeze(contentOf(title), 1000) : "",
    description: metaTag("description"),
    viewport: metaTag("viewport"),
    canonical: canonical ? resolved(attr(canonical, "href"))?.href ?? attr(canonical, "href") : null,
    robots: metaTag("robots") ?? "",
    og: openGraph(),
    json_ld_types: linkedDataTypes(),
  };
}

function timings() {
  const seen = globalThis.croObserved ?? null;
  const load = performance.getEntriesByType("navigation")[0];
  const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null;
  seen?.collect();
  // web-vitals waits for an idle moment; a page that is read sooner is known by its last entry.
  const painted = seen?.painted ? byElement.get(seen.painted) : null;
  const blocking = (seen?.tasks ?? []).filter(([at, length]) => paint !== null && at + length > paint);
  return {
    ttfb_ms: load && load.responseStart > 0 ? load.responseStart : null,
    dom_content_loaded_ms: load && load.domContentLoadedEventEnd > 0 ? load.domContentLoadedEventEnd : null,
    load_ms: load && load.loadEventEnd > 0 ? load.loadEventEnd : null,
    first_contentful_paint_ms: paint,
    largest_contentful_paint_ms: seen?.vitals.lcp?.value ?? seen?.largest ?? null,
    cumulative_layout_shift: seen ? Math.max(seen.vitals.cls?.value ?? 0, seen.shift) : null,
    interaction_to_next_paint_ms: seen?.vitals.inp?.value ?? null,
    largest_contentful_paint_selector: seen?.vitals.lcp?.selector || (painted ? selectorOf(painted) : ""),
    layout_shift_selector: seen?.vitals.cls?.selector ?? "",
    interaction_selector: seen?.vitals.inp?.selector ?? "",
    total_blocking_ms: seen && paint !== null
      ? blocking.reduce((sum, [at, length]) => sum + Math.max(0, at + length - Math.max(at, paint) - 50), 0)
      : null,
  };
}

function pageHeight() {
  const own = Math.max(scrollHeightOf(page.root), page.body ? scrollHeightOf(page.body) : 0);
  if (!scroller) return own;
  notes.add("inner_scroller");
  return Math.max(own, scroller.box.y + scrollHeightOf(scroller.element));
}

function attempt(make, otherwise) {
  try {
    return make();
  } catch {
    notes.add("failed_reads");
    return otherwise;
  }
}

function answer() {
  if (!page.root) return { version: 1, empty: true };
  walk();
  for (const record of records) byElement.set(record.element, record);
  formRecords();
  const layers = attempt(findLayers, []);
  noteLayers(layers);
  const chosen = candidates();
  const numbers = new Map(chosen.map((record, i) => [record, i + 1]));
  const elements = chosen.map((record, i) => attempt(() => rowOf(record, i + 1), null)).filter(Boolean);
  const style = getComputedStyle(page.body ?? page.root);
  return {
    version: 1,
    url: document.URL.slice(0, 4000),
    view,
    language: attr(page.root, "lang", 40),
    direction: style.direction,
    meta: attempt(metaFacts, {}),
    scroll_width: Math.max(scrollWidthOf(page.root), page.body ? scrollWidthOf(page.body) : 0),
    page_height: pageHeight(),
    document_height: Math.max(scrollHeightOf(page.root), page.body ? scrollHeightOf(page.body) : 0),
    elements,
    forms: attempt(() => formRows(numbers), []),
    overlays: layers.map(({ record, box, coverage: share, kind, has_reject }) => ({
      element: numbers.get(record) ?? 0, kind, box: Object.values(box), coverage: share, has_reject,
    })),
    text: pageText(),
    star_rows: attempt(starRows, 0),
    text_stats: attempt(textStats, {}),
    performance: attempt(timings, {}),
    blocks: attempt(blockRows, []),
    repeats: attempt(repeatRows, []),
    solids: attempt(solidRows, []),
    truncated: [...notes],
    visited: totals.visited,
    read_ms: performance.now() - started,
  };
}
