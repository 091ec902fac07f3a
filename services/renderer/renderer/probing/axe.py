"""A second opinion by axe-core: a bounded set of its rules, run in the isolated world."""

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from contracts.facts import Axe, AxeCheck, AxeTarget, Element
from renderer import raw
from renderer.page import Page
from renderer.probing import script
from renderer.raw import Json, Object

LONGEST: Final = timedelta(seconds=2)
"""What axe-core may take of a page's time, its own loading included."""

CHEAP: Final = (
    "area-alt",
    "button-name",
    "document-title",
    "frame-title",
    "html-has-lang",
    "html-lang-valid",
    "image-alt",
    "input-button-name",
    "input-image-alt",
    "label",
    "link-name",
    "meta-viewport",
    "select-name",
)
DEAR: Final = ("target-size",), ("color-contrast",)
"""These look at every text and every control, so each of them runs by itself: what came before it is kept."""

_NODES: Final = 6_000
_TARGETS: Final = 50
_NEAR_PX: Final = 1.5
_IMPACTS: Final = frozenset({"minor", "moderate", "serious", "critical"})
_ENGINE: Final = script.read("vendor/axe-core/axe.min.js") + "\n;''"
_RUN: Final = script.read("probing/axe.js")


async def run(page: Page, elements: list[Element], longest: timedelta = LONGEST) -> Axe | None:
    """Run axe-core for at most `longest`. None where it could not be loaded or the page is too large for it."""
    begun = time.monotonic()
    left = longest
    await script.ask(page, _ENGINE, left)
    checks: list[AxeCheck] = []
    version, run_ms, complete = "", 0.0, True
    for names in (CHEAP, *DEAR):
        left = longest - timedelta(seconds=time.monotonic() - begun)
        source = script.with_values(_RUN, WANTED=names, LIMITS={"nodes": _NODES, "targets": _TARGETS})
        answer = await script.run(page, source, left)
        if answer is None or "skipped" in answer:
            complete = False
            break
        version = raw.text(answer.get("version"), 20)
        run_ms += raw.number(answer.get("run_ms"), 0, 60_000)
        checks += [
            _check(row, elements) for row in raw.rows(answer.get("checks"), len(names)) if row.get("id") in names
        ]
    if not version:
        return None
    return Axe(version=version, complete=complete, run_ms=round(run_ms, 1), checks=checks)


def _check(row: Object, elements: list[Element]) -> AxeCheck:
    impact = raw.token(row.get("impact"))
    return AxeCheck(
        id=raw.token(row.get("id")),
        impact=impact if impact in _IMPACTS else "",
        violations=raw.count(row.get("violations")),
        unsure=raw.count(row.get("unsure")),
        targets=list(_targets(row.get("targets"), elements)),
        unsure_targets=list(_targets(row.get("unsure_targets"), elements)),
    )


def _targets(value: Json, elements: list[Element]) -> Iterable[AxeTarget]:
    for row in raw.rows(value, _TARGETS):
        box, tag = raw.box(row.get("box")), raw.token(row.get("tag"))
        sides = (box.x, box.y, box.width, box.height) if box else ()
        same = (e for e in elements if e.tag == tag and box and _near(e, sides))
        known = next(same, None)
        yield AxeTarget(
            selector=known.selector if known else raw.text(row.get("selector"), 200),
            element_id=known.id if known else "",
            box=box,
        )


def _near(element: Element, sides: tuple[float, ...]) -> bool:
    own = element.box.x, element.box.y, element.box.width, element.box.height
    return all(abs(one - other) <= _NEAR_PX for one, other in zip(own, sides, strict=True))
