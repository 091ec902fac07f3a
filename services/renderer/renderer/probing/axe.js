// Runs some of axe-core's rules in the top frame and returns what it found, with boxes in page coordinates.
// WANTED and LIMITS stand before it.
(async () => {
  const engine = globalThis.axe;
  if (!engine) return JSON.stringify({ skipped: "absent" });
  if (document.getElementsByTagName("*").length > LIMITS.nodes) return JSON.stringify({ skipped: "nodes" });
  const started = performance.now();
  const target = ({ element }) => {
    if (!element?.getBoundingClientRect) return null;
    const { left, top, width, height } = element.getBoundingClientRect();
    const id = element.getAttribute("id");
    const name = `${element.localName}${id ? `#${id}` : ""}`;
    return { tag: element.localName, selector: name.slice(0, 200), box: [left + scrollX, top + scrollY, width, height] };
  };
  const found = await engine.run(document, {
    runOnly: { type: "rule", values: WANTED },
    resultTypes: ["violations", "incomplete"],
    iframes: false,
    preload: false,
    elementRef: true,
    selectors: false,
    ancestry: false,
    xpath: false,
  });
  const rows = {};
  const row = (rule) => (rows[rule.id] ??= { id: rule.id, impact: "", violations: 0, unsure: 0, targets: [], unsure_targets: [] });
  for (const rule of found.passes) row(rule);
  for (const rule of found.violations) {
    Object.assign(row(rule), { impact: rule.impact ?? "", violations: rule.nodes.length });
    row(rule).targets = rule.nodes.slice(0, LIMITS.targets).map(target).filter(Boolean);
  }
  for (const rule of found.incomplete) {
    row(rule).unsure = rule.nodes.length;
    row(rule).unsure_targets = rule.nodes.slice(0, LIMITS.targets).map(target).filter(Boolean);
  }
  return JSON.stringify({ version: engine.version, run_ms: performance.now() - started, checks: Object.values(rows) });
})()
