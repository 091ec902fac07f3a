// Reveals end where they were heading; what repeats for ever stops where it is. And nothing glides any more: to take a
// clip, Chromium resizes the page for a moment, and rules that depend on its width would glide away and back.

function treesOf() {
  // Animations of a shadow tree or of a frame are no animations of the document.
  const trees = [document];
  for (let at = 0; at < trees.length && at < 100; at += 1) {
    for (const element of [...trees[at].querySelectorAll("*")].slice(0, 20000)) {
      if (element.shadowRoot) trees.push(element.shadowRoot);
      else if (element.localName === "iframe" && element.contentDocument) trees.push(element.contentDocument);
    }
  }
  return trees;
}

function still(tree) {
  if (!tree.adoptedStyleSheets.some((sheet) => sheet.croStill)) {
    const view = (tree.ownerDocument ?? tree).defaultView;
    if (!view) return;
    const sheet = new view.CSSStyleSheet();
    sheet.replaceSync("*, *::before, *::after { transition: none !important } noscript { display: none !important }");
    sheet.croStill = true;
    tree.adoptedStyleSheets = [...tree.adoptedStyleSheets, sheet];
  }
  for (const animation of tree.getAnimations()) {
    try {
      Number.isFinite(animation.effect.getComputedTiming().endTime) ? animation.finish() : animation.pause();
    } catch {
      animation.cancel();
    }
  }
  for (const video of tree.querySelectorAll("video")) video.pause();
  for (const marquee of tree.querySelectorAll("marquee")) marquee.stop();
}

for (const tree of treesOf()) {
  try {
    still(tree);
  } catch {
    // A tree that is being replaced meanwhile moves on: the rest stands still.
  }
}
