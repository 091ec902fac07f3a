"""Rules about ways off the page."""

from analyzer import primary
from analyzer.rules.rule import LANDING, Limits, Proof, Rule, Verdict, skip
from analyzer.view import View
from contracts.facts import Element
from contracts.result import Grade, LiftFactor, Outcome

_LEAST_WORDS = 50


def _links(view: View) -> list[Element]:
    distinct: dict[tuple[str, str], Element] = {}
    for element in view.seen:
        shown = element.link is not None and element.first_screen >= 0.5 and primary.label(element)  # noqa: PLR2004  # half of it: rule cta.above_fold
        if shown and primary.in_bar(element) and not primary.shaped(element):
            distinct.setdefault((element.link.href if element.link else "", primary.label(element)), element)
    return list(distinct.values())


def _link_density(view: View, limits: Limits) -> list[Verdict]:
    links, stats = _links(view), view.facts.text_stats
    if not links and stats.words < _LEAST_WORDS:
        return skip("The page has neither navigation nor text")
    share = stats.words_in_links / stats.words if stats.words >= _LEAST_WORDS else 0
    if len(links) > limits["warn"]:
        proofs = tuple(Proof("navigation_links", len(links), limits["warn"], "links", element) for element in links)
        return [Verdict(Outcome.WARN, len(links), proofs, total=len(links))]
    if share > limits["share"]:
        proof = Proof("share_of_words_in_links", round(share, 3), limits["share"], "share")
        return [Verdict(Outcome.WARN, round(share, 3), (proof,), "share")]
    return [Verdict(Outcome.PASS, len(links), (Proof("navigation_links", len(links), limits["warn"], "links"),))]


RULES = (
    Rule(
        id="nav.link_density",
        definition="Landing page with more than 7 navigation links in the first screen, or more than half of its "
        "words in "
        "links: warn.",
        factor=LiftFactor.DISTRACTION,
        category="navigation",
        grade=Grade.C,
        sources=("Attention ratio: a practitioners' convention",),
        check=_link_density,
        unit="links",
        types=LANDING,
        heuristics=("nielsen-8",),
    ),
)
