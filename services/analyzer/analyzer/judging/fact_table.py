"""The facts of a page as the model gets them: visible text only, sections with element tables, capped and redacted."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from analyzer.judged import JudgedPage
from analyzer.judging.canaries import holds_instructions
from analyzer.judging.page_text import clean, comparable, sendable
from analyzer.judging.pictures import Picture
from analyzer.judging.questions import SECTION_TYPES
from contracts.facts import Element, LabelSource, PageFacts
from contracts.geometry import Box, ViewportName
from contracts.result import Outcome, Reliability, ResultSection

ELEMENT_CHARACTERS = 160
NAME_CHARACTERS = 80
SECTION_CHARACTERS = 1_200
TABLE_CHARACTERS = 2_000
"""All words in one section's element table, so that a wordy first section leaves room for the others."""
PAGE_CHARACTERS = 24_000
ELEMENTS_PER_SECTION = 40
MAX_SECTIONS = {ViewportName.DESKTOP: 12, ViewportName.MOBILE: 6}
_READABLE_CONTRAST = 1.2
"""WCAG ratio: below it text is a trick, and no visitor's reading. Hard to read begins far above, at 3."""
_SEPARATORS = re.compile(r"[/_+.-]+")
_HANDLES = {ViewportName.DESKTOP: "d", ViewportName.MOBILE: "m"}


@dataclass(frozen=True)
class SentElement:
    """An element that the model may name by `handle`; `text` is what was sent of its words."""

    handle: str
    element: Element
    text: str


@dataclass(frozen=True)
class SentSection:
    """A section that was sent; `text` is its words as sent, `type` our own label, `picture` what went along of it."""

    section: ResultSection
    type: str
    text: str
    elements: Mapping[str, SentElement] = field(default_factory=dict)
    picture: Picture | None = None


@dataclass(frozen=True)
class SentPage:
    """All that was sent, for checking the answer against; `document` is its JSON."""

    document: str
    sections: Mapping[str, SentSection]
    suspicious: bool = False


def build(page: JudgedPage, pictures: Mapping[str, Picture]) -> SentPage:
    """Make the fact table of a page. `pictures` are those that go along: boxes are in their pixels."""
    if not page.facts:
        return _of_pictures(page, pictures)
    sections: dict[str, SentSection] = {}
    room = PAGE_CHARACTERS
    for section in chosen(page):
        sections[section.id] = sent = _section(section, page.facts[section.viewport], room)
        room -= len(sent.text) + sum(len(one.text) for one in sent.elements.values())
    document = {
        "source": "text and measurements of a rendered web page, written by its owner",
        "page": _page(page),
        "rule_outcomes": list(_outcomes(page)),
        "sections": [_section_json(sent, pictures.get(key)) for key, sent in sections.items()],
    }
    shown = [facts.text for facts in page.facts.values()]
    told = _hidden(_told(sections.values()), shown)
    suspicious = any(map(holds_instructions, [*shown, *told, _spoken(page.url)]))
    return SentPage(json.dumps(document, ensure_ascii=False), sections, suspicious)


def _told(sections: Iterable[SentSection]) -> Iterator[str]:
    """Yield all words that are sent: a placeholder, say, is not among the page's visible text."""
    for sent in sections:
        yield sent.text
        yield from (one.text for one in sent.elements.values())


def _hidden(texts: Iterable[str], shown: Sequence[str]) -> Iterator[str]:
    """Yield the texts that do not stand in the visible text, which is searched as a whole."""
    visible = [clean(text, len(text) + 1) for text in shown]
    return (text for text in texts if not any(text in whole for whole in visible))


def _spoken(url: str) -> str:
    """Return the words of an address: its path is sent too."""
    return _SEPARATORS.sub(" ", unquote(urlsplit(url).path))


def _of_pictures(page: JudgedPage, pictures: Mapping[str, Picture]) -> SentPage:
    """Make the table of a page of which there are only pixels: what was not sent as a picture cannot be judged."""
    shown = {section.id: section for section in chosen(page) if section.id in pictures}
    sections = {key: SentSection(one, one.type, "", picture=pictures[key]) for key, one in shown.items()}
    document = {
        "source": "pictures of a web page, painted by its owner; there are no measurements and no element tables",
        "sections": [_section_json(sent, pictures[key]) for key, sent in sections.items()],
    }
    return SentPage(json.dumps(document, ensure_ascii=False), sections)


def chosen(page: JudgedPage) -> Iterator[ResultSection]:
    """Yield the sections that are sent: the first of each viewport and id, as many as one request holds."""
    left = dict(MAX_SECTIONS)
    seen: set[str] = set()
    for section in page.sections:
        known = section.viewport in page.facts or not page.facts
        if section.id not in seen and known and left[section.viewport] > 0:
            seen.add(section.id)
            left[section.viewport] -= 1
            yield section


