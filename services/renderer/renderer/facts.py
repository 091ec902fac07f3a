"""What is read from a page: the script that reads it, and its answer as `PageFacts`. The answer is hostile data."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from contracts.facts import Element, Form, Meta, Network, Overlay, OverlayKind, PageFacts, Performance, TextStats
from contracts.geometry import Viewport
from renderer import raw, scripts
from renderer.elements import ELEMENT_CAP, FirstScreen, element
from renderer.raw import Json, Object

T = TypeVar("T")

WORLD: Final = "cro"
"""Name of the isolated world in which both scripts run: the page's scripts cannot reach it."""

_PARTS: Final = (
    "dom",
    "colour",
    "ground",
    "walk",
    "kinds",
    "names",
    "selectors",
    "style",
    "cover",
    "links",
    "pictures",
    "elements",
    "forms",
    "overlays",
    "texts",
    "blocks",
    "document",
)

_VITALS: Final = scripts.part("vendor/web-vitals/web-vitals.attribution.iife.js").partition("//# sourceMappingURL")[0]
_LIBRARY: Final = f"(() => {{ {_VITALS}\nreturn webVitals; }})()"

OBSERVER: Final = scripts.part("reading/observer.js").replace("VITALS;", f"{_LIBRARY};")
"""Runs before the page does, in WORLD: what a browser tells about paints, shifts and long tasks only once."""

SCRIPT: Final = scripts.joined(scripts.LEXICON, *(f"reading/{name}.js" for name in _PARTS), answer="answer()").replace(
    # A page without any script of its own gets no observer beforehand; what is buffered can still be had.
    '"use strict";',
    f'"use strict";\n{OBSERVER.rstrip()};',
    1,
)
"""One expression that returns the page as JSON. Run it in WORLD, in the top frame, at scroll position 0."""

TEXT_CAP: Final = 200_000
URL_CAP: Final = 2_000
_TIMES: Final = ("_ms", "_paint", "_shift")
_FORMS, _OVERLAYS, _NOTES = 60, 40, 20
_PURPOSES: Final = frozenset({"search", "login", "newsletter", "checkout", "lead"})


def parse(raw_facts: str, viewport: Viewport, network: Network) -> PageFacts:
    """Check the script's answer. Wrong entries are left out and counted in `truncated`.

    Raises ServiceError(PAGE_UNSTABLE) where there is no answer at all.
    """
    page = raw.load(raw_facts)
    screen = FirstScreen.of(viewport, raw.child(page.get("view")))
    notes = [raw.token(note) for note in raw.items(page.get("truncated"), _NOTES)]
    forms = _kept(raw.rows(page.get("forms"), _FORMS), _form, "forms", notes)
    places = {place: new for new, (place, _) in enumerate(forms)}
    rows = raw.rows(page.get("elements"), ELEMENT_CAP)
    elements = _kept(rows, lambda row: element(row, screen, places), "elements", notes)
    overlays = _kept(raw.rows(page.get("overlays"), _OVERLAYS), _overlay, "overlays", notes)
    return PageFacts(
        viewport=viewport,
        url=raw.text(page.get("url"), URL_CAP),
        language=raw.token(page.get("language")),
        direction="rtl" if page.get("direction") == "rtl" else "ltr",
        meta=_meta(raw.child(page.get("meta"))),
        scroll_width=raw.number(page.get("scroll_width"), 0),
        page_height=raw.number(page.get("page_height"), 0),
        elements=[found for _, found in elements],
        forms=[found for _, found in forms],
        overlays=[found for _, found in overlays],
        text=raw.prose(page.get("text"), TEXT_CAP),
        star_rows=int(raw.number(page.get("star_rows"), 0, ELEMENT_CAP)),
        text_stats=_stats(raw.child(page.get("text_stats"))),
        network=network,
        performance=_performance(raw.child(page.get("performance"))),
        truncated=[note for note in notes if note],
    )


