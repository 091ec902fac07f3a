"""The pass without banners: declined where that can be, dismissed or hidden otherwise, never accepted."""

import io

import pytest
from PIL import Image

from contracts.facts import OverlayKind, PageFacts
from contracts.geometry import DESKTOP
from contracts.render import RenderResult
from tests.fixtures.site import Site

from .conftest import Live, pixels

TEXT = "<h1>Bags that outlive you</h1><p>{}</p>".format("Fair prices and honest photographs. " * 60)
GREEN = "<style>body{margin:0;background:#0a0}</style>"
BOTTOM = "position:fixed;left:0;right:0;bottom:0;height:300px;background:#d00;color:#fff"
MIDDLE = "position:fixed;left:400px;top:200px;width:600px;height:400px;background:#d00;color:#fff"
SPEECH = "<p>We and our partners use cookies to make this site better for you. Choose what you allow.</p>"
GONE = "document.getElementById('layer').remove()"
SPOT = (720, 750)


def layer(style: str, inside: str, more: str = "") -> str:
    return f"{TEXT}<div style='height:1500px'></div><div id=layer style='{style}' {more}>{inside}</div>"


def both(live: Live, url: str, **more: object) -> RenderResult:
    """Return facts, the first screen as seen, and everything without banners, on a desktop."""
    shown = {"kind": "screenshot", "viewport": DESKTOP.model_dump(), "format": "png"}
    outputs = [
        {**shown, "name": "met", "area": "first_screen"},
        {**shown, "name": "free", "area": "first_screen", "banners": "removed"},
        {**shown, "name": "whole", "area": "full_page", "banners": "removed"},
        {"kind": "facts", "name": "facts", "viewport": DESKTOP.model_dump()},
    ]
    answer = live.post({"url": url, "outputs": outputs, "budget_ms": 30_000, **more})
    assert answer.status_code == 200, answer.text
    return RenderResult.model_validate_json(answer.content)


def colour(result: RenderResult, name: str, spot: tuple[int, int] = SPOT) -> str:
    value = Image.open(io.BytesIO(pixels(result, name)), formats=["PNG"]).convert("RGB").getpixel(spot)
    assert isinstance(value, tuple)
    return "red" if value[0] > 150 else "green"


def did(result: RenderResult) -> list[tuple[str, str]]:
    return [(action.kind, action.action) for action in result.banner_actions]


def consent(buttons: str) -> str:
    return layer(BOTTOM, SPEECH + buttons)


LABELS = [
    *("Reject all", "Only necessary", "Alle ablehnen", "Nur notwendige Cookies", "Tout refuser"),
    *("Continuer sans accepter", "Rechazar todo", "Rifiuta tutti", "Alles weigeren", "Rejeitar tudo"),
    *("Odrzuć wszystkie", "すべて拒否"),
]


@pytest.mark.parametrize("label", LABELS)
def test_consent_is_declined_in_many_languages(live: Live, site: Site, label: str) -> None:
    accept = "<button onclick=\"document.title='accepted'\">Accept all</button>"
    url = site.serve("/consent", consent(f'{accept}<button onclick="{GONE}">{label}</button>'), GREEN)
    result = both(live, url)
    assert did(result) == [("consent", "declined")]
    assert result.title == "Consent"
    assert colour(result, "met") == "red", "the visitor meets the banner"
    assert colour(result, "free") == "green"
    [verdict] = result.completeness
    assert verdict.complete
    assert not verdict.consent_left


@pytest.mark.parametrize(
    ("root", "button"),
    [
        ("id=onetrust-banner-sdk", "<button id=onetrust-reject-all-handler {}>X1</button>"),
        ("id=CybotCookiebotDialog", "<button id=CybotCookiebotDialogBodyButtonDecline {}>X1</button>"),
        ("id=didomi-host", "<span class=didomi-continue-without-agreeing {}>X1</span>"),
        ("class=cmplz-cookiebanner", "<button class='cmplz-btn cmplz-deny' {}>X1</button>"),
        ("class=klaro", "<button class=cn-decline {}>X1</button>"),
        ("id=truste-consent-track", "<button id=truste-consent-required {}>X1</button>"),
    ],
)
def test_known_platforms_are_declined_by_their_own_buttons(live: Live, site: Site, root: str, button: str) -> None:
    press = f'onclick="{GONE}"'
    body = f"{TEXT}<div id=layer><div {root} style='{BOTTOM}'>Hello. {button.format(press)}</div></div>"
    result = both(live, site.serve("/platform", body, GREEN))
    assert did(result) == [("consent", "declined")]
    assert colour(result, "free") == "green"


