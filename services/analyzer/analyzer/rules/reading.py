"""Rules about reading the page's text."""

import statistics

from analyzer import lexicon, readability
from analyzer.rules.cta import least_contrast
from analyzer.rules.rule import PITCH, Limits, Proof, Rule, Verdict, above, crossed, skip
from analyzer.view import View
from contracts.facts import Element
from contracts.result import Grade, LiftFactor, Outcome, Reliability

_TEXT_CAP = 400
_EM_SHARE = 0.5
_AA: Limits = {"normal": 4.5, "large": 3.0, "large_px": 24, "large_bold_px": 18.66}
_ROUNDING_PX = 0.05
_OUTSIDE = frozenset({"nav", "footer", "consent", "dialog"})
_BLOCKS = frozenset({"p", "div", "li", "blockquote", "dd"})


def paragraphs(view: View) -> list[Element]:
    """Return the blocks of running text of the page's own content."""
    return [
        e for e in view.seen if e.tag in _BLOCKS and e.text.strip() and e.landmark not in _OUTSIDE and not e.clickable
    ]


def _readability(view: View, limits: Limits) -> list[Verdict]:
    if view.language not in readability.LANGUAGES:
        return skip("No formula for this language")
    blocks = [e.text if len(e.text) < _TEXT_CAP else readability.whole_sentences(e.text) for e in paragraphs(view)]
    prose = [block for block in blocks if readability.is_prose(block)]
    measured = readability.measure(prose, view.language)
    if measured is None or measured.words < limits["words"]:
        return skip("Too little running text")
    if not readability.speaks(prose, view.language):
        return skip("The text is not in the language that the page declares")
    if view.language == "en":
        grade = round(measured.grade, 1)
        outcome = above(grade, limits)
        return [Verdict(outcome, grade, (Proof("school_grade", grade, crossed(outcome, limits), "grade"),))]
    ease = round(measured.ease, 1)
    outcome = (
        Outcome.FAIL if ease < limits["ease_fail"] else Outcome.WARN if ease < limits["ease_warn"] else Outcome.PASS
    )
    least = limits["ease_fail"] if outcome is Outcome.FAIL else limits["ease_warn"]
    proof = Proof("reading_ease", ease, least, "points")
    return [Verdict(outcome, ease, (proof,), "ease", reliability=Reliability.ESTIMATED)]


def _small_text(view: View, limits: Limits) -> list[Verdict]:
    stats = view.facts.text_stats
    if stats.characters < limits["characters"]:
        return skip("Too little text")
    share = stats.characters_below_12px / stats.characters
    tiny = [e for e in view.seen if e.text.strip() and e.style is not None and 0 < e.style.font_px < limits["small_px"]]
    if share > limits["fail"]:
        proof = Proof("share_of_text_below_12px", round(share, 3), limits["fail"], "share")
        sizes = (Proof("font_size", e.style.font_px if e.style else 0, limits["small_px"], "px", e) for e in tiny)
        return [Verdict(Outcome.FAIL, round(share, 3), (proof, *sizes), total=len(tiny))]
    median = stats.body_font_px_median
    if view.mobile and 0 < median < limits["mobile_px"] - _ROUNDING_PX:
        proof = Proof("median_text_size", round(median, 1), limits["mobile_px"], "px")
        return [Verdict(Outcome.WARN, round(median, 1), (proof,), "mobile_body")]
    return [Verdict(Outcome.PASS, round(share, 3), (Proof("share_of_text_below_12px", round(share, 3)),))]


def _ratio(element: Element) -> float:
    contrast = element.style.contrast if element.style else None
    return 1 if contrast is None else contrast


def _on_plain(view: View, element: Element) -> bool:
    style = element.style
    return style is not None and not style.background_is_image and (style.filled or not view.on_picture(element))


def _faint(view: View) -> list[Element]:
    return [
        e
        for e in view.seen
        if e.text.strip()
        and not e.disabled
        and e.style is not None
        and e.style.contrast is not None
        and e.style.contrast < least_contrast(e, _AA)
        and (e.style.contrast_estimated or _on_plain(view, e))
    ]


