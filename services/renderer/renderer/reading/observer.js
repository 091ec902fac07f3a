// Collects what the browser tells only while it happens; the answer reads it in the same isolated world.
(() => {
  if (globalThis.croObserved || window.top !== window) return;
  const seen = { largest: null, shift: 0, tasks: [], collect: () => {} };
  const session = { value: 0, first: 0, last: 0 };
  const watchers = [];
  const onPaint = (entry) => {
    seen.largest = entry.startTime;
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
  seen.collect = () => watchers.forEach(([watcher, take]) => watcher.takeRecords().forEach(take));
  globalThis.croObserved = seen;
})();
