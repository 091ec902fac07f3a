"""Findings about forms."""

from analyzer.rules.forms import suggested_token
from analyzer.view import Control
from analyzer.wording.problem import Problem, Wording, Words, clean, count, quoted


def _field_count(problem: Problem) -> Words:
    number, checkout = problem.verdict.total, problem.variant == "checkout"
    wanted, form = (8, "checkout") if checkout else (5, "contact form")
    return Words(
        title=f"The {form} asks for {number} fields; {wanted} are enough",
        description=f"{problem.names(5)}. Each field is a reason to stop. "
        + (
            "Tested checkouts manage with 8 fields."
            if checkout
            else "For a first contact a name, a way to answer and one question are usually enough."
        ),
        summary="Strike every field that you do not need to answer the request; ask the rest later.",
        current=count(number, "field"),
        proposed=f"at most {wanted} fields",
        effort="medium",
        hypothesis=f"If the form asks for {wanted} fields instead of {number}, then more visitors finish it, because "
        "it costs them less time and trust.",
    )


def _labels(problem: Problem) -> Words:
    number, names = problem.verdict.total, problem.names()
    if problem.variant == "placeholder":
        return Words(
            title=f"{count(number, 'field is', 'fields are')} named by {'its' if number == 1 else 'their'} "
            "placeholder alone",
            description=f"{names}: the name disappears with the first letter typed. Whoever looks back, corrects a "
            "mistake or uses autofill no longer sees what the field was for.",
            summary="Put a visible label above each field and keep the placeholder for an example.",
            current="placeholder only",
            proposed=f"<label>{_caption(problem)}</label> above the field",
            hypothesis="If every field keeps its name while it is filled in, then fewer visitors abandon the form, "
            "because they can check what they typed.",
        )
    if problem.variant == "untied":
        return Words(
            title=f"{count(number, 'label is', 'labels are')} not tied to "
            f"{'its field' if number == 1 else 'their fields'}",
            description=f"{names}: the label stands beside the field, but the code does not say that they belong "
            "together. Screen readers read the placeholder instead, and a tap on the label does nothing.",
            summary="Give each field an id and its label the same name in for.",
            current="<label> without for",
            proposed='<label for="email">, <input id="email">',
        )
    opening = f"{names}: no" if names else "No"
    return Words(
        title=f"{count(number, 'field has', 'fields have')} no label",
        description=f"{opening} label is tied to "
        f"{'this field' if number == 1 else 'these fields'} in the code. Screen readers announce an anonymous box, "
        "voice input cannot reach it, and a tap on the text beside it does nothing.",
        summary="Tie a label element to each field (for and id), or add an aria-label.",
        current="no label",
        proposed='<label for="email">Work e-mail</label> (say what goes into the field)',
    )


def _caption(problem: Problem) -> str:
    proof = problem.proof
    return clean(proof.text).rstrip(" *:") or "Name of the field"


def _autofill(problem: Problem) -> Words:
    number = problem.verdict.total
    field = problem.element.field
    assert field is not None
    token = suggested_token(Control(problem.element, field))
    return Words(
        title=f"The browser cannot fill in {count(number, 'field')} for the visitor",
        description=f"{problem.names(4)}: nothing in the code tells the browser what goes in. Phones then offer "
        "neither the stored value nor the right keyboard, and visitors type by thumb what one tap could fill.",
        summary="Add the standard autocomplete token (and type email or tel) to each of these fields.",
        current=f"autocomplete={quoted(field.autocomplete)}" if field.autocomplete else "no autocomplete attribute",
        proposed=f'autocomplete="{token}"',
        hypothesis="If the form fills itself, then more phone visitors finish it, because typing is the hardest part.",
    )


def _optional_marking(problem: Problem) -> Words:
    return Words(
        title="Required and optional fields look the same",
        description=f"{problem.names(4)} may stay empty, but nothing says so. Visitors fill in more than they must, "
        "or stop at a question that they did not have to answer.",
        summary="Mark the optional fields with the word “optional” and the required ones with an asterisk that is "
        "explained.",
        current="no marking",
        proposed="“Company (optional)”",
        hypothesis="If visitors see which fields they may skip, then more of them finish, because the form looks "
        "shorter.",
    )


def _mobile_zoom(problem: Problem) -> Words:
    number = problem.verdict.total
    return Words(
        title=f"iPhones zoom in on {count(number, 'field')} because the text is {problem.number:g} px",
        description=f"{problem.names()}: below 16 px Safari enlarges the page as soon as the field is touched. The "
        "layout jumps, the button leaves the screen, and the visitor has to zoom back.",
        summary="Set the text of form fields to 16 px on phones.",
        current=f"font-size: {problem.number:g}px",
        proposed="font-size: 16px",
        hypothesis="If the page stays put while typing, then more iPhone visitors finish the form, because they never "
        "lose sight of it.",
    )


WORDINGS: dict[str, Wording] = {
    "form.field_count": _field_count,
    "form.labels": _labels,
    "form.autofill": _autofill,
    "form.optional_marking": _optional_marking,
    "form.mobile_zoom": _mobile_zoom,
}
