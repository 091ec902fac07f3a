// The page's objects, reached in ways that the page cannot bend: a form whose field is called "parentNode" answers with
// that field, and so does `document`, so every property is read through its prototype's own getter.

const LIMITS = {
  visits: 120000, // nodes walked
  milliseconds: 1000, // the caller waits; a slow page gets less, not later
  elements: 2000,
  hidden: 300,
  text: 200000,
  runs: 20000,
  measured: 4000, // text runs that get a range of their own
  attribute: 2000,
  hitTests: 1500,
  tries: 800, // selectors tried beyond the ones that are unique by count
  plates: 300,
  blocks: 800,
  solids: 4000,
};
const started = performance.now();
const notes = new Set();
const late = () => performance.now() - started > LIMITS.milliseconds;

const getter = (prototype, name) => {
  const { get } = Object.getOwnPropertyDescriptor(prototype, name);
  return (object) => Reflect.apply(get, object, []);
};
const method = (prototype, name) => {
  const own = prototype[name];
  return (object, ...values) => Reflect.apply(own, object, values);
};

const kindOf = getter(Node.prototype, "nodeType");
const parentOf = getter(Node.prototype, "parentNode");
const firstOf = getter(Node.prototype, "firstChild");
const nextOf = getter(Node.prototype, "nextSibling");
const contentOf = getter(Node.prototype, "textContent");
const documentOf = getter(Node.prototype, "ownerDocument");
const rootOf = method(Node.prototype, "getRootNode");
const contains = method(Node.prototype, "contains");
const dataOf = getter(CharacterData.prototype, "data");
const tagOf = getter(Element.prototype, "localName");
const shadowOf = getter(Element.prototype, "shadowRoot");
const hostOf = getter(ShadowRoot.prototype, "host");
const rectOf = method(Element.prototype, "getBoundingClientRect");
const readAttribute = method(Element.prototype, "getAttribute");
const has = method(Element.prototype, "hasAttribute");
const attributesOf = method(Element.prototype, "getAttributeNames");
const scrollHeightOf = getter(Element.prototype, "scrollHeight");
const scrollWidthOf = getter(Element.prototype, "scrollWidth");
const clientHeightOf = getter(Element.prototype, "clientHeight");
const clientWidthOf = getter(Element.prototype, "clientWidth");
const assignedTo = method(HTMLSlotElement.prototype, "assignedNodes");
const bodyOf = getter(Document.prototype, "body");
const rootElementOf = getter(Document.prototype, "documentElement");
const frameDocumentOf = getter(HTMLIFrameElement.prototype, "contentDocument");
const naturalWidthOf = getter(HTMLImageElement.prototype, "naturalWidth");
const naturalHeightOf = getter(HTMLImageElement.prototype, "naturalHeight");
const completeOf = getter(HTMLImageElement.prototype, "complete");
const currentSrcOf = getter(HTMLImageElement.prototype, "currentSrc");
const videoWidthOf = getter(HTMLVideoElement.prototype, "videoWidth");
const videoHeightOf = getter(HTMLVideoElement.prototype, "videoHeight");

const inDocument = { all: method(Document.prototype, "querySelectorAll"), one: method(Document.prototype, "querySelector") };
const inShadow = {
  all: method(DocumentFragment.prototype, "querySelectorAll"),
  one: method(DocumentFragment.prototype, "querySelector"),
};
const inElement = { all: method(Element.prototype, "querySelectorAll"), one: method(Element.prototype, "querySelector") };
const searchIn = (scope) => ({ 1: inElement, 9: inDocument, 11: inShadow })[kindOf(scope)];
const all = (scope, selector) => searchIn(scope).all(scope, selector);
const one = (scope, selector) => searchIn(scope).one(scope, selector);

const attr = (element, name, cap = LIMITS.attribute) => (readAttribute(element, name) ?? "").slice(0, cap).trim();
const squeeze = (text, cap) => text.slice(0, cap * 4).replace(/\s+/gu, " ").trim().slice(0, cap);
const words = (element) => `${attr(element, "id", 200)} ${attr(element, "class", 400)}`.toLowerCase();

const page = {
  root: rootElementOf(document),
  body: bodyOf(document),
  left: window.scrollX,
  top: window.scrollY,
};
const view = {
  // On a phone without a viewport tag the first screen is 980 wide: the visual viewport knows.
  width: Math.max(1, visualViewport?.width || innerWidth),
  height: Math.max(1, visualViewport?.height || innerHeight),
  layout: page.root ? clientWidthOf(page.root) || innerWidth : innerWidth,
};
