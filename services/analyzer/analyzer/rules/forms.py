"""Rules about filling in a form."""

import re

from analyzer import lexicon
from analyzer.rules.rule import (
    CHECKOUT,
    FORMS,
    Limits,
    Proof,
    Rule,
    Scope,
    Verdict,
    passed,
    rank,
    skip,
)
from analyzer.view import Control, View
from contracts.facts import Form, LabelSource
from contracts.result import Grade, LiftFactor, Outcome, PageType

_NO_FIELDS = "The page has no form field"
_TYPED = frozenset(
    {"text", "email", "tel", "password", "number", "url", "textarea", "select", "select-one", "date", ""}
)
_KINDS = ("email", "phone", "first_name", "last_name", "card", "postcode", "city", "street", "name")
_TOKENS = {
    "email": ("email",),
    "phone": ("tel",),
    "first_name": ("given-name", "name"),
    "last_name": ("family-name", "name"),
    "name": ("name", "username", "nickname", "organization"),
    "card": ("cc-",),
    "postcode": ("postal-code",),
    "city": ("address-level",),
    "street": ("street-address", "address-line"),
}
_BY_TYPE = {"email": "email", "phone": "tel"}
_GLUE = re.compile(r"[_\-\[\].]+|(?<=[a-z])(?=[A-Z])")
_LEAST_FIELDS = 3


def kind_of(control: Control) -> str:
    """Return what a field asks for ("email", "phone", "card" …), or "" when that is not known."""
    field = control.field
    for kind, wanted in _BY_TYPE.items():
        if wanted in (field.type, field.inputmode):
            return kind
    if field.type not in _TYPED:
        return ""
    hints = (field.label, control.element.name, field.placeholder, _GLUE.sub(" ", field.name))
    if any(lexicon.equals(kind, hint.rstrip(" *:")) for kind in ("name",) for hint in hints):
        return "name"
    named = (kind for kind in _KINDS if kind != "name" and any(lexicon.mentions(kind, hint) for hint in hints if hint))
    return next(named, "")


def fillable(control: Control) -> bool:
    """Say whether a browser understands what this field asks for."""
    field, kind = control.field, kind_of(control)
    tokens = field.autocomplete.casefold().split()
    if not kind or any(token.startswith(_TOKENS[kind]) for token in tokens):
        return True
    wanted = _BY_TYPE.get(kind)
    return wanted is not None and wanted in (field.type, field.inputmode)


def _caption(control: Control) -> str:
    field = control.field
    return field.beside or field.label or field.placeholder or control.element.name or field.name


def _count(view: View, form: Form, limits: Limits) -> Verdict:
    fields, prefix = view.fields_of(form), "checkout" if form.purpose == "checkout" else "lead"
    count, warn, fail = len(fields), limits[f"{prefix}_warn"], limits[f"{prefix}_fail"]
    outcome = Outcome.FAIL if count > fail else Outcome.WARN if count > warn else Outcome.PASS
    limit = fail if outcome is Outcome.FAIL else warn
    element = next((e for e in view.facts.elements if e.id == form.element_id), None)
    whole = Proof("form_fields", count, limit, "fields", element)
    named = (Proof("field", _caption(control), element=control.element) for control in fields)
    return Verdict(outcome, count, (whole, *named), variant=prefix, subject=form.purpose, total=count)


def _field_count(view: View, limits: Limits) -> list[Verdict]:
    forms = [form for form in view.facts.forms if form.purpose in {"lead", "checkout"} and view.fields_of(form)]
    counted = sorted((_count(view, form, limits) for form in forms), key=lambda v: (-rank(v.outcome), -(v.total)))
    return counted[:1] or skip("The page has no form to fill in")


def _labels(view: View, _limits: Limits) -> list[Verdict]:
    if not view.fields:
        return skip(_NO_FIELDS)
    verdicts = []
    placed = [control for control in view.fields if control.field.label_source is LabelSource.PLACEHOLDER]
    bad = (
        ([c for c in view.fields if c.field.label_source is LabelSource.NONE], Outcome.FAIL, ""),
        ([c for c in placed if c.field.beside], Outcome.WARN, "untied"),
        ([c for c in placed if not c.field.beside], Outcome.WARN, "placeholder"),
    )
    for hit, outcome, variant in bad:
        proofs = tuple(
            Proof("label", c.field.label_source.value, "label", element=c.element, text=_caption(c)) for c in hit
        )
        if hit:
            verdicts.append(Verdict(outcome, len(hit), proofs, variant, total=len(hit)))
    return verdicts or passed(0)