def as_met(later: PageFacts, first: PageFacts) -> PageFacts:
    """Return `later` with the layers, and what they covered, as the visitor met them `first`.

    Layers that are gone keep their element, at the end of the table.
    """
    covered = {element.selector for element in first.elements if element.covered}
    selectors = {element.id: element.selector for element in first.elements}
    ids = {element.selector: element.id for element in later.elements}
    elements = [
        element.model_copy(update={"covered": element.covered or element.selector in covered})
        for element in later.elements
    ]
    overlays = []
    for overlay in first.overlays:
        selector = selectors.get(overlay.element_id, "")
        if selector and selector not in ids:
            ids[selector] = f"e{_last_number(elements) + 1}"
            gone = next(element for element in first.elements if element.id == overlay.element_id)
            elements.append(gone.model_copy(update={"id": ids[selector]}))
        overlays.append(overlay.model_copy(update={"element_id": ids.get(selector, "")}))
    known = {overlay.element_id for overlay in overlays}
    overlays += [overlay for overlay in later.overlays if overlay.element_id not in known]
    return later.model_copy(update={"elements": elements, "overlays": overlays, "performance": first.performance})


def _last_number(elements: Sequence[Element]) -> int:
    return max((int(element.id[1:]) for element in elements), default=0)


def _kept(rows: list[Object], read: Callable[[Object], T | None], name: str, notes: list[str]) -> list[tuple[int, T]]:
    found = [(place, value) for place, row in enumerate(rows) if (value := read(row)) is not None]
    if len(found) < len(rows):
        notes.append(f"{name}_dropped_{len(rows) - len(found)}")
    return found


def _id(value: Json) -> str:
    return f"e{number}" if (number := raw.count(value)) else ""


def _form(row: Object) -> Form | None:
    if "element" not in row:
        return None
    purpose, method = raw.token(row.get("purpose")), raw.token(row.get("method"))
    return Form(
        element_id=_id(row["element"]),
        action=raw.text(row.get("action"), URL_CAP),
        method=method if method in {"post", "dialog"} else "get",
        purpose=purpose if purpose in _PURPOSES else "",
    )


def _overlay(row: Object) -> Overlay | None:
    box, kind = raw.box(row.get("box")), raw.token(row.get("kind"))
    if box is None or kind not in list(OverlayKind):
        return None
    return Overlay(
        element_id=_id(row.get("element")),
        kind=OverlayKind(kind),
        box=box,
        coverage=round(raw.number(row.get("coverage"), 0, 1), 4),
        has_reject=row.get("has_reject") is True,
    )


def _meta(row: Object) -> Meta:
    og = raw.child(row.get("og"))
    names = [name for name in list(og)[:40] if raw.token(name, 60)]
    return Meta(
        title=raw.text(row.get("title"), 1_000),
        description=raw.optional(row.get("description"), 4_000),
        viewport=raw.optional(row.get("viewport"), 500),
        canonical=raw.optional(row.get("canonical"), URL_CAP),
        robots=raw.text(row.get("robots"), 200),
        og={raw.token(name, 60): raw.text(og[name], 1_000) for name in names},
        json_ld_types=[kind for value in raw.items(row.get("json_ld_types"), 60) if (kind := raw.text(value, 80))],
    )


def _stats(row: Object) -> TextStats:
    counts = {name: raw.count(row.get(name)) for name in TextStats.model_fields if name != "body_font_px_median"}
    median = round(raw.number(row.get("body_font_px_median"), 0, 1_000), 2)
    return TextStats.model_validate({**counts, "body_font_px_median": median})


def _performance(row: Object) -> Performance:
    times = {name: raw.measured(row.get(name)) for name in Performance.model_fields if name.endswith(_TIMES)}
    selectors = {name: raw.text(row.get(name), 300) for name in Performance.model_fields if name.endswith("_selector")}
    return Performance.model_validate({**times, **selectors})
