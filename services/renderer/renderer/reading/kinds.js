// Which records are worth a row in the element table, and as what.

const FIELD_ROLES = /^(?:textbox|combobox|searchbox|listbox|spinbutton)$/u;
const CONTROL_ROLES = /^(?:button|link|tab|menuitem|menuitemcheckbox|menuitemradio|switch|checkbox|radio|option)$/u;
const LANDMARK_ROLES = /^(?:banner|navigation|main|contentinfo|complementary|search|form|dialog|alertdialog)$/u;
const LANDMARK_TAGS = /^(?:header|nav|main|footer|aside|form|dialog|search)$/u;
const PUSH_TYPES = /^(?:submit|button|image|reset)$/u;
const TEXT_TAGS = /^(?:p|li|blockquote|figcaption|dt|dd|td|th|label|legend|address|pre|caption|cite|summary)$/u;
const INPUT_ROLES = {
  checkbox: "checkbox", radio: "radio", range: "slider", number: "spinbutton", search: "searchbox",
  submit: "button", button: "button", image: "button", reset: "button",
};
const TAG_ROLES = {
  button: "button", summary: "button", textarea: "textbox", nav: "navigation", main: "main", aside: "complementary",
  form: "form", dialog: "dialog", img: "img", article: "article", ul: "list", ol: "list", li: "listitem",
  p: "paragraph", blockquote: "blockquote", figure: "figure", search: "search",
};
const INPUT_TYPES = new Set(
  ("text search tel url email password date month week time datetime-local number range color checkbox radio file hidden"
    + " submit image reset button").split(" "),
);

function inputType(element) {
  const type = attr(element, "type", 40).toLowerCase();
  return INPUT_TYPES.has(type) ? type : "text";
}

function inSectioning(record) {
  for (let at = record.up; at; at = at.up) {
    if (/^(?:article|aside|main|nav|section)$/u.test(at.tag)) return true;
  }
  return false;
}

function roleOf(record) {
  const { element, tag } = record;
  const given = attr(element, "role", 60).toLowerCase().split(/\s+/u)[0];
  if (given) return given;
  if (tag === "a") return has(element, "href") ? "link" : "";
  if (tag === "input") return INPUT_ROLES[inputType(element)] ?? "textbox";
  if (tag === "select") return has(element, "multiple") ? "listbox" : "combobox";
  if (/^h[1-6]$/u.test(tag)) return "heading";
  if (tag === "header" || tag === "footer") {
    if (inSectioning(record)) return "";
    return tag === "header" ? "banner" : "contentinfo";
  }
  if (tag === "img" && readAttribute(element, "alt") === "") return "presentation";
  return TAG_ROLES[tag] ?? "";
}

function levelOf(record) {
  if (/^h[1-6]$/u.test(record.tag)) return Number(record.tag[1]);
  if (record.role !== "heading") return 0;
  return Math.min(6, Math.max(1, Number.parseInt(attr(record.element, "aria-level", 4), 10) || 2));
}

