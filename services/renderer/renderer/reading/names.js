// Accessible names and labels, shortened from the accessible-name computation to what pages use. Values are not read.

const NAMED_BY_CONTENT = /^(?:button|link|tab|menuitem|menuitemcheckbox|menuitemradio|switch|checkbox|radio|option|heading)$/u;

function byIds(record, name) {
  const ids = attr(record.element, name, 300).split(/\s+/u).filter(Boolean).slice(0, 8);
  if (!ids.length) return "";
  const scope = rootOf(record.element);
  const parts = ids.map((id) => one(scope, `[id="${CSS.escape(id)}"]`)).filter(Boolean).map((found) => labelText(found));
  return squeeze(parts.join(" "), 300);
}

function labelText(label) {
  // A label may hold the control itself: a select's options or a text area's content are no part of its name.
  const pieces = [];
  const stack = [label];
  for (let count = 0; stack.length && count < 200; count += 1) {
    const node = stack.pop();
    if (kindOf(node) === 3) pieces.push(dataOf(node).slice(0, 400));
    if (kindOf(node) !== 1 || (node !== label && (NEVER.has(tagOf(node)) || /^(?:select|textarea)$/u.test(tagOf(node))))) continue;
    if (tagOf(node) === "img") pieces.push(attr(node, "alt", 200));
    const kids = [];
    for (let kid = firstOf(node); kid && kids.length < 200; kid = nextOf(kid)) kids.push(kid);
    stack.push(...kids.reverse());
  }
  return squeeze(pieces.join(" "), 300);
}

function labelOf(record) {
  const id = attr(record.element, "id", 200);
  const pointing = id && one(rootOf(record.element), `label[for="${CSS.escape(id)}"]`);
  const label = pointing || record.label;
  return label ? labelText(label) : "";
}

function fromContent(record) {
  const pieces = [];
  for (let i = record.firstRun; i < record.lastRun && pieces.length < 60; i += 1) {
    if (!runs[i].muted) pieces.push(runs[i].gap, runs[i].text);
  }
  for (let i = record.index + 1; i <= record.last && i < record.index + 12; i += 1) {
    const label = attr(records[i].element, "aria-label", 200);
    if (label && records[i].tag !== "img" && records[i].tag !== "svg" && !records[i].mute) pieces.push(" ", label);
  }
  return squeeze(pieces.join(""), 300);
}

function native(record) {
  const { element, tag } = record;
  if (tag === "img" || tag === "area") return attr(element, "alt", 400);
  if (tag === "svg") return svgTitle(element);
  if (tag === "input" && PUSH_TYPES.test(inputType(element))) {
    const type = inputType(element);
    if (type === "image") return attr(element, "alt", 300);
    return attr(element, "value", 300) || { submit: "Submit", reset: "Reset" }[type] || "";
  }
  if (record.kind === "field") return labelOf(record);
  if (tag === "fieldset") return squeeze(contentOf(one(element, "legend") ?? element), 200);
  return "";
}

function nameOf(record) {
  const { element } = record;
  const explicit = byIds(record, "aria-labelledby") || attr(element, "aria-label", 400);
  if (explicit) return explicit;
  const own = native(record);
  if (own) return own;
  const content = NAMED_BY_CONTENT.test(record.role) || record.kind === "control" ? fromContent(record) : "";
  return content || attr(element, "title", 300) || (record.kind === "field" ? attr(element, "placeholder", 300) : "");
}

function labelSource(record) {
  const { element } = record;
  if (byIds(record, "aria-labelledby") || attr(element, "aria-label", 400)) return "aria";
  if (labelOf(record)) return "label";
  if (attr(element, "title", 300)) return "title";
  return attr(element, "placeholder", 300) ? "placeholder" : "none";
}

function looseLabel(record) {
  // `<label>E-mail</label><input>`: people see the label; without `for` the code does not know it.
  if (!/^(?:placeholder|none)$/u.test(labelSource(record))) return "";
  for (let at = record.up, steps = 0; at && steps < 3; at = at.up, steps += 1) {
    const inside = records.slice(at.index + 1, Math.min(at.last, at.index + 60) + 1);
    if (inside.filter((each) => each.kind === "field").length > 1) return "";
    const label = inside.find((each) => each.tag === "label" && each.visible && each.index < record.index && !attr(each.element, "for", 200));
    if (label) return visibleText(label, 200);
  }
  return "";
}

function visibleText(record, cap) {
  const pieces = [];
  let length = 0;
  for (let i = record.firstRun; i < record.lastRun && length < cap; i += 1) {
    const run = runs[i];
    if (!run.seen) continue;
    pieces.push(length ? run.gap : "", run.text);
    length += run.gap.length + run.text.length;
  }
  return squeeze(pieces.join(""), cap);
}

function characters(record) {
  let sum = 0;
  for (let i = record.firstRun; i < record.lastRun; i += 1) if (runs[i].seen) sum += runs[i].text.length + (sum && runs[i].gap ? 1 : 0);
  return sum;
}
