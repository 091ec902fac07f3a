"""A page in one viewport with what all rules want to know of it, worked out once."""

from collections.abc import Mapping
from dataclasses import dataclass

from analyzer import addresses, geometry, lexicon, page_type, primary
from contracts.facts import Element, Form, FormField, PageFacts, Picture
from contracts.geometry import ViewportName
from contracts.result import PageType

_NO_FIELDS = frozenset({"hidden", "submit", "button", "image", "reset", "search"})


@dataclass(frozen=True)
class Control:
    """A form control: its element and what is known of it as a field."""

    element: Element
    field: FormField


@dataclass(frozen=True)
class View:
    """What one visitor sees. `main` is the page's main action, `fields` counts a radio group once."""

    name: ViewportName
    facts: PageFacts
    type: PageType
    language: str
    actions: tuple[Element, ...]
    main: Element | None
    fields: tuple[Control, ...]
    seen: tuple[Element, ...]
    canvases: tuple[tuple[float, float, float, float, Element], ...]

    @property
    def mobile(self) -> bool:
        """Say whether this is the phone."""
        return self.name is ViewportName.MOBILE

    def fields_of(self, form: Form) -> list[Control]:
        """Return the fields of one form."""
        index = next((i for i, other in enumerate(self.facts.forms) if other is form), -2)
        return [control for control in self.fields if control.field.form == index]

    def on_picture(self, element: Element) -> bool:
        """Say whether an element lies on a picture, so that its surroundings' colour is not known."""
        x, y = element.box.x + element.box.width / 2, element.box.y + element.box.height / 2
        return any(
            # A cheap test first: pages may hold a thousand of both.
            top <= y <= bottom
            and left <= x <= right
            and canvas.id != element.id
            and geometry.area(canvas.box) > 2 * geometry.area(element.box)
            and geometry.contains(canvas.box, element.box)
            for left, top, right, bottom, canvas in self.canvases
        )


def _fields(facts: PageFacts) -> tuple[Control, ...]:
    controls: list[Control] = []
    groups: set[tuple[int, str]] = set()
    for element in facts.elements:
        field = element.field
        if field is None or not element.visible or field.type in _NO_FIELDS or element.landmark == "search":
            continue
        if field.type == "radio":
            group = (field.form, field.name)
            if group in groups:
                continue
            groups.add(group)
        controls.append(Control(element, field))
    searches = {index for index, form in enumerate(facts.forms) if form.purpose == "search"}
    return tuple(control for control in controls if control.field.form not in searches)


def _is_canvas(element: Element) -> bool:
    return element.picture is not None or (element.style is not None and element.style.background_is_image)


def _edges(element: Element) -> tuple[float, float, float, float, Element]:
    box = element.box
    return box.x, box.y, box.x + box.width, box.y + box.height, element


def _build(name: ViewportName, facts: PageFacts, kind: PageType, language: str) -> View:
    actions = primary.candidates(facts, language)
    seen = tuple(element for element in facts.elements if element.visible)
    return View(
        name=name,
        facts=facts,
        type=kind,
        language=language,
        actions=actions,
        main=primary.choose(actions, language),
        fields=_fields(facts),
        seen=seen,
        canvases=tuple(_edges(element) for element in seen if _is_canvas(element)),
    )


def build(facts: Mapping[ViewportName, PageFacts]) -> dict[ViewportName, View]:
    """Prepare every viewport, desktop first. Type and language are the page's, so that all viewports share them."""
    ordered = {name: facts[name] for name in ViewportName if name in facts}
    first = next(iter(ordered.values()))
    language = lexicon.language_of(first.language, first.text)
    kind = page_type.detect(first, language)
    return {name: _build(name, one, kind, language) for name, one in ordered.items()}


def blank(picture: Picture) -> bool:
    """Say whether a picture has come and shows nothing; an SVG may have no pixels of its own."""
    return picture.complete and picture.natural_width == 0 and not addresses.drawing(picture.src)