def test_a_banner_in_a_shadow_root_is_declined(live: Live, site: Site) -> None:
    body = f"""{TEXT}<div id=usercentrics-root></div><script>
    const host = document.getElementById('usercentrics-root'), root = host.attachShadow({{mode: 'open'}});
    root.innerHTML = `<div style="{BOTTOM}">{SPEECH}<button data-testid=uc-deny-all-button>Deny</button></div>`;
    root.querySelector('button').onclick = (event) => event.isTrusted && host.remove();</script>"""
    result = both(live, site.serve("/shadow", body, GREEN))
    assert did(result) == [("consent", "declined")]
    assert colour(result, "free") == "green"


def test_a_banner_in_a_frame_of_the_same_origin_is_declined(live: Live, site: Site) -> None:
    press = "parent.document.getElementById('layer').remove()"
    site.serve("/frame", f'{SPEECH}<button onclick="{press}">Reject all</button>')
    inside = "<iframe src='/frame' title='cookie consent' style='width:100%;height:100%'></iframe>"
    result = both(live, site.serve("/framed", layer(BOTTOM, inside), GREEN))
    assert did(result) == [("consent", "declined")]
    assert colour(result, "free") == "green"


def test_what_can_only_be_accepted_is_hidden(live: Live, site: Site) -> None:
    accept = "<button onclick=\"document.title='accepted'\">OK, got it</button>"
    link = "<a href='/cookies/settings'>Only necessary</a>"
    result = both(live, site.serve("/notice", consent(accept + link), GREEN))
    assert did(result) == [("consent", "hidden")]
    assert result.title == "Notice"
    assert colour(result, "free") == "green"


def test_paying_is_no_way_to_decline(live: Live, site: Site) -> None:
    paid = "<button onclick=\"document.title='paid'\">Reject and subscribe</button>"
    result = both(live, site.serve("/paywall", consent(paid), GREEN))
    assert did(result) == [("consent", "hidden")]
    assert result.title == "Paywall"


@pytest.mark.parametrize(
    "leave", ["location.href='/static'", "location.assign('/static')", "document.forms[0].submit()"]
)
def test_a_decline_that_leads_away_is_reported_and_undone(live: Live, site: Site, leave: str) -> None:
    buttons = f'<form action=/static></form><button onclick="{leave}">Reject all</button>'
    url = site.serve("/leads-away", consent(buttons), GREEN)
    result = both(live, url)
    assert did(result) == [("consent", "failed"), ("consent", "hidden")]
    assert result.final_url == url
    assert result.redirects == 0
    assert colour(result, "whole") == "green"


def test_a_page_that_loads_itself_again_after_the_decline_stays(live: Live, site: Site) -> None:
    url = site.serve("/reloads", consent(f'<button onclick="{GONE};location.reload()">Reject all</button>'), GREEN)
    hits = len(site.hits)
    assert did(both(live, url)) == [("consent", "declined")]
    assert site.hits[hits:].count("/reloads") == 1


@pytest.mark.parametrize(
    ("inside", "more", "expected"),
    [
        (f'<p>Hello you</p><button aria-label="Close" onclick="{GONE}">x</button>', "role=dialog", "dismissed"),
        (f'<p>Hello you</p><button class="modal-close" onclick="{GONE}"></button>', "role=dialog", "dismissed"),
        (f'<p>Hallo</p><button onclick="{GONE}">Nein danke</button>', "role=dialog aria-modal=true", "dismissed"),
        ("<p>Nothing to press here</p>", "role=dialog", "hidden"),
        ('<p>Stuck</p><button aria-label="Close">x</button>', "role=dialog", "hidden"),
    ],
)
def test_dialogs_are_dismissed_or_hidden(live: Live, site: Site, inside: str, more: str, expected: str) -> None:
    sheet = "<div style='position:fixed;inset:0;background:rgba(0,0,0,.5)'></div>"
    lock = "<style>body{overflow:hidden}</style>"
    result = both(live, site.serve("/dialog", sheet + layer(MIDDLE, inside, more), GREEN + lock))
    assert ("dialog", expected) in did(result)
    assert colour(result, "met", (600, 500)) == "red"
    assert colour(result, "free", (600, 500)) == "green"


def test_escape_closes_what_listens_for_it(live: Live, site: Site) -> None:
    script = f"<script>addEventListener('keydown', (e) => e.key === 'Escape' && {GONE})</script>"
    result = both(live, site.serve("/escape", layer(MIDDLE, "<p>Hello</p>", "role=dialog") + script, GREEN))
    assert did(result) == [("dialog", "dismissed")]


