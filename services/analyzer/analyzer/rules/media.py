"""Rules about pictures."""

from analyzer import addresses, geometry
from analyzer.rules.rule import Limits, Proof, Rule, Verdict, passed, skip
from analyzer.view import View, blank
from contracts.facts import Element, Picture
from contracts.result import Grade, LiftFactor, Outcome

_KILOBYTE = 1000
_HTTP_ERROR = 400
_SILENT = frozenset({"presentation", "none"})


def _pictures(view: View) -> list[tuple[Element, Picture]]:
    return [(e, e.picture) for e in view.seen if e.picture is not None and e.tag in {"img", "input", "picture"}]


def file_name(src: str) -> str:
    """Return the last part of an address, short enough for a sentence."""
    return addresses.split(src).path.rstrip("/").rpartition("/")[2][:60] or "picture"


def _broken(view: View, _limits: Limits) -> list[Verdict]:
    pictures = _pictures(view)
    if not pictures:
        return skip("The page shows no image")
    statuses = {r.url: r.status for r in view.facts.network.failed if r.status >= _HTTP_ERROR}
    proofs = []
    for element, picture in pictures:
        failed = statuses.get(picture.src)
        empty = blank(picture) and not picture.lazy
        if failed is not None or (empty and picture.src):
            value: float | str = failed if failed is not None else "no pixels"
            proofs.append(Proof("image", value, "loaded", element=element, text=file_name(picture.src)))
    outcome = Outcome.FAIL if proofs else Outcome.PASS
    return [Verdict(outcome, len(proofs), tuple(proofs), total=len(proofs))]


def _alt(view: View, limits: Limits) -> list[Verdict]:
    informative = [
        (element, picture)
        for element, picture in _pictures(view)
        if picture.alt != ""
        and element.role not in _SILENT
        and min(element.box.width, element.box.height) >= limits["least_px"]
    ]
    if not informative:
        return skip("The page shows no informative image")
    missing = [(e, p) for e, p in informative if p.alt is None and not e.name.strip()]
    share = len(missing) / len(informative)
    outcome = Outcome.FAIL if share > limits["fail"] else Outcome.WARN if missing else Outcome.PASS
    proofs = tuple(Proof("alt", "missing", "alt text", element=e, text=file_name(p.src)) for e, p in missing)
    return [Verdict(outcome, round(share, 3), proofs, total=len(missing))]


def _excess(element: Element, picture: Picture, density: float) -> float:
    """Return how many times more pixels a picture has than the screen can show."""
    shown = geometry.area(element.box) * density**2
    return picture.natural_width * picture.natural_height / shown if shown > 0 else 0


def _oversized(view: View, limits: Limits) -> list[Verdict]:
    known = {p.src: (e, p) for e, p in _pictures(view) if p.transferred_bytes and not addresses.drawing(p.src)}
    if not known:
        return skip("The size of no image is known")
    density = view.facts.viewport.device_scale_factor
    proofs, waste = [], 0.0
    for element, picture in sorted(known.values(), key=lambda pair: -(pair[1].transferred_bytes or 0)):
        kilobytes, excess = (picture.transferred_bytes or 0) / _KILOBYTE, _excess(element, picture, density)
        too_large = excess > limits["warn"] and kilobytes > limits["kilobytes"]
        if too_large or kilobytes > limits["heavy_kilobytes"]:
            waste += kilobytes * (1 - 1 / excess) if excess > 1 else 0
            limit = limits["kilobytes"] if too_large else limits["heavy_kilobytes"]
            proofs.append(Proof("image_size", round(kilobytes), limit, "kB", element, file_name(picture.src)))
    if not proofs:
        return passed(0)
    outcome = Outcome.FAIL if waste > limits["fail_kilobytes"] else Outcome.WARN
    threshold = limits["fail_kilobytes"] if outcome is Outcome.FAIL else 0
    total = Proof("wasted", round(waste), threshold, "kB")
    return [Verdict(outcome, round(waste), (*proofs, total), total=len(proofs))]


RULES = (
    Rule(
        id="media.broken",
        definition="A visible image that did not load (no pixels, or answered with 400 or more): fail.",
        factor=LiftFactor.ANXIETY,
        category="media",
        grade=Grade.A,
        sources=("A fact of the page",),
        check=_broken,
        unit="images",
        heuristics=("nielsen-4",),
    ),
    Rule(
        id="media.alt",
        definition="An informative image without an alt attribute: warn; more than 20 % of them: fail. Images marked "
        "as "
        'decorative (alt="") are left out.',
        factor=LiftFactor.CLARITY,
        category="media",
        grade=Grade.A,
        sources=("WCAG 2.2 SC 1.1.1 Non-text Content",),
        check=_alt,
        unit="share",
    ),
    Rule(
        id="media.oversized",
        definition="An image with more than 4 times the pixels the screen can show and more than 100 kB, or any image "
        "above 500 kB: warn. More than 1,000 kB wasted in all: fail.",
        factor=LiftFactor.DISTRACTION,
        category="media",
        grade=Grade.B,
        sources=("Lighthouse image audits",),
        check=_oversized,
        unit="kB",
    ),
)
