"""Findings about actions."""

from analyzer import colours
from analyzer.primary import label
from analyzer.wording.problem import Problem, Wording, Words, clean, count, quoted
from contracts.facts import Style

_BUTTON_PX = 48


def _above_fold(problem: Problem) -> Words:
    if problem.variant == "missing":
        return Words(
            title=f"Nothing on the page asks the visitor to act {problem.where}",
            description="There is no button, and no link that looks like one, that names a next step. A visitor who "
            "is convinced has to work out alone how to go on, and many will not.",
            summary="Add one filled button to the first screen that names the single most valuable next step.",
            current="no button",
            proposed="One button, at least 48 px high, beneath the headline, labelled with a verb and what the "
            "visitor gets",
            effort="medium",
            hypothesis="If the first screen carries one clear button, then more visitors start the next step, because "
            "they no longer have to look for it.",
        )
    top, screen = round(problem.element.box.y), problem.view.facts.viewport.height
    return Words(
        title=f"The main action {problem.name} is out of sight {problem.where}",
        description=f"{problem.name} starts {top:,} px down the page; the first screen ends at {screen:,} px. "
        "Visitors who do not scroll never learn what they are supposed to do, and those who are ready to act have to "
        "search.",
        summary=f"Repeat {problem.name} beneath the headline, so that it is visible without scrolling.",
        current=f"top edge at {top:,} px",
        proposed=f"whole button within the first {screen:,} px",
        effort="medium",
        hypothesis=f"If {problem.name} is visible without scrolling, then more visitors click it, because the next "
        "step is there at the moment they understand the offer.",
    )


_DARK = "#1a1a1a"
_BRIGHT = 7.0
"""Contrast of dark text (WCAG 2.2 SC 1.4.6, AAA) from which on a fill counts as bright."""


def contrast_fix(style: Style, least: float) -> tuple[str, str]:
    """Return the colours of a text as they are and as they should be.

    A bright fill is a brand's colour: it stays and gets a dark label. Else text or fill changes, whichever less.
    """
    current = f"{style.color} on {style.background}"
    if style.filled and (colours.contrast(_DARK, style.background) or 0) >= _BRIGHT:
        return current, f"{_DARK} on {style.background}"
    text = colours.nearest(style.color, style.background, least)
    fill = colours.nearest(style.background, style.color, least) if style.filled else None
    choices = [
        (style.color, text, f"{text} on {style.background}"),
        (style.background, fill, f"{style.color} on {fill}"),
    ]
    reachable = [(_change(old, new), words) for old, new, words in choices if new is not None]
    return current, min(reachable)[1] if reachable else ""


def _change(old: str, new: str) -> int:
    before, after = colours.parse(old), colours.parse(new)
    return 0 if before is None or after is None else colours.distance(before, after)


def _on_photograph(problem: Problem, least: float) -> Words:
    proof = problem.proof
    return Words(
        title=f"{problem.name} is hard to read on its picture: about {proof.value}:1, {least:g}:1 needed",
        description=f"Behind a tenth of the label, the picture leaves no more than {proof.value}:1 (sampled from the "
        "pixels, so an estimate). It is the one label on the page that must be read.",
        summary="Put the label on a plain button, or darken the picture behind it.",
        current=f"about {proof.value}:1 on a picture",
        proposed=f"{least:g}:1 or more on a plain ground",
        hypothesis=f"If {problem.name} reaches {least:g}:1, then more visitors click it, because they can read it at "
        "a glance.",
    )


def _text_contrast(problem: Problem) -> Words:
    proof, style = problem.proof, problem.element.style
    assert style is not None
    least = float(proof.threshold or 0)
    if style.contrast_estimated:
        return _on_photograph(problem, least)
    current, proposed = contrast_fix(style, least)
    kept = proposed.startswith(_DARK) and style.filled
    reason = "it keeps the button's colour and passes with ease" if kept else "the smallest change that passes"
    change = f"Change the colours to {proposed}: {reason}." if proposed else "Choose other colours."
    return Words(
        title=f"{problem.name} is hard to read: {proof.value}:1 contrast, {least:g}:1 needed",
        description=f"The label of the main action is {style.color} on {style.background}, a contrast of "
        f"{proof.value}:1 at {style.font_px:g} px. Below {least:g}:1 people with slightly weak eyesight, and anyone "
        "on a phone in daylight, struggle to read it. It is the one label on the page that must be read.",
        summary=change,
        current=current,
        proposed=proposed,
        hypothesis=f"If {problem.name} reaches {least:g}:1, then more visitors click it, because they can read it at "
        "a glance.",
    )


def _shape_contrast(problem: Problem) -> Words:
    proof, style = problem.proof, problem.element.style
    assert style is not None
    edge = style.background if style.filled else style.border_color
    better = colours.nearest(edge, style.surround, float(proof.threshold or 0)) or ""
    return Words(
        title=f"{problem.name} barely stands out from its background ({proof.value}:1)",
        description=f"The button's {'fill' if style.filled else 'border'} {edge} lies on {style.surround}: "
        f"{proof.value}:1, where {proof.threshold}:1 makes a shape recognisable. Someone scanning the page sees text "
        "there, not a button.",
        summary=f"Give the button a fill or border that reaches {proof.threshold}:1, for example {better}."
        if better
        else f"Give the button a fill or border that reaches {proof.threshold}:1.",
        current=f"{edge} on {style.surround}",
        proposed=f"{better} on {style.surround}" if better else "",
        hypothesis=f"If {problem.name} is recognisable as a button while scanning, then more visitors click it, "
        "because they find it without reading.",
    )


