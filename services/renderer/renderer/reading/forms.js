// Forms, what they are for, and the landmark that an element belongs to.

const forms = [];
const formIndexes = new Map();
const CONSENT_HINT = new RegExp(LEXICON.names.join("|"), "iu");
const LANDMARKS = { banner: "header", navigation: "nav", main: "main", contentinfo: "footer", complementary: "aside", form: "form", dialog: "dialog", alertdialog: "dialog", search: "search" };

function formRecords() {
  for (const record of records) {
    if (record.tag !== "form" || forms.length >= 60) continue;
    formIndexes.set(record, forms.length);
    forms.push(record);
  }
}

function formIndex(record) {
  for (let at = record.up; at; at = at.up) if (formIndexes.has(at)) return formIndexes.get(at);
  const id = attr(record.element, "form", 200);
  const named_ = id && one(document, `form[id="${CSS.escape(id)}"]`);
  return named_ ? forms.findIndex((form) => form.element === named_) : -1;
}

function fieldsIn(form) {
  return records.slice(form.index + 1, form.last + 1).filter((record) => record.kind === "field" && record.visible);
}

function purposeOf(form) {
  const fields = fieldsIn(form);
  const marks = fields.map((field) =>
    [attr(field.element, "name", 80), attr(field.element, "id", 80), attr(field.element, "autocomplete", 80)].join(" ").toLowerCase());
  const types = fields.map((field) => (field.tag === "input" ? inputType(field.element) : field.tag));
  const some = (pattern) => marks.some((mark) => pattern.test(mark));
  const typed = types.filter((type) => !/^(?:checkbox|radio)$/u.test(type));
  if (form.role === "search" || insideSearch(form)) return "search";
  if (typed.length <= 2 && (types.includes("search") || some(/^(?:q|s|query|search|keywords?|suche?|buscar|recherche)\b/u))) return "search";
  if (some(/cc-(?:number|exp|csc)|card-?number|kartennummer/u)) return "checkout";
  if (types.includes("password")) return "login";
  if (some(/street-address|address-line1|postal-code|shipping|billing/u)) return "checkout";
  const single = typed.length === 1 || (typed.length === 2 && some(/name/u) && !types.includes("textarea"));
  if (single && (types.includes("email") || some(/e-?mail/u))) return "newsletter";
  return fields.length ? "lead" : "";
}

function insideSearch(record) {
  for (let at = record.up; at; at = at.up) if (at.role === "search") return true;
  return false;
}

function formRows(numbers) {
  return forms.map((form) => ({
    element: numbers.get(form) ?? 0,
    action: (resolved(attr(form.element, "action", 4000)) ?? { href: "" }).href.slice(0, 2000),
    method: attr(form.element, "method", 10).toLowerCase() || "get",
    purpose: purposeOf(form),
  }));
}

function guessed(record) {
  // Pages without landmark elements still name their parts.
  if (!/^(?:div|section|ul|table)$/u.test(record.tag) || record.box.width < view.width * 0.5) return "";
  for (const word of words(record.element).split(/\s+/u).slice(0, 12)) {
    const found = /^(?:(?:site|page|main|global|top|app|l|c)[-_]*)?(header|topbar|footer|nav|navbar|navigation)(?:[-_]*(?:wrapper|container|inner|main|bar))?$/u.exec(word);
    if (found) return { header: "header", topbar: "header", footer: "footer" }[found[1]] ?? "nav";
  }
  return "";
}

function ownLandmark(record) {
  if (record.overlayKind === "consent") return "consent";
  const named_ = LANDMARKS[record.role] ?? (record.tag === "footer" || record.tag === "header" ? "" : guessed(record));
  // Many themes call their first screen a header: that is the page's main part, not its bar.
  if (named_ === "header" && record.box.height > Math.max(240, view.height * 0.3)) return "";
  if (!named_ && record.visible && CONSENT_HINT.test(words(record.element)) && consentText(record)) return "consent";
  return named_;
}

function landmarkOf(record) {
  let nearest = "";
  for (let at = record; at; at = at.up) {
    if (!at.element) break;
    at.landmark ??= ownLandmark(at);
    if (at.landmark === "consent" || at.landmark === "dialog") return at.landmark;
    nearest ||= at.landmark;
  }
  return nearest;
}

function consentText(record) {
  if (record.last - record.index > 400) return false;
  return /cookie|consent|privacy|privatsph|datenschutz|confidentialit|privacidad|privacidade|prywatno|gdpr|dsgvo|rgpd|traceurs/iu.test(visibleText(record, 2000));
}