def _text_contrast(view: View, limits: Limits) -> list[Verdict]:
    stats = view.facts.text_stats
    if stats.characters < limits["characters"]:
        return skip("Too little text")
    faint = _faint(view)
    # Colours under text on pictures are guesses: count what is known to fail, and the rest only beyond that text.
    plain = [e for e in faint if e.style is not None and not e.style.contrast_estimated]
    known = min(sum(len(e.text) for e in plain), stats.characters_failing_aa)
    unsure = max(0, stats.characters_on_image - stats.characters_on_image_failing_aa)
    failing = max(stats.characters_failing_aa - unsure, known) + stats.characters_on_image_failing_aa
    share = min(1.0, failing / stats.characters)
    outcome = above(round(share, 3), limits)
    proofs = [Proof("share_of_faint_text", round(share, 3), crossed(outcome, limits), "share")]
    faint.sort(key=lambda e: -len(e.text))
    proofs += [
        Proof("contrast_ratio", round(e.style.contrast, 2), least_contrast(e, _AA), ":1", e)
        for e in faint
        if e.style is not None and e.style.contrast is not None
    ]
    reliability = Reliability.ESTIMATED if stats.characters_on_image else Reliability.MEASURED
    near = all(_ratio(e) >= limits["near"] * least_contrast(e, _AA) for e in faint)
    variant = "near" if faint and near else ""
    return [Verdict(outcome, round(share, 3), tuple(proofs), variant, total=len(faint), reliability=reliability)]


def _characters_a_line(element: Element) -> float:
    if element.characters:
        return element.characters / element.lines
    if len(element.text) < _TEXT_CAP or element.style is None or element.style.font_px <= 0:
        return len(element.text) / element.lines
    return element.box.width / (element.style.font_px * _EM_SHARE)  # the stored text is cut: estimate by width


def _line_length(view: View, limits: Limits) -> list[Verdict]:
    long = [e for e in paragraphs(view) if e.lines >= limits["lines"]]
    if not long or view.language in lexicon.UNSPACED:
        return skip("No paragraph of three lines")
    median = round(statistics.median(_characters_a_line(e) for e in long))
    wide = sorted((e for e in long if _characters_a_line(e) > limits["warn"]), key=lambda e: -_characters_a_line(e))
    outcome = above(median, limits)
    proofs = tuple(
        Proof("characters_a_line", round(_characters_a_line(e)), limits["warn"], "characters", e) for e in wide
    )
    cut = any(not e.characters and len(e.text) >= _TEXT_CAP for e in long)
    reliability = Reliability.ESTIMATED if cut else Reliability.MEASURED
    return [Verdict(outcome, median, proofs, total=len(wide), reliability=reliability)]


RULES = (
    Rule(
        id="copy.readability",
        definition="Flesch–Kincaid grade of the running text above 9: warn, above 12: fail. In other languages the "
        "language's own Flesch formula below 60: warn, below 50: fail (estimated). Needs 100 words.",
        factor=LiftFactor.CLARITY,
        category="copy",
        grade=Grade.B,
        sources=("Unbounce conversion benchmark 2024 (41,000 pages, a correlation)",),
        check=_readability,
        unit="grade",
        types=PITCH,
        heuristics=("nielsen-2",),
    ),
    Rule(
        id="copy.small_text",
        definition="More than 40 % of the visible characters below 12 px: fail. On the phone, median size of the "
        "running text below 16 px: warn.",
        factor=LiftFactor.CLARITY,
        category="copy",
        grade=Grade.B,
        sources=("Lighthouse font-size audit: 60 % of the text at 12 px or more", "Convention for 16 px"),
        check=_small_text,
        unit="share",
    ),
    Rule(
        id="copy.text_contrast",
        definition="Share of the visible characters below WCAG AA contrast above 5 %: warn, above 15 %: fail. Text on "
        "photographs is judged by the pixels behind it (estimated).",
        factor=LiftFactor.CLARITY,
        category="copy",
        grade=Grade.A,
        sources=("WCAG 2.2 SC 1.4.3 Contrast (Minimum)",),
        check=_text_contrast,
        unit="share",
        heuristics=("nielsen-4",),
    ),
    Rule(
        id="copy.line_length",
        definition="Paragraphs of three lines or more with a median above 90 characters a line: warn.",
        factor=LiftFactor.CLARITY,
        category="copy",
        grade=Grade.B,
        sources=("WCAG 2.2 SC 1.4.8 Visual Presentation: 80 characters", "Baymard Institute: 50 to 75 characters"),
        check=_line_length,
        unit="characters",
    ),
)
