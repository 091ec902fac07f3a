// Collects what the browser tells only while it happens; the answer reads it in the same isolated world.
(() => {
  if (globalThis.croObserved || window.top !== window) return;
  const seen = { largest: null, painted: null, shift: 0, tasks: [], moves: { count: 0, last: 0 }, vitals: {}, collect: () => {} };
  const session = { value: 0, first: 0, last: 0 };
  const watchers = [];
  const onPaint = (entry) => {
    seen.largest = entry.startTime;
    seen.painted = entry.element;
  };
  const onShift = (entry) => {
    // web.dev/cls: a session window ends after a second without a shift, or after five seconds.
    if (entry.hadRecentInput) return;
    const follows = session.value > 0 && entry.startTime - session.last < 1000 && entry.startTime - session.first < 5000;
    if (!follows) Object.assign(session, { value: 0, first: entry.startTime });
    session.value += entry.value;
    session.last = entry.startTime;
    seen.shift = Math.max(seen.shift, session.value);
  };
  const onTask = (entry) => {
    if (seen.tasks.length < 2000) seen.tasks.push([entry.startTime, entry.duration]);
  };
  for (const [type, take] of [["largest-contentful-paint", onPaint], ["layout-shift", onShift], ["longtask", onTask]]) {
    const watcher = new PerformanceObserver((list) => list.getEntries().forEach(take));
    watcher.observe({ type, buffered: true });
    watchers.push([watcher, take]);
  }
  // What scripts move: counted, never looked at.
  const movement = new MutationObserver(() => {
    seen.moves.count += 1;
    seen.moves.last = performance.now();
  });
  movement.observe(document, { subtree: true, attributes: true, attributeFilter: ["style", "class", "src"] });
  // VITALS stands for the web-vitals library: its definitions, and which element they are due to.
  const library = VITALS;
  if (library) {
    const keep = (name, of) => ({ value, attribution }) => {
      seen.vitals[name] = { value, selector: String(attribution?.[of] ?? "").slice(0, 300) };
    };
    const options = { reportAllChanges: true };
    library.onLCP(keep("lcp", "target"), options);
    library.onCLS(keep("cls", "largestShiftTarget"), options);
    library.onINP(keep("inp", "interactionTarget"), options);
  }
  seen.collect = () => watchers.forEach(([watcher, take]) => watcher.takeRecords().forEach(take));
  globalThis.croObserved = seen;
})();
