"""Rules about the headline and the first screen."""

from analyzer import lexicon
from analyzer.rules.rule import (
    OFFER,
    PITCH,
    Limits,
    Proof,
    Rule,
    Verdict,
    above,
    crossed,
    passed,
    skip,
)
from analyzer.view import View
from contracts.facts import Element
from contracts.result import Grade, LiftFactor, Outcome


def _titles(view: View) -> list[Element]:
    return [e for e in view.seen if e.heading_level == 1 and (e.text.strip() or e.name.strip())]


def _large(view: View, px: float) -> list[Element]:
    return [
        element
        for element in view.seen
        if element.first_screen > 0
        and element.text.strip()
        and element.style is not None
        and element.style.font_px >= px
        and not element.field
    ]


def _lower(view: View) -> list[Element]:
    """Return headings of a lower level in the first screen: a small title is a title all the same."""
    return [
        e for e in view.seen if e.heading_level > 1 and e.first_screen > 0 and e.text.strip() and e.landmark != "nav"
    ]


def _present(view: View, limits: Limits) -> list[Verdict]:
    titles, px = _titles(view), limits["px"]
    large = _large(view, px) or [title for title in titles if title.first_screen > 0 and not title.text.strip()]
    named = large or _lower(view)
    if not titles and not named:
        return [Verdict(Outcome.FAIL, 0, variant="missing")]
    if not titles:
        biggest = max(named, key=lambda e: e.style.font_px if e.style else 0)
        proof = Proof("level_one_headings", 0, 1, "headings", biggest)
        return [Verdict(Outcome.FAIL, 0, (proof,), "untagged", subject=biggest.text)]
    if not large:
        size = max(title.style.font_px if title.style else 0 for title in titles)
        proof = Proof("largest_text_in_first_screen", "none", px, "px", titles[0])
        return [Verdict(Outcome.FAIL, size, (proof,), "small", subject=titles[0].text)]
    proofs = tuple(Proof("level_one_headings", len(titles), 1, "headings", title) for title in titles)
    outcome = Outcome.WARN if len(titles) > 1 else Outcome.PASS
    return [Verdict(outcome, len(titles), proofs, total=len(titles), subject=titles[0].text or titles[0].name)]


def _length(view: View, limits: Limits) -> list[Verdict]:
    titles = [title for title in _titles(view) if title.text.strip()]
    if not titles or view.language in lexicon.UNSPACED:
        return skip("No main headline in text" if not titles else "Words cannot be counted in this language")
    title = titles[0]
    text = " ".join(title.text.split())
    words = len(text.split())
    proof = Proof("headline_words", words, limits["warn"], "words", title)
    if words == 1:
        return [Verdict(Outcome.WARN, words, (proof,), "single", text)]
    outcome = above(words, limits)
    if outcome is Outcome.PASS and len(text) > limits["characters"]:
        proof = Proof("headline_characters", len(text), limits["characters"], "characters", title)
        return [Verdict(Outcome.WARN, words, (proof,), "characters", text)]
    if outcome is Outcome.PASS:
        return passed(words, proof, subject=text)
    proof = Proof("headline_words", words, crossed(outcome, limits), "words", title)
    return [Verdict(outcome, words, (proof,), subject=text)]


def _density(view: View, limits: Limits) -> list[Verdict]:
    if view.language in lexicon.UNSPACED:
        return skip("Words cannot be counted in this language")
    words = view.facts.text_stats.words_first_screen
    outcome = above(words, limits)
    return [Verdict(outcome, words, (Proof("words_in_first_screen", words, crossed(outcome, limits), "words"),))]


RULES = (
    Rule(
        id="headline.present",
        definition="No visible h1, or no text of at least 24 px in the first screen: fail; worst where no "
        "other heading stands there either. More than one visible h1: warn.",
        factor=LiftFactor.VALUE_PROPOSITION,
        category="headline",
        grade=Grade.C,
        sources=("Convention: one headline says what the page offers", "WCAG 2.2 SC 1.3.1 Info and Relationships"),
        check=_present,
        unit="headings",
        heuristics=("nielsen-1",),
    ),
    Rule(
        id="headline.length",
        definition="Main headline of more than 12 words or 70 characters, or of one word: warn. More than 20 words: "
        "fail.",
        factor=LiftFactor.CLARITY,
        category="headline",
        grade=Grade.C,
        sources=("Convention: a headline is read in one glance",),
        check=_length,
        unit="words",
        types=OFFER,
        heuristics=("nielsen-8",),
    ),
    Rule(
        id="hero.density",
        definition="Visible words in the first screen: more than 120 warn, more than 200 fail.",
        factor=LiftFactor.DISTRACTION,
        category="headline",
        grade=Grade.C,
        sources=("Convention: the first screen is scanned, not read",),
        check=_density,
        unit="words",
        types=PITCH,
        heuristics=("nielsen-8",),
    ),
)
