"""Rules about the actions that the page asks for."""

from analyzer import colours, geometry, lexicon, primary
from analyzer.rules.rule import (
    OFFER,
    PITCH,
    Limits,
    Proof,
    Rule,
    Scope,
    Verdict,
    passed,
    skip,
)
from analyzer.view import View
from contracts.facts import Element, Link, LinkKind
from contracts.result import Grade, LiftFactor, Outcome, Reliability

_NO_ACTION = "The page has no action"
_BOLD = 700
_SELF_MADE = frozenset({"checkbox", "radio", "range", "color", "file"})
_SAME_LINE_PX = 6
_HTTP_ERROR = 400
_FORBIDS_ASKING = frozenset({401, 403, 405, 406, 429, 501})
"""Answers to HEAD that say nothing about what a visitor would get."""


def _above_fold(view: View, limits: Limits) -> list[Verdict]:
    main, least = view.main, limits["share"]
    if main is None:
        return [Verdict(Outcome.FAIL, 0, variant="missing", detail=_NO_ACTION)]
    share = round(main.first_screen, 2)
    proof = Proof("share_in_first_screen", share, least, "share", main)
    if main.first_screen >= least:
        return passed(share, proof, subject=primary.label(main))
    return [Verdict(Outcome.FAIL, share, (proof,), subject=primary.label(main))]


def least_contrast(element: Element, limits: Limits) -> float:
    """Return the ratio that WCAG 1.4.3 asks of this element's text size."""
    style = element.style
    large = style is not None and (
        style.font_px >= limits["large_px"] or (style.font_px >= limits["large_bold_px"] and style.font_weight >= _BOLD)
    )
    return limits["large"] if large else limits["normal"]


def _text_contrast(view: View, limits: Limits) -> list[Verdict]:
    main = view.main
    if main is None or main.style is None or main.style.contrast is None:
        return skip(_NO_ACTION if main is None else "The label's contrast was not measured")
    if main.disabled:
        return skip("The control is disabled: WCAG exempts it")
    sampled = main.style.contrast_estimated
    on_picture = main.style.background_is_image or (not main.style.filled and view.on_picture(main))
    if on_picture and not sampled:
        return skip("The label lies on a picture: its colours are not known", Reliability.ESTIMATED)
    ratio, least = main.style.contrast, least_contrast(main, limits)
    proof = Proof("contrast_ratio", round(ratio, 2), least, ":1", main)
    outcome = Outcome.PASS if ratio >= least else Outcome.FAIL
    reliability = Reliability.ESTIMATED if sampled else Reliability.MEASURED
    return [Verdict(outcome, round(ratio, 2), (proof,), subject=primary.label(main), reliability=reliability)]


def _shape_contrast(view: View, limits: Limits) -> list[Verdict]:
    main = view.main
    style = main.style if main else None
    if main is None or style is None or main.disabled or not (style.filled or style.border_px >= 1):
        return skip(_NO_ACTION if main is None else "The action has no shape of its own")
    if style.background_is_image or view.on_picture(main):
        return skip("The action lies on a picture: its colours are not known", Reliability.ESTIMATED)
    edges = [style.background] * style.filled + [style.border_color] * (style.border_px >= 1)
    known = [ratio for edge in edges if (ratio := colours.contrast(edge, style.surround)) is not None]
    if not known:
        return skip("The colours around the action were not measured")
    ratio = round(max(known), 2)
    proof = Proof("contrast_ratio", ratio, limits["warn"], ":1", main)
    outcome = Outcome.PASS if max(known) >= limits["warn"] else Outcome.WARN
    return [Verdict(outcome, ratio, (proof,), subject=primary.label(main))]


def _nameless(view: View) -> list[Element]:
    return [
        element
        for element in view.seen
        if primary.shaped(element)
        and not primary.label(element)
        and not (element.picture and element.picture.alt)
        and element.landmark not in {"consent", "dialog"}
    ]


def _generic_label(view: View, _limits: Limits) -> list[Verdict]:
    nameless = _nameless(view)
    verdicts: list[Verdict] = []
    if nameless:
        proofs = tuple(Proof("accessible_name", "", "a name", element=element) for element in nameless)
        verdicts.append(Verdict(Outcome.FAIL, len(nameless), proofs, "nameless", total=len(nameless)))
    if view.main is not None:
        words = primary.label(view.main)
        generic = lexicon.equals("generic", words, view.language)
        proof = Proof("label", words, element=view.main)
        outcome = Outcome.WARN if generic else Outcome.PASS
        verdicts.append(Verdict(outcome, words, (proof,), subject=words))
    return verdicts or skip(_NO_ACTION)


