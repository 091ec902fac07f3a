// One row of the element table.

function fieldOf(record) {
  const { element, tag } = record;
  const pushes = tag === "input" && record.kind === "control";
  if (record.kind !== "field" && !pushes) return null;
  const type = tag === "input" ? inputType(element) : { select: "select", textarea: "textarea" }[tag] ?? record.role ?? "textbox";
  return {
    type,
    name: attr(element, "name", 200),
    label: nameOf(record),
    label_source: pushes ? "none" : labelSource(record),
    placeholder: attr(element, "placeholder", 300) || attr(element, "aria-placeholder", 300),
    beside: pushes ? "" : looseLabel(record),
    required: has(element, "required") || attr(element, "aria-required") === "true",
    autocomplete: attr(element, "autocomplete", 100),
    inputmode: attr(element, "inputmode", 40),
    form: formIndex(record),
  };
}

function isInline(record) {
  if (record.kind !== "control" || record.block || !/^inline$/u.test(record.display)) return false;
  let block = record.up;
  while (block && !block.block) block = block.up;
  if (!block) return false;
  let outside = 0;
  for (let i = block.firstRun; i < Math.min(block.lastRun, block.firstRun + 200); i += 1) {
    if (runs[i].seen && !runs[i].record.control) outside += runs[i].text.length;
  }
  return outside >= 10;
}

function rowOf(record, number) {
  const shown = record.visible;
  // A box with a picture behind it may hold words of its own.
  const long = record.kind === "landmark" || (record.kind === "image" && !ownText(record));
  const rows = shown && !long ? textRows(record) : [];
  const { x, y, width, height } = record.box;
  return {
    n: number,
    tag: record.tag,
    role: record.role,
    name: nameOf(record),
    text: long ? "" : visibleText(record, 400),
    characters: long ? 0 : characters(record),
    selector: selectorOf(record),
    box: [x, y, width, height],
    visible: shown,
    covered: shown && isCovered(record),
    landmark: landmarkOf(record),
    heading_level: levelOf(record),
    clickable: record.kind === "control",
    inline: isInline(record),
    disabled: /^(?:control|field)$/u.test(record.kind) && isDisabled(record),
    lines: countLines(rows),
    style: shown ? styleOf(record, rows) : null,
    link: linkOf(record),
    field: fieldOf(record),
    picture: pictureOf(record),
  };
}
