"""Layers over the first screen."""

import pytest

from contracts.facts import OverlayKind
from contracts.geometry import PHONE
from tests.fixtures.reading import Read

PAGE = '<body style="margin:0"><h1>Title</h1><p>Text of the page.</p><div style="height:3000px"></div>'
DOCK = "position:fixed;left:0;right:0;bottom:0;background:#fff"


def banner(text: str, button: str, name: str = "layer") -> str:
    return f"""{PAGE}<div id="{name}" style="{DOCK};height:270px"><p>{text}</p><button>OK</button>
        <button id="no">{button}</button></div>"""


@pytest.mark.parametrize(
    ("text", "button", "reject"),
    [
        ("We use cookies to improve your visit.", "Reject all", True),
        ("We use cookies to improve your visit.", "Settings", False),
        ("Wir verwenden Cookies auf dieser Seite.", "Nur notwendige Cookies", True),
        ("Nous utilisons des cookies sur ce site.", "Continuer sans accepter", True),
        ("Utilizamos cookies en este sitio web.", "Rechazar todas", True),
        ("Questo sito utilizza i cookie tecnici.", "Rifiuta", True),
        ("Wij gebruiken cookies op deze website.", "Weigeren", True),
        ("Używamy plików cookie w tym serwisie.", "Odrzuć wszystkie", True),
        ("Usamos cookies para melhorar sua visita.", "Recusar", True),
    ],
)
def test_consent_layers(read: Read, text: str, button: str, *, reject: bool) -> None:
    page = read(banner(text, button))
    [layer] = page.facts.overlays
    assert (layer.kind, layer.has_reject) == (OverlayKind.CONSENT, reject)
    assert layer.coverage == pytest.approx(0.3, abs=0.02)
    assert layer.element_id == page.one("#layer").id
    assert page.one("#no").landmark == "consent"


def test_consent_by_the_name_of_its_maker(read: Read) -> None:
    [layer] = read(banner("Ihre Wahl", "Mehr", "onetrust-banner-sdk")).facts.overlays
    assert layer.kind == OverlayKind.CONSENT


def test_a_consent_frame_of_another_origin(read: Read) -> None:
    page = read(
        f"""{PAGE}<div style="{DOCK};height:300px"><iframe src="http://cmp.test/consent" title="Consent" width="100%"
        height="300"></iframe></div>""",
        files={"http://cmp.test/consent": ("text/html", "<p>We use cookies</p>")},
    )
    assert [layer.kind for layer in page.facts.overlays] == [OverlayKind.CONSENT]


@pytest.mark.parametrize("height", [72, 134])
def test_a_docked_header_is_a_bar(read: Read, height: int) -> None:
    page = read(
        f'{PAGE}<header style="position:fixed;top:0;width:100%;height:{height}px;background:#fff">Shop</header>'
    )
    assert [layer.kind for layer in page.facts.overlays] == [OverlayKind.BAR]


def test_a_sticky_header_is_a_bar(read: Read) -> None:
    page = read(f'<header style="position:sticky;top:0;height:80px;background:#eee">Shop</header>{PAGE}')
    assert [layer.kind for layer in page.facts.overlays] == [OverlayKind.BAR]
    assert page.facts.elements[0].style is not None
    assert page.facts.elements[0].style.position == "sticky"


RAIL = "position:fixed;top:0;bottom:0;width:272px;background:#b53"


@pytest.mark.parametrize(
    ("side", "inside", "kind"),
    [
        ("left:0", "<nav><a href=/a>About</a> <a href=/w>Work</a></nav>", OverlayKind.BAR),
        ("right:0", "<nav><a href=/a>About</a> <a href=/w>Work</a></nav>", OverlayKind.BAR),
        ("left:0", "<h2>10 % off</h2><p>Leave your address.</p><input type=email>", OverlayKind.DIALOG),
        ("left:500px", "<nav><a href=/a>About</a> <a href=/w>Work</a></nav>", OverlayKind.DIALOG),
    ],
)
def test_navigation_down_the_side_is_a_bar(read: Read, side: str, inside: str, kind: OverlayKind) -> None:
    page = read(f'{PAGE}<div style="{RAIL};{side}">{inside}</div>')
    assert [layer.kind for layer in page.facts.overlays] == [kind]


def test_a_dialog_with_its_sheet_covers_the_screen(read: Read) -> None:
    page = read(f"""{PAGE}<div style="position:fixed;inset:0;background:rgba(0,0,0,.6);z-index:9"></div>
        <div role="dialog"
        style="position:fixed;left:520px;top:250px;width:400px;height:400px;z-index:9;background:#fff">
        <h2>10 % off</h2><input type="email"><button>Join</button></div>""")
    [layer] = page.facts.overlays
    assert layer.kind == OverlayKind.DIALOG
    assert layer.coverage == 1
    assert (layer.box.x, layer.box.width) == (520, 400)


def test_an_open_dialog_element(read: Read) -> None:
    page = read(
        f'{PAGE}<dialog id="d" style="width:600px;height:400px">Hello there</dialog>',
        before="() => document.querySelector('#d').showModal()",
    )
    assert [layer.kind for layer in page.facts.overlays] == [OverlayKind.DIALOG]


def test_the_union_counts_and_not_the_sum(read: Read) -> None:
    page = read(f"""{PAGE}<div style="position:fixed;left:0;top:0;width:0;height:0">
        <div style="position:fixed;left:0;top:450px;width:720px;height:450px;background:#000">a</div>
        <div style="position:fixed;left:0;top:450px;width:720px;height:450px;background:#000">b</div></div>""")
    assert [layer.coverage for layer in page.facts.overlays] == [pytest.approx(0.25, abs=0.01)]


NO_LAYER = {
    "small": f'{PAGE}<div style="position:fixed;right:9px;bottom:9px;width:60px;height:60px;background:#05f">?</div>',
    "hidden": f'{PAGE}<div style="{DOCK};height:300px;visibility:hidden">We use cookies</div>',
    "behind": f'{PAGE}<div style="position:fixed;inset:0;background:#eee;z-index:-1"></div>',
    "empty": f'{PAGE}<div style="position:fixed;inset:0;pointer-events:none"></div>',
    "far": f'{PAGE}<div style="position:fixed;top:2000px;width:100%;height:300px;background:#000">x</div>',
    "app": """<body style="margin:0"><div style="position:fixed;inset:0;overflow:auto;background:#fff"><h1>App</h1>
        <div style="height:4000px"></div></div>""",
}


@pytest.mark.parametrize("case", NO_LAYER)
def test_what_is_no_layer(read: Read, case: str) -> None:
    assert read(NO_LAYER[case]).facts.overlays == []


def test_a_phone_banner(read: Read) -> None:
    page = read(
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        + banner("We use cookies here.", "Decline"),
        viewport=PHONE,
    )
    [layer] = page.facts.overlays
    assert layer.coverage == pytest.approx(0.32, abs=0.03)
    assert page.one("#no").landmark == "consent"
