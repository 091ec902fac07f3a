"""Lab timings: measured on a shared machine, shown and never scored."""

from collections.abc import Callable

from analyzer.rules.rule import Check, Limits, Proof, Rule, Verdict, above, crossed, skip
from analyzer.view import View
from contracts.facts import PageFacts
from contracts.result import Grade, LiftFactor, Reliability

_Read = Callable[[PageFacts], float | None]


def _figure(metric: str, unit: str, read: _Read) -> Check:
    def check(view: View, limits: Limits) -> list[Verdict]:
        value = read(view.facts)
        if value is None:
            return skip("Not measured", Reliability.INDICATIVE)
        outcome = above(value, limits)
        proof = Proof(metric, round(value, 3), crossed(outcome, limits), unit)
        return [Verdict(outcome, round(value, 3), (proof,), reliability=Reliability.INDICATIVE)]

    return check


def _bytes(facts: PageFacts) -> float | None:
    return facts.network.transferred_bytes or None


RULES = (
    Rule(
        id="perf.lcp",
        definition="Largest contentful paint above 2.5 s: warn, above 4.0 s: fail (one lab run, indicative).",
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
        definition="Cumulative layout shift above 0.10: warn, above 0.25: fail (one lab run, indicative).",
        factor=LiftFactor.DISTRACTION,
        category="performance",
        grade=Grade.A,
        sources=("web.dev, Core Web Vitals: Cumulative Layout Shift",),
        check=_figure("cumulative_layout_shift", "", lambda facts: facts.performance.cumulative_layout_shift),
        indicative=True,
    ),
    Rule(
        id="perf.tbt",
        definition="Total blocking time above 200 ms: warn, above 600 ms: fail (one lab run, indicative).",
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
        definition="More than 2.6 MB transferred: warn, more than 5 MB: fail (one lab run, indicative).",
        factor=LiftFactor.DISTRACTION,
        category="performance",
        grade=Grade.B,
        sources=("HTTP Archive 2025: median page 2.6 MB on the phone", "Lighthouse: enormous network payloads, 5 MB"),
        check=_figure("transferred", "bytes", _bytes),
        unit="bytes",
        indicative=True,
    ),
)
