"""What the page does well: passes that matter, most telling first."""

from collections.abc import Callable, Sequence

from analyzer.rules.engine import Said
from analyzer.rules.rule import Verdict
from analyzer.view import View
from analyzer.wording.problem import quoted
from contracts.result import Outcome

_MOST = 6
_Text = Callable[[View, Verdict, str], str]


def _headline(_view: View, verdict: Verdict, _where: str) -> str:
    return f"The headline {quoted(verdict.subject)} fits in one glance: {verdict.value} words."


def _fields(_view: View, verdict: Verdict, _where: str) -> str:
    noun = "field" if verdict.value == 1 else "fields"
    return f"The form asks for no more than {verdict.value} {noun}."


_PROOF = {
    "rating data": "rating data that search engines can show",
    "stars": "star ratings",
    "quotation": "a quotation",
    "customer words": "customers or clients speaking for it",
    "customer count": "a customer count",
    "logo row": "a row of logos",
}


def _proof(_view: View, verdict: Verdict, _where: str) -> str:
    return f"The page backs its promise with {_PROOF.get(str(verdict.value), 'social proof')}."


_TEXTS: dict[str, _Text] = {
    "cta.above_fold": lambda _v, d, where: f"The main action {quoted(d.subject)} is visible at once {where}.",
    "price.visible": lambda _v, d, where: (
        f"The price {quoted(str(d.value))} is visible at once {where}."
        if isinstance(d.value, str)
        else "Prices are shown openly."
    ),
    "cta.text_contrast": lambda _v, d, _w: f"{quoted(d.subject)} is easy to read: {d.value}:1 contrast.",
    "headline.length": _headline,
    "form.field_count": _fields,
    "trust.social_proof": _proof,
    "trust.returns": lambda _v, _d, _w: "Delivery, returns or a guarantee are mentioned on the page.",
    "hero.density": lambda _v, d, where: f"The first screen stays light {where}: {d.value} words.",
    "copy.readability": lambda _v, d, _w: (
        f"The text reads easily: school grade {d.value}." if not d.variant else "The text reads easily."
    ),
    "copy.text_contrast": lambda _v, _d, where: f"Nearly all text has enough contrast {where}.",
    "form.labels": lambda _v, _d, _w: "Every form field has a label of its own.",
    "trust.contact": lambda _v, _d, _w: "Visitors find a way to get in touch.",
    "layout.h_scroll": lambda _v, _d, _w: "The layout fits the phone's width without sideways scrolling.",
    "trust.https": lambda _v, _d, _w: "The page is served over HTTPS throughout.",
}


def _text(rule_id: str, said: Sequence[Said]) -> str:
    mine = [one for one in said if one.rule.id == rule_id]
    verdicts = [(one.view, verdict) for one in mine for verdict in one.verdicts]
    passes = [(view, verdict) for view, verdict in verdicts if verdict.outcome is Outcome.PASS]
    if not passes or any(verdict.outcome in {Outcome.FAIL, Outcome.WARN} for _, verdict in verdicts):
        return ""
    view, verdict = passes[0]
    place = "on the phone" if view.mobile else "on desktop"
    return _TEXTS[rule_id](view, verdict, "on desktop and phone" if len(passes) > 1 else place)


def strengths(said: Sequence[Said]) -> list[str]:
    """Phrase at most six passes."""
    return [text for rule_id in _TEXTS if (text := _text(rule_id, said))][:_MOST]