def _autofill(view: View, _limits: Limits) -> list[Verdict]:
    known = [control for control in view.fields if kind_of(control)]
    if not known:
        return skip("No field asks for name, contact, address or card")
    lacking = [control for control in known if not fillable(control)]
    proofs = tuple(
        Proof("autocomplete", c.field.autocomplete or "none", suggested_token(c), element=c.element, text=_caption(c))
        for c in lacking
    )
    return [Verdict(Outcome.WARN if lacking else Outcome.PASS, len(lacking), proofs, total=len(lacking))]


def suggested_token(control: Control) -> str:
    """Return the autocomplete token that fits a field."""
    kind = kind_of(control)
    full = {"card": "cc-number", "city": "address-level2"}
    return full.get(kind, _TOKENS[kind][0]) if kind else ""


def _marked(view: View, controls: list[Control]) -> bool:
    captions = [f"{_caption(control)} {control.element.name}" for control in controls]
    if any(
        "*" in text or lexicon.mentions("optional", text) or lexicon.mentions("required", text) for text in captions
    ):
        return True
    return lexicon.mentions("optional", view.facts.text) or lexicon.mentions("required", view.facts.text)


def _optional_marking(view: View, _limits: Limits) -> list[Verdict]:
    forms = [
        f
        for f in view.facts.forms
        if f.purpose == "checkout" or (f.purpose == "lead" and view.type is PageType.CHECKOUT)
    ]
    mixed = [
        controls
        for form in forms
        if len(controls := view.fields_of(form)) >= _LEAST_FIELDS and len({c.field.required for c in controls}) > 1
    ]
    if not mixed:
        return skip("No form mixes required and optional fields")
    unmarked = [controls for controls in mixed if not _marked(view, controls)]
    if not unmarked:
        return passed()
    optional = [control for control in unmarked[0] if not control.field.required]
    proofs = tuple(
        Proof("optional_field", "not marked", "marked", element=c.element, text=_caption(c)) for c in optional
    )
    return [Verdict(Outcome.WARN, len(optional), proofs, total=len(optional))]


def _mobile_zoom(view: View, limits: Limits) -> list[Verdict]:
    typed = [c for c in view.fields if c.field.type in _TYPED and c.element.style is not None]
    if not typed:
        return skip(_NO_FIELDS)
    sizes = [(c.element.style.font_px, c) for c in typed if c.element.style is not None]
    small = [(size, control) for size, control in sizes if size < limits["warn"]]
    proofs = tuple(Proof("font_size", size, limits["warn"], "px", c.element, _caption(c)) for size, c in small)
    smallest = min(size for size, _ in sizes)
    return [Verdict(Outcome.WARN if small else Outcome.PASS, smallest, proofs, total=len(small))]


RULES = (
    Rule(
        id="form.field_count",
        definition="Visible fields (a radio group counts once). Lead form: more than 5 warn, more than 9 fail. "
        "Checkout: more than 8 warn, more than 12 fail.",
        factor=LiftFactor.ANXIETY,
        category="form",
        grade=Grade.B,
        sources=("Baymard Institute: an average checkout shows 11.3 fields, 8 are enough", "Convention for lead forms"),
        check=_field_count,
        unit="fields",
        types=FORMS,
        heuristics=("fogg-ability",),
    ),
    Rule(
        id="form.labels",
        definition="A field without a programmatic label: fail. A field named by its placeholder alone, or with "
        "a visible label that is not tied to it: warn.",
        factor=LiftFactor.CLARITY,
        category="form",
        grade=Grade.A,
        sources=("WCAG 2.2 SC 1.3.1 Info and Relationships", "WCAG 2.2 SC 3.3.2 Labels or Instructions"),
        check=_labels,
        unit="fields",
        types=FORMS,
        heuristics=("nielsen-6",),
    ),
    Rule(
        id="form.autofill",
        definition="A field for name, e-mail, phone, address or card without an autocomplete token or a matching "
        "type: warn.",
        factor=LiftFactor.ANXIETY,
        category="form",
        grade=Grade.A,
        sources=("WCAG 2.2 SC 1.3.5 Identify Input Purpose",),
        check=_autofill,
        unit="fields",
        types=FORMS,
        heuristics=("nielsen-7", "fogg-ability"),
    ),
    Rule(
        id="form.optional_marking",
        definition="A checkout form mixes required and optional fields and marks neither in visible text: warn.",
        factor=LiftFactor.ANXIETY,
        category="form",
        grade=Grade.B,
        sources=("Baymard Institute: mark both required and optional fields",),
        check=_optional_marking,
        unit="fields",
        types=(*CHECKOUT, PageType.OTHER),
    ),
    Rule(
        id="form.mobile_zoom",
        definition="On the phone, a text field with a font below 16 px: warn.",
        factor=LiftFactor.DISTRACTION,
        category="form",
        grade=Grade.C,
        sources=("iOS Safari zooms in on fields below 16 px",),
        check=_mobile_zoom,
        unit="px",
        types=FORMS,
        scope=Scope.MOBILE,
    ),
)
