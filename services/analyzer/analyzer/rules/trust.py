"""Rules about what makes a page safe to deal with."""

import ipaddress
import re

from analyzer import addresses, lexicon
from analyzer.rules.forms import kind_of
from analyzer.rules.rule import FORMS, Limits, Proof, Rule, Scope, Verdict, passed, skip
from analyzer.view import View
from contracts.facts import LinkKind
from contracts.result import Grade, LiftFactor, Outcome

_ACTIVE = frozenset({"script", "stylesheet", "xhr", "fetch", "document", "iframe", "subdocument", "websocket", "font"})
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w.])(?:\+|00)\d[\d ()./-]{7,}\d|\(\d{2,5}\)[ -]?\d[\d -]{4,}\d|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b"
)
_CHAT = re.compile(
    r"intercom|zendesk|drift|crisp|tawk|livechat|hubspot-messages|freshchat|chat-widget|wa\.me", re.IGNORECASE
)
_ADDRESS_KINDS = frozenset({LinkKind.TEL, LinkKind.MAILTO})


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _https(view: View, _limits: Limits) -> list[Verdict]:
    parts = addresses.split(view.facts.url)
    if parts.scheme not in {"http", "https"} or _loopback(parts.hostname or ""):
        return skip("The page is served from this computer")
    verdicts = []
    if parts.scheme == "http":
        verdicts.append(Verdict(Outcome.FAIL, "http", (Proof("scheme", "http", "https"),), detail=parts.hostname or ""))
    loaded = [resource for resource in view.facts.network.insecure if resource.type in _ACTIVE]
    if loaded and parts.scheme == "https":
        proofs = tuple(
            Proof("insecure_request", resource.url[:200], "https", text=resource.type) for resource in loaded
        )
        verdicts.append(Verdict(Outcome.FAIL, len(loaded), proofs, "mixed", total=len(loaded)))
    posts = [form for form in view.facts.forms if form.action.casefold().startswith("http:")]
    if posts and parts.scheme == "https":
        elements = {element.id: element for element in view.facts.elements}
        proofs = tuple(Proof("form_action", f.action[:200], "https", element=elements.get(f.element_id)) for f in posts)
        verdicts.append(Verdict(Outcome.FAIL, len(posts), proofs, "form", total=len(posts)))
    return verdicts or passed("https")


def _privacy(view: View, _limits: Limits) -> list[Verdict]:
    asking = [control for control in view.fields if kind_of(control) in {"email", "phone"}]
    if not asking:
        return skip("No form asks for e-mail or phone")
    links = [element for element in view.facts.elements if element.link is not None]
    found = [
        e
        for e in links
        if lexicon.mentions("privacy", f"{e.text} | {e.name} | {_words(e.link.href if e.link else '')}")
    ]
    if found:
        return passed(1, Proof("privacy_link", found[0].text or found[0].name, element=found[0]))
    if view.facts.truncated:
        return skip("The list of links was cut")
    proofs = tuple(
        Proof("asks_for", kind_of(c), element=c.element, text=c.field.label or c.element.name) for c in asking
    )
    return [Verdict(Outcome.FAIL, 0, proofs, total=len(asking))]


def _words(href: str) -> str:
    return re.sub(r"[/_.?=&#-]+", " ", href)


def _contact(view: View, _limits: Limits) -> list[Verdict]:
    facts = view.facts
    for element in facts.elements:
        link = element.link
        if link is None:
            if element.clickable and lexicon.mentions("contact", element.text or element.name):
                return passed(1, Proof("contact_button", element.text or element.name, element=element))
            continue
        if link.kind in _ADDRESS_KINDS or lexicon.mentions(
            "contact", f"{element.text} | {element.name} | {_words(link.href)}"
        ):
            return passed(1, Proof("contact_link", link.href[:200], element=element))
    frames = (f"{e.name} {e.selector} {e.picture.src if e.picture else ''}" for e in facts.elements)
    widget = any(_CHAT.search(text) for text in frames)
    if widget or _MAIL.search(facts.text) or _PHONE.search(facts.text):
        return passed(1)
    if any(form.purpose == "lead" for form in facts.forms):
        return passed(1)
    if facts.truncated:
        return skip("The list of links was cut")
    return [Verdict(Outcome.WARN, 0, (Proof("ways_to_get_in_touch", 0, 1, "links"),))]


RULES = (
    Rule(
        id="trust.https",
        definition="The page is not served over HTTPS, loads scripts, styles or frames over plain HTTP, or a form "
        "posts to plain HTTP: fail.",
        factor=LiftFactor.ANXIETY,
        category="trust",
        grade=Grade.A,
        sources=("A fact of the page", "W3C Mixed Content"),
        check=_https,
        scope=Scope.PAGE,
        heuristics=("nielsen-5",),
    ),
    Rule(
        id="trust.privacy",
        definition="A form asks for e-mail or phone and no link on the page leads to a privacy notice: fail.",
        factor=LiftFactor.ANXIETY,
        category="trust",
        grade=Grade.A,
        sources=("GDPR article 13 (a pointer, not legal advice)",),
        check=_privacy,
        unit="links",
        types=FORMS,
        scope=Scope.PAGE,
    ),
    Rule(
        id="trust.contact",
        definition="No phone, mail, contact or chat link, no address and no contact form on the page: warn.",
        factor=LiftFactor.ANXIETY,
        category="trust",
        grade=Grade.B,
        sources=("Stanford Guidelines for Web Credibility, 5: make it easy to contact you",),
        check=_contact,
        unit="links",
        scope=Scope.PAGE,
        heuristics=("nielsen-10",),
    ),
)
