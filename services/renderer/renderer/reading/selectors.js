// Short selectors that find one element and are likely to find it again next week.

const MIXED = /[a-z][A-Z][a-z]?[A-Z]|[A-Z]{2}[a-z]+[A-Z]/u;
const STATE = /^(?:active|show|shown|open|opened|closed|collapsed?|collapsing|hidden|visible|selected|current|focus|hover|loaded|loading|lazyload(?:ed)?|in-?view|animated?|fade(?:-?in)?|is-.*|has-.*|js-.*|aos-.*|wow|ng-.*)$/u;
const UTILITY = /^(?:[mp][trblxyse]?|g[xy]?|col|row|d|w|h|text|bg|fs|fw|lh|order|offset|align|justify|flex|float|rounded|border|shadow|position|top|start|end|bottom|img|clearfix|container|display|font|gap|grid|items|self|space|leading|tracking|max|min|inset|z|opacity|overflow|object|ring|divide|transition|duration|ease|block|inline|absolute|relative|fixed|sticky|static|sr|visually)(?:-|$)/u;
const NEEDS_ESCAPE = /[^\w-]/u;
const named = new Map(); // scope → Map of selector → count

function sane(token) {
  if (!token || token.length > 40 || NEEDS_ESCAPE.test(token) || !/^[A-Za-z]/u.test(token)) return false;
  if (STATE.test(token) || MIXED.test(token)) return false;
  const parts = token.split(/[-_]+/u);
  if (/^(?:css|sc|jsx|emotion|svelte|astro|jss)$/u.test(parts[0]) && parts.length > 1) return false;
  return parts.every((part) => !generated(part));
}

function generated(part) {
  // "a8Xs1", "1x2y3z", "68b329da": digits among letters, or many of them. "col6" and "h2" are what people write.
  if (/\d{4,}/u.test(part)) return true;
  if (/\d[A-Za-z]+\d|[A-Za-z]\d+[A-Za-z]/u.test(part)) return part.length >= 5;
  return part.length >= 6 && !/[aeiouyAEIOUY]/u.test(part);
}

function classesOf(element) {
  return attr(element, "class", 600).split(/\s+/u).filter((name) => sane(name) && !UTILITY.test(name)).slice(0, 6);
}

function ways(record) {
  const { element, tag } = record;
  const list = [];
  const id = attr(element, "id", 100);
  if (sane(id)) list.push(`#${id}`);
  for (const name of ["data-testid", "data-test", "data-test-id", "data-qa", "data-cy"]) {
    const value = attr(element, name, 60);
    if (value && /^[\w .:-]+$/u.test(value)) list.push(`[${name}="${value}"]`);
  }
  const field = attr(element, "name", 80);
  if (field && /^(?:input|select|textarea|button|form|iframe)$/u.test(tag) && /^[\w .:[\]-]+$/u.test(field)) list.push(`${tag}[name="${field}"]`);
  const classes = classesOf(element);
  for (const name of classes) list.push(`${tag}.${name}`);
  if (classes.length > 1) list.push(`${tag}.${classes[0]}.${classes[1]}`);
  if (/^(?:main|header|footer|nav|h1|form|body|html)$/u.test(tag)) list.push(tag);
  return list;
}

function noteSelectors(record) {
  record.scope = rootOf(record.element);
  let counts = named.get(record.scope);
  if (!counts) named.set(record.scope, (counts = new Map()));
  record.ways = ways(record);
  for (const way of record.ways) counts.set(way, (counts.get(way) ?? 0) + 1);
}

const tries = { left: LIMITS.tries };

function isOnly(scope, selector, element) {
  tries.left -= 1;
  const found = all(scope, selector);
  return found.length === 1 && found[0] === element;
}

const roomy = () => totals.visited < 15000 && tries.left > 0 && !late();

function simple(record) {
  const counts = named.get(record.scope);
  for (const way of record.ways) {
    if (counts.get(way) !== 1) continue;
    // What is not rendered has not been counted.
    if (totals.visited > 30000 || late() || isOnly(record.scope, way, record.element)) return way;
  }
  return "";
}

function nth(element) {
  const tag = tagOf(element);
  let before = 0;
  let after = false;
  const parent = parentOf(element);
  for (let node = parent && firstOf(parent); node; node = nextOf(node)) {
    if (kindOf(node) !== 1 || tagOf(node) !== tag) continue;
    if (node === element) after = true;
    else if (after) return `${tag}:nth-of-type(${before + 1})`;
    else before += 1;
  }
  return before ? `${tag}:nth-of-type(${before + 1})` : tag;
}

function anchored(record) {
  const steps = [nth(record.element)];
  for (let node = parentOf(record.element); node && kindOf(node) === 1 && steps.length < 40; node = parentOf(node)) {
    const holder = byElement.get(node);
    const anchor = holder ? (holder.simple ??= simple(holder)) : "";
    if (anchor) {
      const close = roomy() && [...record.ways, record.tag].find((way) => isOnly(record.scope, `${anchor} ${way}`, record.element));
      const loose = `${anchor} ${steps[steps.length - 1]}`;
      if (close) return `${anchor} ${close}`;
      if (steps.length > 1 && roomy() && isOnly(record.scope, loose, record.element)) return loose;
      return [anchor, ...steps].join(" > ");
    }
    steps.unshift(nth(node));
  }
  return steps.join(" > ");
}

const byElement = new Map();

function selectorOf(record) {
  if (!byElement.size) for (const each of records) byElement.set(each.element, each);
  record.simple ??= simple(record);
  const local = record.simple || anchored(record);
  const host = kindOf(record.scope) === 11 ? hostOf(record.scope) : record.frame.element;
  const outer = host && byElement.get(host);
  return outer ? `${selectorOf(outer)} >>> ${local}` : local;
}
