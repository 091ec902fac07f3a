"""The report in real Chromium: where the marks land, what may run, what is asked of the network."""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Dialog, Page

from contracts.geometry import Box, ViewportName
from contracts.result import Analysis, Asset
from gateway.report.page import render
from tests.fixtures.agency import chromium, views
from tests.fixtures.hostile import PAYLOADS, poisoned
from tests.fixtures.report import pictures, sample, unpictured

AT = datetime(2026, 11, 21, 9, 45, tzinfo=UTC)
YELLOW = (255, 200, 0)
TAGS = "() => [...document.querySelectorAll('*')].map((e) => e.localName)"
HANDLERS = """() => [...document.querySelectorAll('*')].flatMap((e) => [...e.attributes])
    .filter((a) => a.name.startsWith('on') || a.name === 'style' || a.name === 'srcdoc').length"""
LINKS = """() => [...document.querySelectorAll('[href], [src], [action]')]
    .map((e) => e.getAttribute('href') ?? e.getAttribute('src') ?? e.getAttribute('action'))"""
HIT = "(p) => document.elementsFromPoint(p.x, p.y).map((e) => e.id)"


@dataclass
class Opened:
    """A page and what it did while it was opened."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        self.said.append(dialog.message)
        dialog.dismiss()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    views()  # it starts a browser of its own, and there can be one such loop at a time
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(render(sample(), pictures(), generated_at=AT), tmp_path_factory.mktemp("report") / "report.html")


def written(html: str, path: Path) -> str:
    path.write_text(html, encoding="utf-8")
    return path.as_uri()


def opened(browser: Browser, url: str, *, width: int = 1440, bypass_csp: bool = False, scripts: bool = True) -> Opened:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, bypass_csp=bypass_csp, java_script_enabled=scripts
    )
    seen = Opened(context.new_page())
    seen.page.on("console", lambda message: seen.said.append(message.text))
    seen.page.on("pageerror", lambda error: seen.said.append(str(error)))
    seen.page.on("dialog", seen.dismiss)
    seen.page.on("request", lambda request: seen.asked.append(request.url.split(",")[0]))
    seen.page.goto(url)
    return seen


def asked_outside(seen: Opened, url: str) -> list[str]:
    return [asked for asked in seen.asked if asked != url and not asked.startswith("data:")]


def test_runs_its_script_and_breaks_no_policy(browser: Browser, report: str) -> None:
    seen = opened(browser, report)
    assert seen.said == []
    assert asked_outside(seen, report) == []
    assert seen.page.locator("#print").is_visible()
    assert seen.page.evaluate("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    seen.page.context.close()


def test_a_foreign_script_or_style_would_be_refused(browser: Browser, report: str) -> None:
    seen = opened(browser, report)
    seen.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p id=x style=\"color:red\" onclick=1>x</p>')")
    seen.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.pwned = 1'}))"
    )
    assert seen.page.evaluate("window.pwned") is None
    assert len([said for said in seen.said if "Content Security Policy" in said]) >= 2
    seen.page.context.close()


def test_is_complete_without_javascript(browser: Browser, report: str) -> None:
    seen = opened(browser, report, scripts=False)
    assert not seen.page.locator("#print").is_visible()
    assert seen.page.locator("article.finding").count() == 11
    assert all(mark.is_visible() for mark in seen.page.locator(".canvas .pin").all())
    assert seen.said == []
    seen.page.context.close()


@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1440, 2200])
def test_fits_every_width(browser: Browser, report: str, width: int) -> None:
    seen = opened(browser, report, width=width)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    seen.page.context.close()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("viewport", list(ViewportName))
def test_marks_lie_on_their_elements(browser: Browser, report: str, width: int, viewport: ViewportName) -> None:
    seen, view = opened(browser, report, width=width), views()[viewport]
    canvas = seen.page.locator(f".page.{viewport} .canvas svg").bounding_box()
    assert canvas
    scale = canvas["width"] / view.width
    for name, mark in (("cta", "1-1"), ("name", "2-1"), ("message", "2-4"), ("logo3", "4-3"), ("intro", "6-1")):
        drawn = seen.page.locator(f"#box-{viewport}-{mark}").bounding_box()
        assert drawn
        box = view.boxes[name]
        assert drawn["x"] - canvas["x"] == pytest.approx(box.x * scale, abs=1), name
        assert drawn["y"] - canvas["y"] == pytest.approx(box.y * scale, abs=1), name
        assert drawn["width"] == pytest.approx(box.width * scale, abs=1), name
        assert drawn["height"] == pytest.approx(box.height * scale, abs=1), name
    seen.page.context.close()


def test_the_pixels_inside_the_mark_are_those_of_the_button(browser: Browser, report: str) -> None:
    seen = opened(browser, report)
    seen.page.evaluate("document.querySelectorAll('.canvas .pin').forEach((pin) => pin.remove())")
    mark = seen.page.locator("#box-desktop-1-1")
    mark.scroll_into_view_if_needed()
    place = mark.bounding_box()
    assert place
    shot = Image.open(io.BytesIO(seen.page.screenshot())).convert("RGB")
    left, top = round(place["x"]), round(place["y"])
    right, bottom = round(place["x"] + place["width"]), round(place["y"] + place["height"])
    inside = shot.crop((left + 5, top + 5, right - 5, bottom - 5))
    assert _share(inside) > 0.6
    assert _share(shot.crop((left - 60, top + 5, left - 5, bottom - 5))) < 0.02
    assert _share(shot.crop((right + 5, top + 5, right + 60, bottom - 5))) < 0.02
    seen.page.context.close()


def _share(image: Image.Image) -> float:
    colours = image.getcolors(image.width * image.height)
    assert colours
    near = [
        count
        for count, pixel in colours
        if isinstance(pixel, tuple) and all(abs(a - b) < 45 for a, b in zip(pixel, YELLOW, strict=True))
    ]
    return sum(near) / (image.width * image.height)


@pytest.mark.parametrize("width", [360, 1440])
def test_every_number_can_be_pressed(browser: Browser, report: str, width: int) -> None:
    seen = opened(browser, report, width=width)
    pins = seen.page.locator(".canvas .pin").all()
    assert len(pins) > 15
    for pin in pins:
        pin.evaluate("(e) => e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'})")
        box = pin.bounding_box()
        assert box
        centre = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        assert seen.page.evaluate(HIT, centre)[0] == pin.get_attribute("id")
        assert min(box["width"], box["height"]) >= 24
    seen.page.context.close()


def test_a_number_leads_to_its_finding_and_back(browser: Browser, report: str) -> None:
    seen = opened(browser, report)
    seen.page.emulate_media(reduced_motion="reduce")
    seen.page.locator("#pin-mobile-2-3").focus()
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url("**#finding-2")
    assert _on_screen(seen.page, "#finding-2 h4")
    seen.page.get_by_role("link", name="See finding 2 on the phone page").click()
    assert _on_screen(seen.page, "#pin-mobile-2-1")
    seen.page.context.close()


def _on_screen(page: Page, selector: str) -> bool:
    box = page.locator(selector).bounding_box()
    return box is not None and 0 <= box["y"] < 900 and 0 <= box["x"] < 1440


def test_paper_shows_everything_unfolded_and_restores_the_screen(browser: Browser, report: str) -> None:
    seen = opened(browser, report)
    seen.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert seen.page.locator("details:not([open])").count() == 0
    seen.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert seen.page.locator("details[open]").count() == 0
    seen.page.emulate_media(media="print")
    assert seen.page.locator(".scroll").first.is_hidden()
    assert seen.page.locator(".page.desktop .paper svg").count() == 2
    assert seen.page.locator(".page.mobile .paper svg").count() == 4
    assert all(column.is_visible() for column in seen.page.locator(".paper svg").all())
    assert seen.page.pdf().startswith(b"%PDF")
    seen.page.context.close()


def with_pictures() -> tuple[Analysis, dict[str, bytes]]:
    """Give a document whose pictures are small, so that it can be shown many times."""
    buffer = io.BytesIO()
    Image.new("RGB", (144, 600), "#88a").save(buffer, "PNG")
    shown = [
        Asset(
            kind="full", viewport=v, key=f"{v}.png", w=144, h=600, sha256="", box=Box(x=0, y=0, width=w, height=w * 4)
        )
        for v, w in ((ViewportName.DESKTOP, 1440), (ViewportName.MOBILE, 390))
    ]
    document = unpictured()
    capture = document.capture.model_copy(update={"assets": shown})
    return document.model_copy(update={"capture": capture}), {a.key: buffer.getvalue() for a in shown}


# Without the policy, escaping alone has to hold; with it, a violation would be reported on the console.
@pytest.mark.parametrize("bypass_csp", [False, True])
def test_attacks_stay_text(browser: Browser, tmp_path: Path, *, bypass_csp: bool) -> None:
    document, taken = with_pictures()
    url = written(render(poisoned(document, "harm = none"), taken, generated_at=AT), tmp_path / "harmless.html")
    seen = opened(browser, url, bypass_csp=bypass_csp)
    tags = Counter(seen.page.evaluate(TAGS))
    assert len(PAYLOADS) >= 30
    for number, payload in enumerate(PAYLOADS):
        html = render(poisoned(document, payload), taken, generated_at=AT)
        url = written(html, tmp_path / f"{number}.html")
        seen.asked.clear()
        seen.page.goto(url)
        found = Counter(seen.page.evaluate(TAGS))
        assert seen.page.evaluate("window.pwned") is None, payload
        assert seen.said == [], payload
        assert asked_outside(seen, url) == [], payload
        assert found == tags, payload
        assert seen.page.evaluate(HANDLERS) == 0, payload
        targets = [
            link for link in seen.page.evaluate(LINKS) if not link.startswith(("#", "data:image/jpeg;", "data:,"))
        ]
        assert targets == [], payload
    seen.page.context.close()
