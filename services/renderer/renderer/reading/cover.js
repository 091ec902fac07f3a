// Whether another layer lies over an element at scroll position 0.

const FIRST_SCREEN = { x: 0, y: 0, width: view.width, height: view.height };
const tests = { left: LIMITS.hitTests };

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
