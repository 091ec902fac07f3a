// What a picture needs of a document, in one synchronous look.

const body = document.body;
const root = document.documentElement;
const near = (box) => box.top < 2 * innerHeight && box.bottom > -innerHeight && box.width > 0;
const inView = (box) => box.top < innerHeight && box.bottom > 0 && box.left < innerWidth && box.right > 0 && box.width > 8 && box.height > 8;
const pending = [];
const broken = [];
for (const image of document.images) {
  const url = image.currentSrc || image.src;
  if (!url) continue;
  if (image.complete) {
    if (!image.naturalWidth && broken.length < 20 && inView(image.getBoundingClientRect())) broken.push(url);
    continue;
  }
  if (image.loading === "lazy" && !near(image.getBoundingClientRect())) continue;
  pending.push(url);
}
const shown = (node) => {
  const box = node.getBoundingClientRect();
  return box.width > 1 && box.height > 1 && getComputedStyle(node).visibility === "visible";
};
const filled = () => {
  if (!body) return false;
  const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) {
    const holder = node.parentElement;
    if (node.data.trim() && !/^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE)$/.test(holder.tagName) && shown(holder)) return true;
  }
  for (const node of body.querySelectorAll("img,svg,canvas,video,iframe,object,embed,input")) {
    if (shown(node)) return true;
  }
  for (const node of [root, body, ...body.querySelectorAll("*")].slice(0, 500)) {
    if (getComputedStyle(node).backgroundImage !== "none" && shown(node)) return true;
  }
  return root.shadowRoot !== null || [...body.querySelectorAll("*")].some((node) => node.shadowRoot);
};
const looked = () => ({
  title: document.title.slice(0, 500),
  status: performance.getEntriesByType("navigation")[0]?.responseStatus ?? 0,
  ready: document.readyState,
  fonts: document.fonts.status,
  images: pending.slice(0, 20).map((url) => url.slice(0, 500)),
  broken: broken.map((url) => url.slice(0, 500)),
  height: Math.max(root.scrollHeight, body ? body.scrollHeight : 0),
  x: scrollX,
  y: scrollY,
  empty: !filled(),
});
