"""Rules about the document's head: what search, sharing and phones read of it."""

import re

from analyzer.rules.rule import Limits, Proof, Rule, Scope, Verdict, passed, skip
from analyzer.view import View
from contracts.result import Grade, LiftFactor, Outcome

_PREVIEW = ("og:title", "og:image", "og:description")
_LEAST_SCALE = 2
_CSS_DEFAULT_PX = 980


def _title_description(view: View, limits: Limits) -> list[Verdict]:
    title, description = " ".join(view.facts.meta.title.split()), view.facts.meta.description
    verdicts: list[Verdict] = []
    if not title:
        verdicts.append(
            Verdict(Outcome.FAIL, 0, (Proof("title_length", 0, limits["title"], "characters"),), "no_title")
        )
    elif len(title) > limits["title"]:
        proof = Proof("title_length", len(title), limits["title"], "characters", text=title)
        verdicts.append(Verdict(Outcome.WARN, len(title), (proof,), "long_title"))
    size = len(" ".join((description or "").split()))
    if size == 0:
        proof = Proof("description_length", 0, limits["description"], "characters")
        verdicts.append(Verdict(Outcome.WARN, 0, (proof,), "no_description"))
    elif size > limits["description"]:
        proof = Proof("description_length", size, limits["description"], "characters", text=description or "")
        verdicts.append(Verdict(Outcome.WARN, size, (proof,), "long_description"))
    return verdicts or passed(len(title))


def _social_preview(view: View, _limits: Limits) -> list[Verdict]:
    given = {
        name if name.startswith("og:") else f"og:{name}" for name, value in view.facts.meta.og.items() if value.strip()
    }
    missing = [name for name in _PREVIEW if name not in given and f"{name}:url" not in given]
    if not missing and view.facts.meta.og_image_loads is False:
        address = view.facts.meta.og.get("og:image", "")[:200]
        return [Verdict(Outcome.WARN, "og:image", (Proof("preview_image", "does not load", text=address),), "broken")]
    if not missing:
        return passed(len(_PREVIEW))
    names = ", ".join(missing)
    return [Verdict(Outcome.WARN, names, (Proof("open_graph_tags_missing", names, "none"),))]


def viewport_options(content: str) -> dict[str, str]:
    """Parse a viewport meta tag's content as browsers do: commas, semicolons or spaces between `name=value` pairs."""
    pairs = re.findall(r"([\w-]+)\s*=\s*([\w.-]+)", content.casefold())
    return dict(pairs)


def _scale(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0 if value == "no" else 1


def _viewport(view: View, _limits: Limits) -> list[Verdict]:
    content = view.facts.meta.viewport
    if content is None:
        return [Verdict(Outcome.FAIL, "none", (Proof("viewport_meta", "none", "width=device-width"),), "missing")]
    options = viewport_options(content)
    fixed = options.get("user-scalable", "yes") in {"no", "0"}
    limited = "maximum-scale" in options and _scale(options["maximum-scale"]) < _LEAST_SCALE
    if fixed or limited:
        return [
            Verdict(Outcome.FAIL, content[:120], (Proof("viewport_meta", content[:120], "zoom to 200 %"),), "zoom_off")
        ]
    return passed(content[:120])


def _h_scroll(view: View, limits: Limits) -> list[Verdict]:
    facts = view.facts
    width = facts.viewport.width
    if facts.meta.viewport is None and facts.scroll_width >= _CSS_DEFAULT_PX:
        return skip("Without a viewport tag the phone shows the desktop page zoomed out")
    over = facts.scroll_width - width
    if facts.scroll_width <= 0 or over <= limits["tolerance_px"]:
        return passed(max(round(over), 0))
    wide = [
        e for e in view.seen if e.box.x + e.box.width > width + limits["tolerance_px"] and e.box.x < facts.scroll_width
    ]
    wide.sort(key=lambda e: -(e.box.x + e.box.width))
    total = Proof("page_width", round(facts.scroll_width), width, "px")
    proofs = (Proof("right_edge", round(e.box.x + e.box.width), width, "px", e) for e in wide)
    return [Verdict(Outcome.FAIL, round(over), (total, *proofs), total=len(wide))]


RULES = (
    Rule(
        id="meta.title_description",
        definition="No title: fail. Title above 60 characters, description missing or above 160 characters: warn.",
        factor=LiftFactor.RELEVANCE,
        category="meta",
        grade=Grade.C,
        sources=("WCAG 2.2 SC 2.4.2 Page Titled", "Convention: what a search result shows"),
        check=_title_description,
        unit="characters",
        scope=Scope.PAGE,
    ),
    Rule(
        id="meta.social_preview",
        definition="One of og:title, og:image, og:description is missing, or og:image does not load: warn.",
        factor=LiftFactor.RELEVANCE,
        category="meta",
        grade=Grade.A,
        sources=("The Open Graph protocol",),
        check=_social_preview,
        scope=Scope.PAGE,
    ),
    Rule(
        id="layout.viewport",
        definition="No viewport meta tag, or one that forbids zooming (user-scalable=no, maximum-scale below 2): fail.",
        factor=LiftFactor.CLARITY,
        category="layout",
        grade=Grade.A,
        sources=("WCAG 2.2 SC 1.4.4 Resize Text",),
        check=_viewport,
        scope=Scope.PAGE,
        heuristics=("nielsen-7",),
    ),
    Rule(
        id="layout.h_scroll",
        definition="On the phone, the page is wider than the screen by more than 1 px: fail.",
        factor=LiftFactor.CLARITY,
        category="layout",
        grade=Grade.A,
        sources=("WCAG 2.2 SC 1.4.10 Reflow",),
        check=_h_scroll,
        unit="px",
        scope=Scope.MOBILE,
        heuristics=("nielsen-8",),
    ),
)