def _in_cards(element: Element, others: list[Element], gap_px: float) -> bool:
    own, boxes = element.box, [other.box for other in others if other.id != element.id]
    row = [box for box in boxes if abs(box.y - own.y) <= _SAME_LINE_PX]
    column = [box for box in boxes if abs(box.x + box.width / 2 - own.x - own.width / 2) <= _SAME_LINE_PX]
    gaps = [max(box.x - (own.x + own.width), own.x - (box.x + box.width)) for box in row]
    gaps += [max(box.y - (own.y + own.height), own.y - (box.y + box.height)) for box in column]
    return bool(gaps) and min(gaps) >= gap_px


def _competing(view: View, limits: Limits) -> list[Verdict]:
    shown = [
        element
        for element in view.actions
        if element.first_screen >= 0.5 and element.style is not None and element.style.filled  # noqa: PLR2004  # half of it: rule cta.above_fold
    ]
    distinct: dict[tuple[str, str], Element] = {}
    for element in shown:
        # Cards side by side or in a column, one button each, are one choice: plans, products.
        card = _in_cards(element, shown, limits["card_gap_px"])
        target = element.link.href if element.link else ""
        distinct.setdefault(("cards", "") if card else (lexicon.plain(primary.label(element)), target), element)
    count = len(distinct)
    outcome = Outcome.PASS
    if count >= limits["warn"]:
        outcome = Outcome.FAIL if count >= limits["fail"] else Outcome.WARN
    least = limits["fail"] if outcome is Outcome.FAIL else limits["warn"]
    proofs = tuple(Proof("filled_actions", count, least, "actions", element) for element in distinct.values())
    return [Verdict(outcome, count, proofs, total=count)]


def _target(element: Element) -> bool:
    field = element.field
    if field is not None and field.type in _SELF_MADE | {"hidden"}:
        return False  # WCAG 2.5.8 exempts what the browser draws
    return (element.clickable or field is not None) and not element.disabled


def _is_control(element: Element) -> bool:
    # WCAG exempts links within a line of text. Other text links wrap, and their box says little: they are left out.
    return not element.inline and (element.tag != "a" or primary.shaped(element) or not element.text.strip())


def _crowded(small: Element, targets: list[Element], least: float) -> bool:
    box = small.box
    x, y = box.x + box.width / 2, box.y + box.height / 2
    return any(
        geometry.gap_to_circle(x, y, other.box) < least / 2
        for other in targets
        if other.id != small.id
        and not geometry.contains(other.box, box, 0.5)
        and not geometry.contains(box, other.box, 0.5)
    )


def _target_size(view: View, limits: Limits) -> list[Verdict]:
    targets = [element for element in view.seen if _target(element)]
    if not targets:
        return skip("Nothing on the page can be tapped")
    least = limits["fail"]
    small = [e for e in targets if min(e.box.width, e.box.height) < least and _is_control(e)]
    crowded = [element for element in small if _crowded(element, targets, least)]
    verdicts: list[Verdict] = []
    if crowded:
        proofs = tuple(_size_proof(element, least) for element in crowded)
        size = min(min(e.box.width, e.box.height) for e in crowded)
        verdicts.append(Verdict(Outcome.FAIL, round(size, 1), proofs, "crowded", total=len(crowded)))
    if view.main is not None and not view.main.disabled:
        side = min(view.main.box.width, view.main.box.height)
        outcome = Outcome.WARN if round(side, 1) < limits["warn"] else Outcome.PASS
        proof = _size_proof(view.main, limits["warn"])
        verdicts.append(Verdict(outcome, round(side, 1), (proof,), subject=primary.label(view.main)))
    return verdicts or passed()


def _size_proof(element: Element, least: float) -> Proof:
    return Proof("smaller_side", round(min(element.box.width, element.box.height), 1), least, "px", element)


def _dead(element: Element) -> bool:
    link = element.link
    if link is None:
        return False
    if link.status >= _HTTP_ERROR:
        return link.status not in _FORBIDS_ASKING
    return not link.has_handler and _leads_nowhere(link)


def _leads_nowhere(link: Link) -> bool:
    href = link.href.strip()
    fragment = href.partition("#")[2]
    if link.kind is LinkKind.EMPTY or href == "" or href.casefold().startswith("javascript:"):
        return True
    if link.kind is not LinkKind.ANCHOR:
        return href in {"#", "#!"}
    if "/" in fragment or fragment.casefold() == "top":
        return False  # a client-side route, or the top of the page
    return fragment in {"", "!"} or not link.target_exists


