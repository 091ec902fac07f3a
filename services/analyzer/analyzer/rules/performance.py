"""Lab timings. On a shared machine they are indicative: shown and never scored. From a reserved slot they count."""

from collections.abc import Callable

from analyzer.rules.rule import Check, Limits, Proof, Rule, Verdict, above, crossed, skip
from analyzer.view import View
from contracts.facts import Element, PageFacts
from contracts.result import Grade, LiftFactor, Reliability

RESERVED = "reserved"
"""The variant of what was measured alone, several times: it has severities of its own and is scored."""

_Read = Callable[[PageFacts], float | None]


def _figure(metric: str, unit: str, read: _Read) -> Check:
    def check(view: View, limits: Limits) -> list[Verdict]:
        value, reserved = read(view.facts), view.facts.performance.reserved
        reliability = Reliability.MEASURED if reserved else Reliability.INDICATIVE
        if value is None:
            return skip("Not measured", reliability)
        outcome = above(value, limits)
        proof = Proof(metric, round(value, 3), crossed(outcome, limits), unit, _due_to(view, metric))
        return [Verdict(outcome, round(value, 3), (proof,), RESERVED if reserved else "", reliability=reliability)]

    return check


def _due_to(view: View, metric: str) -> Element | None:
    """Return the element that web-vitals holds responsible, where it is in the element table."""
    performance = view.facts.performance
    selectors = {
        "largest_contentful_paint": performance.largest_contentful_paint_selector,
        "cumulative_layout_shift": performance.layout_shift_selector,
    }
    selector = selectors.get(metric, "")
    return next((e for e in view.seen if selector and e.selector == selector), None)


def _bytes(facts: PageFacts) -> float | None:
    return facts.network.transferred_bytes or None


RULES = (
    Rule(
        id="perf.lcp",
        definition="Largest contentful paint above 2.5 s: warn, above 4.0 s: fail. Indicative, and scored only "
        "from a reserved slot.",
        factor=LiftFactor.DISTRACTION,
        category="performance",
        grade=Grade.A,
        sources=("web.dev, Core Web Vitals: Largest Contentful Paint",),
        check=_figure("largest_contentful_paint", "ms", lambda facts: facts.performance.largest_contentful_paint_ms),
        unit="ms",
        indicative=True,
    ),
    Rule(
        id="perf.cls",
        definition="Cumulative layout shift above 0.10: warn, above 0.25: fail. Indicative, and scored only "
        "from a reserved slot.",
        factor=LiftFactor.DISTRACTION,
        category="performance",
        grade=Grade.A,
        sources=("web.dev, Core Web Vitals: Cumulative Layout Shift",),
        check=_figure("cumulative_layout_shift", "", lambda facts: facts.performance.cumulative_layout_shift),
        indicative=True,
    ),
    Rule(
        id="perf.tbt",
        definition="Total blocking time above 200 ms: warn, above 600 ms: fail. Indicative, and scored only "
        "from a reserved slot.",
        factor=LiftFactor.DISTRACTION,
        category="performance",
        grade=Grade.B,
        sources=("Lighthouse: Total Blocking Time, mobile",),
        check=_figure("total_blocking_time", "ms", lambda facts: facts.performance.total_blocking_ms),
        unit="ms",
        indicative=True,
    ),
    Rule(
        id="perf.page_weight",
        definition="More than 2.6 MB transferred: warn, more than 5 MB: fail. Indicative, and scored only "
        "from a reserved slot.",
        factor=LiftFactor.DISTRACTION,
        category="performance",
        grade=Grade.B,
        sources=("HTTP Archive 2025: median page 2.6 MB on the phone", "Lighthouse: enormous network payloads, 5 MB"),
        check=_figure("transferred", "bytes", _bytes),
        unit="bytes",
        indicative=True,
    ),
)