def test_a_modal_of_the_browsers_own_is_closed(live: Live, site: Site) -> None:
    body = (
        f"{TEXT}<dialog id=d><p>Sign up to our newsletter</p><input type=email></dialog><script>d.showModal()</script>"
    )
    result = both(live, site.serve("/modal", body, GREEN))
    assert did(result)[-1][1] in {"dismissed", "hidden"}
    assert result.banner_actions[-1].coverage == 1


def test_what_a_lock_kept_from_scrolling_is_in_the_full_page(live: Live, site: Site) -> None:
    lock = "<style>body{position:fixed;overflow:hidden;height:100%;width:100%}</style>"
    result = both(live, site.serve("/locked", layer(MIDDLE, "<p>Join us</p>", "role=dialog"), GREEN + lock))
    box = result.artifacts["whole"].box
    assert box
    assert box.height > 1_500


def test_what_belongs_to_the_page_stays(live: Live, site: Site) -> None:
    body = (
        "<style>body{margin:0}</style>"
        "<header style='position:fixed;top:0;left:0;right:0;height:80px;background:#d00'>"
        "<nav><a href=/a>Shop</a></nav></header>"
        "<div style='position:fixed;inset:0;background:#0a0;z-index:-1'></div>"
        f"<main style='padding-top:100px'>{TEXT}<p>About our cookies: they are baked daily.</p></main>"
        "<div style='position:fixed;right:20px;bottom:20px;width:60px;height:60px;background:#d00'>Chat</div>"
        "<div style='position:fixed;left:0;right:0;bottom:0;height:70px;background:#d00'><a href=/buy>Buy now</a></div>"
    )
    result = both(live, site.serve("/own", body))
    assert did(result) == []
    assert colour(result, "free", (700, 40)) == "red"
    assert colour(result, "free", (700, 870)) == "red"


def test_facts_have_the_layers_as_they_were_met(live: Live, site: Site) -> None:
    buttons = f'<button onclick="{GONE}">Reject all</button>'
    body = f"<a href=/buy style='position:absolute;top:700px;left:600px;padding:20px'>Buy now</a>{consent(buttons)}"
    result = both(live, site.serve("/met", body, GREEN))
    found = PageFacts.model_validate_json(pixels(result, "facts"))
    [overlay] = found.overlays
    assert overlay.kind is OverlayKind.CONSENT
    assert overlay.has_reject
    assert overlay.coverage == pytest.approx(1 / 3, abs=0.02)
    [action] = result.banner_actions
    assert action.coverage == pytest.approx(overlay.coverage, abs=0.04)
    element = next(element for element in found.elements if element.id == overlay.element_id)
    assert element.selector == "#layer"
    assert len({element.id for element in found.elements}) == len(found.elements)
    assert [element.covered for element in found.elements if element.text == "Buy now"] == [True]
    assert not any(element.text == "Reject all" for element in found.elements)


def test_a_banner_that_pushes_the_page_down_leaves_boxes_that_fit(live: Live, site: Site) -> None:
    banner = f'<div id=layer class=cookie-bar style="background:#d00;height:300px">{SPEECH}<button onclick="{GONE}">'
    url = site.serve(
        "/pushes", f"{banner}Decline</button></div>{TEXT}", "<style>body{margin:0;background:#0a0}</style>"
    )
    result = both(live, url)
    assert did(result) == [("consent", "declined")]
    found = PageFacts.model_validate_json(pixels(result, "facts"))
    assert next(element for element in found.elements if element.tag == "h1").box.y < 100
    assert colour(result, "whole", (1300, 10)) == "green"


def test_one_that_comes_back_is_reported(live: Live, site: Site) -> None:
    again = """<script>new MutationObserver(() => { if (!document.querySelector('.cookie-x')?.offsetHeight) {
      const d = document.createElement('div'); d.className = 'cookie-x'; d.style = '%s';
      d.innerHTML = '<p>We use cookies, and we insist that you say yes to them.</p><button>Yes</button>';
      document.querySelectorAll('.cookie-x').forEach((e) => e.remove()); document.body.append(d) } })
      .observe(document.body, {childList: true, subtree: true, attributes: true}); document.body.append('.')</script>"""
    result = both(live, site.serve("/again", TEXT + again % BOTTOM, GREEN))
    [verdict] = result.completeness
    assert verdict.consent_left
    assert not verdict.complete


def test_without_being_asked_nothing_is_touched(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/cookies"), {"desktop": DESKTOP})
    assert result.banner_actions == []
    assert not result.completeness[0].consent_left