const backgroundPhoto = (record) =>
  /url\(/u.test(record.style.backgroundImage) && record.box.width >= 200 && record.box.height >= 120;

function acts(record) {
  const { element, tag, role } = record;
  if (tag === "a" && !has(element, "href")) return isTrigger(record);
  if (tag === "a" || tag === "button" || tag === "summary" || tag === "area") return true;
  if (tag === "input") return PUSH_TYPES.test(inputType(element));
  if (CONTROL_ROLES.test(role)) return true;
  if (has(element, "onclick")) return element !== page.body && element !== page.root;
  // Scripts listen without leaving a mark; a pointing hand of its own is what the visitor sees of it.
  if (record.label || record.up.pointer || record.style.cursor !== "pointer") return false;
  if (!record.visible) return false;
  const { width, height } = record.box;
  return height <= 80 || (height <= 160 && width <= view.width * 0.6) || attributesOf(element).some((name) => HANDLER.test(name));
}

function isTrigger(record) {
  // An anchor without address is a place to jump to, unless it looks or behaves like something to press.
  const { element, style, up } = record;
  if (CONTROL_ROLES.test(record.role) || (style.cursor === "pointer" && !up.pointer)) return true;
  return colour(style.backgroundColor)[3] > 0.05 || attributesOf(element).some((name) => HANDLER.test(name));
}

function kindFor(record) {
  const { element, tag, role } = record;
  if (tag === "input" && inputType(element) === "hidden") return "";
  if (tag === "select" || tag === "textarea" || (tag === "input" && !PUSH_TYPES.test(inputType(element)))) return "field";
  if (FIELD_ROLES.test(role) || isEditable(element)) return "field";
  if (acts(record)) return "control";
  if (role === "heading") return "heading";
  if (/^(?:img|video|audio|iframe|object|embed|canvas)$/u.test(tag)) return "image";
  if (tag === "svg") return role === "img" || has(element, "aria-label") || svgTitle(element) ? "image" : "";
  if (LANDMARK_TAGS.test(tag) || LANDMARK_ROLES.test(role)) return "landmark";
  if (role === "img" || backgroundPhoto(record)) return "image";
  return "";
}

function isEditable(element) {
  return has(element, "contenteditable") && attr(element, "contenteditable") !== "false" && element !== page.body;
}

function classify(record) {
  const { element, tag } = record;
  record.pointer = record.style.cursor === "pointer" || Boolean(record.up.pointer);
  record.role = roleOf(record);
  record.kind = kindFor(record);
  if (tag === "a" && has(element, "href")) record.link = record;
  if (record.kind === "control") record.control = record;
  if (record.kind === "field") totals.fields += 1;
  if (record.visible && /^(?:img|video|svg)$/u.test(tag) && record.box.width >= 24) totals.images += 1;
  if (record.tag === "blockquote" || record.tag === "q") totals.quotes += 1;
  if (record.visible && (tag === "h1" || tag === "h2")) totals.heads += 1;
  notePlate(record);
  noteBlock(record);
  noteSelectors(record);
}

function ownText(record) {
  for (let i = record.firstRun; i < record.lastRun; i += 1) {
    if (runs[i].record === record && runs[i].seen && runs[i].text.length >= 2) return true;
  }
  return false;
}

function holdsBlocks(record) {
  for (let i = record.index + 1; i <= record.last; i += 1) if (records[i].block && records[i].visible) return true;
  return false;
}

function isTextBlock(record) {
  // A control's own parts are not rows, but a card that is one big link has paragraphs of its own.
  if (record.kind || !record.block || record.contents || record.lastRun === record.firstRun) return false;
  if (record.control && !TEXT_TAGS.test(record.tag)) return false;
  if (ownText(record)) return true;
  if (record.last - record.index > 60) return false;
  return !holdsBlocks(record) && runs.slice(record.firstRun, record.lastRun).some((run) => run.seen && !run.record.control);
}

const RANK = { control: 0, field: 0, heading: 0, landmark: 1, image: 2, text: 3 };

function candidates() {
  for (const record of records) if (isTextBlock(record)) record.kind = "text";
  let chosen = records.filter((record) => record.kind && (record.frame.up === null || /^(?:control|field)$/u.test(record.kind) || /^(?:form|img)$/u.test(record.tag)));
  const unseen = chosen.filter((record) => !record.visible);
  if (unseen.length > LIMITS.hidden) {
    const kept = new Set(unseen.sort((a, b) => RANK[a.kind] - RANK[b.kind] || a.index - b.index).slice(0, LIMITS.hidden));
    chosen = chosen.filter((record) => record.visible || kept.has(record));
    notes.add("hidden_elements");
  }
  if (chosen.length > LIMITS.elements) {
    notes.add("elements");
    chosen.sort((a, b) => RANK[a.kind] - RANK[b.kind] || a.index - b.index);
    chosen = chosen.slice(0, LIMITS.elements).sort((a, b) => a.index - b.index);
  }
  return chosen;
}