def _section(section: ResultSection, facts: PageFacts, room: int) -> SentSection:
    elements = {one.handle: one for one in _elements(section, facts, min(TABLE_CHARACTERS, room))}
    left = room - sum(len(one.text) for one in elements.values())
    kind = section.type if section.type in SECTION_TYPES else "other"
    return SentSection(section, kind, _prose(elements.values(), min(SECTION_CHARACTERS, left)), elements)


def _elements(section: ResultSection, facts: PageFacts, room: int) -> Iterator[SentElement]:
    shown = comparable(facts.text)
    left = ELEMENTS_PER_SECTION
    for element in facts.elements:
        if not _inside(element.box, section.box) or not element.visible or _unreadable(element):
            continue
        text = _words(element, shown)
        if not text and element.field is None and element.picture is None:
            continue
        room -= len(text)
        left -= 1
        if room < 0 or left < 0:
            return
        yield SentElement(f"{_HANDLES[section.viewport]}-{element.id}", element, text)


def _prose(elements: Iterable[SentElement], room: int) -> str:
    """Join the words of a section's elements, each once: what stands inside another element is not repeated."""
    prose = known = ""
    for one in elements:
        said = comparable(one.text)
        if len(prose) + len(one.text) < room and said not in known:
            prose, known = f"{prose} {one.text}".strip(), f"{known} {said}".strip()
    return prose


def _inside(box: Box, section: Box) -> bool:
    x, y = box.x + box.width / 2, box.y + box.height / 2
    return section.x <= x < section.x + section.width and section.y <= y < section.y + section.height


def _unreadable(element: Element) -> bool:
    """Say whether a text is there and nobody can read it: painted in the colour of its ground, or next to it."""
    style = element.style
    return style is not None and style.contrast is not None and style.contrast < _READABLE_CONTRAST


def _words(element: Element, shown: str) -> str:
    """Return what a visitor reads there. Names that nobody sees (alt texts, aria labels) are an injection's way in."""
    text = sendable(element.text, ELEMENT_CHARACTERS)
    if text or not element.name or element.picture is not None:
        return text
    name = sendable(element.name, NAME_CHARACTERS)
    labelled = element.field is not None and element.field.label_source in {LabelSource.LABEL, LabelSource.PLACEHOLDER}
    return name if labelled or comparable(element.name) in shown else ""


def _page(page: JudgedPage) -> dict[str, object]:
    parts = urlsplit(page.url)
    return {
        # No query and no fragment: they may hold tokens.
        "address": sendable(f"{parts.hostname or ''}{parts.path}", 200),
        "language": clean(page.language, 20),
        "type": page.type.value,
        "heights_px": {name.value: round(facts.page_height) for name, facts in page.facts.items()},
    }


def _outcomes(page: JudgedPage) -> Iterator[dict[str, object]]:
    for rule in page.rules:
        # Timings differ in every run: they would make every page a new one, and are no business of the model.
        if rule.outcome in {Outcome.FAIL, Outcome.WARN} and rule.reliability is not Reliability.INDICATIVE:
            value = sendable(rule.value, NAME_CHARACTERS) if isinstance(rule.value, str) else rule.value
            measured = {"value": value, "unit": rule.unit, "threshold": rule.threshold}
            yield {"rule_id": rule.id, "viewport": rule.viewport, "outcome": rule.outcome, **measured}


def _section_json(sent: SentSection, picture: Picture | None) -> dict[str, object]:
    box = sent.section.box
    scale = picture.width / box.width if picture and box.width else 1.0
    return {
        "section_id": sent.section.id,
        "viewport": sent.section.viewport.value,
        "type": sent.type,
        "picture": f"{picture.width} × {picture.height} px" if picture else "none",
        "text": sent.text,
        "elements": [_element_json(one, box, scale) for one in sent.elements.values()],
    }


def _element_json(sent: SentElement, section: Box, scale: float) -> dict[str, object]:
    element = sent.element
    x, y = (element.box.x - section.x) * scale, (element.box.y - section.y) * scale
    size = element.box.width * scale, element.box.height * scale
    facts: dict[str, object] = {"id": sent.handle, "tag": clean(element.tag, 20), "text": sent.text}
    facts["box"] = [round(part) for part in (x, y, *size)]
    if element.style:
        facts |= {"font_px": element.style.font_px, "contrast": element.style.contrast}
    if element.clickable:
        facts["action"] = element.link.kind.value if element.link else "button"
    if element.field:
        facts |= {"field": clean(element.field.type, 20), "required": element.field.required}
    if element.first_screen:
        facts["first_screen"] = round(element.first_screen, 2)
    return facts