def _generic_label(problem: Problem) -> Words:
    if problem.variant == "nameless":
        number = problem.verdict.total
        return Words(
            title=f"{count(number, 'button has', 'buttons have')} no name {problem.where}",
            description=f"{count(number, 'button shows', 'buttons show')} no text and "
            f"{'carries' if number == 1 else 'carry'} no label in the code. Someone using a screen reader hears only "
            "“button”; voice control cannot press it; an icon alone leaves many others guessing.",
            summary="Give each of them visible text, or at least an aria-label that names what it does.",
            current="no text, no aria-label",
            proposed='aria-label="Open the menu" (name the result of the click)',
        )
    return Words(
        title=f"The main action only says {problem.name}",
        description=f"{problem.name} does not say what the visitor gets or what happens after the click. The label is "
        "the last thing read before deciding, and this one could stand on any page.",
        summary="Name the result in the visitor's words: a verb and what they get.",
        current=clean_label(problem),
        proposed="Verb + result, for example “Get my quote”, “See plans and prices”, “Book a free call”",
        hypothesis="If the label names what the visitor gets, then more visitors click it, because they know what to "
        "expect.",
    )


def clean_label(problem: Problem) -> str:
    """Return the first element's label in quotation marks."""
    return quoted(label(problem.element))


def _competing(problem: Problem) -> Words:
    number = int(problem.number)
    return Words(
        title=f"{number} filled buttons compete in the first screen {problem.where}",
        description=f"{problem.names(5)} all carry the same visual weight before the visitor has scrolled. When "
        "everything is emphasised, nothing is: the eye has no first choice.",
        summary="Keep one filled button; turn the others into outlined buttons or plain links.",
        current=f"{number} filled buttons",
        proposed="1 filled button, the rest outlined or text links",
        hypothesis="If only one button in the first screen is filled, then more visitors take that step, because the "
        "choice is made for them.",
    )


def _target_size(problem: Problem) -> Words:
    if problem.fails:
        number = problem.verdict.total
        named = f"{names}: " if (names := problem.names()) else "Links or buttons without a name, "
        return Words(
            title=f"{count(number, 'control is', 'controls are')} too small to tap reliably on the phone",
            description=f"{named}down to {problem.number:g} px, with another target right beside. A fingertip covers "
            "more than that, so visitors hit the wrong one and lose patience.",
            summary="Enlarge the tappable area with padding to at least 24 × 24 px, better 44 × 44 px, or move them "
            "apart.",
            current=f"{problem.number:g} px",
            proposed="24 px or more (44 px is comfortable)",
            hypothesis="If each control can be hit at the first try, then fewer phone visitors give up, because "
            "nothing unexpected opens.",
        )
    box = problem.element.box
    side = "high" if box.height <= box.width else "wide"
    current = f"{box.width:.0f} × {box.height:.0f} px"
    return Words(
        title=f"{problem.name} is only {problem.number:g} px {side} on the phone; thumbs need 44 px",
        description=f"The main action measures {current}. Below 44 px on a side a thumb misses now and then, and this "
        "is the tap that counts.",
        summary="Raise its padding so that it is at least 44 px, better 48 px, high and wide.",
        current=current,
        proposed=f"{max(box.width, _BUTTON_PX):.0f} × {max(box.height, _BUTTON_PX):.0f} px",
        hypothesis=f"If {problem.name} is comfortable to tap, then more phone visitors complete the step, because the "
        "tap works at once.",
    )


def _gone(problem: Problem, status: int) -> Words:
    subject = (
        f"The main action {problem.name} leads" if problem.variant == "main" else f"{problem.names()}: a button leads"
    )
    return Words(
        title=f"{subject} to a page that answers {status}"[:110],
        description=f"The target of {problem.name} answers with the error {status}. Whoever clicks it has decided to "
        "go on, and is turned away at the door.",
        summary="Point the link at a page that exists, or bring the page back.",
        current=f"answers {status}",
        proposed="a page that answers 200",
        hypothesis=f"If {problem.name} leads to a page that works, then more visitors reach the next step, because no "
        "click ends in an error.",
    )


def _dead_target(problem: Problem) -> Words:
    number, target = problem.verdict.total, str(problem.proof.value or "")
    href, code = quoted(target or "(empty)"), f'href="{clean(target)[:60]}"'
    link = problem.element.link
    if link is not None and link.status:
        return _gone(problem, link.status)
    if problem.variant == "main":
        return Words(
            title=f"The main action {problem.name} has no address to go to",
            description=f"Its link target is {href}. Unless a script catches the click, nothing happens: not while "
            "the page still loads, not in a new tab, not where scripts fail. A dead main button is the most "
            "expensive fault a page can have.",
            summary="Point the link at the real next page, or at a section that exists; let scripts add to it.",
            current=code,
            proposed='href="/the-next-step"',
            hypothesis=f"If {problem.name} leads somewhere in every case, then more visitors reach the next step, "
            "because no click is lost.",
        )
    return Words(
        title=f"{count(number, 'button leads', 'buttons lead')} nowhere without scripts",
        description=f"{problem.names()}: the link target is empty or does not exist (for example {href}). A click "
        "does nothing unless a script catches it, and a visitor who clicks in vain trusts the rest of the page less.",
        summary="Give each one a real address, or remove it until there is one.",
        current=code,
        proposed="a page or section that exists",
    )


WORDINGS: dict[str, Wording] = {
    "cta.above_fold": _above_fold,
    "cta.text_contrast": _text_contrast,
    "cta.shape_contrast": _shape_contrast,
    "cta.generic_label": _generic_label,
    "cta.competing": _competing,
    "cta.target_size": _target_size,
    "cta.dead_target": _dead_target,
}