def _dead_target(view: View, _limits: Limits) -> list[Verdict]:
    linked = [element for element in view.actions if element.link is not None]
    if not linked:
        return skip("No action is a link")
    dead = [element for element in linked if _dead(element)]
    main = [element for element in dead if view.main is not None and element.id == view.main.id]
    rest = [element for element in dead if element not in main]
    verdicts = []
    if main:
        subject = primary.label(main[0])
        verdicts.append(Verdict(Outcome.FAIL, _answer(main[0]), _dead_proofs(main), "main", subject))
    if rest:
        verdicts.append(Verdict(Outcome.WARN, len(rest), _dead_proofs(rest), total=len(rest)))
    return verdicts or passed(0)


def _dead_proofs(elements: list[Element]) -> tuple[Proof, ...]:
    return tuple(Proof("link_target", _answer(e), "an address that answers", element=e) for e in elements)


def _answer(element: Element) -> str:
    link = element.link
    if link is None:
        return ""
    return f"{link.href} (answers {link.status})" if link.status >= _HTTP_ERROR else link.href


RULES = (
    Rule(
        id="cta.above_fold",
        definition="No main action with at least half of its area in the first screen: fail. Each screen by itself.",
        factor=LiftFactor.VALUE_PROPOSITION,
        category="cta",
        grade=Grade.B,
        sources=("Nielsen Norman Group 2018, eye tracking: 57 % of viewing time goes to the first screen",),
        check=_above_fold,
        unit="share",
        types=OFFER,
        heuristics=("nielsen-6", "fogg-prompt"),
    ),
    Rule(
        id="cta.text_contrast",
        definition="Label of the main action against its background below 4.5:1 (3:1 from 24 px, or bold from 18.66 "
        "px): fail. Disabled controls are exempt. On a photograph the pixels behind the label are sampled (estimated).",
        factor=LiftFactor.CLARITY,
        category="cta",
        grade=Grade.A,
        sources=("WCAG 2.2 SC 1.4.3 Contrast (Minimum)",),
        check=_text_contrast,
        unit=":1",
        heuristics=("nielsen-4",),
    ),
    Rule(
        id="cta.shape_contrast",
        definition="Neither fill nor border of the main action reaches 3:1 against what surrounds it: warn.",
        factor=LiftFactor.CLARITY,
        category="cta",
        grade=Grade.C,
        sources=("WCAG 2.2 SC 1.4.11 Non-text Contrast (advisory where the label itself can be read)",),
        check=_shape_contrast,
        unit=":1",
    ),
    Rule(
        id="cta.generic_label",
        definition="The main action's label says nothing of what happens next (submit, click here, learn more): warn. "
        "A button without any accessible name: fail.",
        factor=LiftFactor.CLARITY,
        category="cta",
        grade=Grade.C,
        sources=(
            "Nielsen Norman Group, link wording",
            "WCAG 2.2 SC 2.4.4 Link Purpose",
            "WCAG 2.2 SC 4.1.2 Name, Role, Value",
        ),
        check=_generic_label,
        heuristics=("nielsen-2",),
    ),
    Rule(
        id="cta.competing",
        definition="Distinct filled buttons (by label and target) in the first screen (cards, one button each, count "
        "once): from 3 warn, from 5 fail.",
        factor=LiftFactor.DISTRACTION,
        category="cta",
        grade=Grade.C,
        sources=("Attention ratio: a practitioners' convention",),
        check=_competing,
        unit="actions",
        types=PITCH,
        heuristics=("nielsen-8",),
    ),
    Rule(
        id="cta.target_size",
        definition="On the phone: main action smaller than 44 × 44 px: warn. A control smaller than 24 × 24 px with "
        "another target inside its 24 px circle: fail. Links in text and browser-drawn boxes are exempt.",
        factor=LiftFactor.CLARITY,
        category="cta",
        grade=Grade.A,
        sources=("WCAG 2.2 SC 2.5.8 Target Size (Minimum)", "WCAG 2.2 SC 2.5.5 Target Size (Enhanced)"),
        check=_target_size,
        unit="px",
        scope=Scope.MOBILE,
        heuristics=("nielsen-5",),
    ),
    Rule(
        id="cta.dead_target",
        definition="The main action's link target is empty, “#”, “javascript:” or an anchor that does not exist, and "
        "no handler is attached in the markup, or the target answers a HEAD request with 400 or more: fail. The same "
        "for any other action: warn. Refusals to be asked (401, 403, 405, 406, 429, 501) say nothing.",
        factor=LiftFactor.ANXIETY,
        category="cta",
        grade=Grade.A,
        sources=("A fact of the page",),
        check=_dead_target,
        heuristics=("nielsen-1",),
    ),
)
