"""The real SDK against the fake over a real socket, and a small page to judge."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from analyzer.claude import Claude, Sleep
from analyzer.claude_settings import ClaudeSettings
from analyzer.fakeclaude.server import FakeServer
from analyzer.judge import ClaudeJudge
from analyzer.judged import JudgedPage
from contracts.facts import Element, PageFacts, Style
from contracts.geometry import DESKTOP, Box, ViewportName
from contracts.result import Outcome, PageType, ResultSection, RuleResult

KEY = "sk-ant-test-0123456789"
TEXTS = (
    "Grow your shop faster",
    "Trusted by bakers in nine towns",
    "Start your free trial today",
    "Bread that sells itself online",
    "Every order in one list",
    "Ask us anything you like",
)
STYLE = Style(font_px=16, font_weight=400, line_height_px=24, color="#111111", background="#ffffff", contrast=18.9)


@pytest.fixture(scope="session")
def fake_server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
def fake(fake_server: FakeServer) -> FakeServer:
    fake_server.state.reset()
    return fake_server


@pytest.fixture
def settings(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> ClaudeSettings:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return ClaudeSettings(anthropic_api_key=SecretStr(KEY), anthropic_base_url=fake.url)


@pytest.fixture
def waits() -> list[float]:
    """Return the seconds that were waited for between attempts, without waiting."""
    return []


@pytest.fixture
def sleep(waits: list[float]) -> Sleep:
    async def noted(seconds: float) -> None:
        waits.append(seconds)

    return noted


@pytest.fixture
def judge(settings: ClaudeSettings, sleep: Sleep) -> ClaudeJudge:
    return ClaudeJudge(settings, Claude(settings, sleep=sleep))


def picture(width: int = 1440, height: int = 900, kind: str = "JPEG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), "#aabbcc").save(data, kind)
    return data.getvalue()


def element(number: int, text: str, **changes: Any) -> Element:  # noqa: ANN401  # any field of it
    box = Box(x=100, y=50 + 300 * (number - 1), width=400, height=40)
    plain = Element(id=f"e{number}", tag="p", text=text, selector=f"p.n{number}", box=box, style=STYLE)
    return plain.model_copy(update=changes)


def rule(name: str, outcome: Outcome = Outcome.FAIL) -> RuleResult:
    return RuleResult(id=name, viewport=ViewportName.DESKTOP, outcome=outcome, value=2.1, unit=":1", threshold=[4.5])


PageMaker = Callable[..., JudgedPage]


def make_page(*elements: Element, **changes: Any) -> JudgedPage:  # noqa: ANN401  # any field of it
    shown = elements or tuple(element(number, text) for number, text in enumerate(TEXTS, 1))
    words = " ".join(one.text for one in shown if one.visible)
    facts = PageFacts(
        viewport=DESKTOP, url="https://shop.example/", elements=list(shown), text=words, page_height=1_800
    )
    parts = (("s1", "hero", 0), ("s2", "features", 900))
    fields: dict[str, Any] = {
        "url": "https://shop.example/start?session=s3cr3t#part",
        "language": "en",
        "type": PageType.LANDING,
        "facts": {ViewportName.DESKTOP: facts},
        "sections": tuple(
            ResultSection(
                id=key,
                type=kind,
                viewport=ViewportName.DESKTOP,
                box=Box(x=0, y=top, width=1440, height=900),
                asset_key=f"{key}.jpg",
            )
            for key, kind, top in parts
        ),
        "images": {"s1": picture(), "s2": picture()},
        "findings": (),
        "tenant_id": "tenant-7",
        "analysis_id": "an_1",
    }
    return JudgedPage(**(fields | changes))


@pytest.fixture
def page() -> JudgedPage:
    return make_page()


@pytest.fixture
def page_of() -> PageMaker:
    return make_page


@pytest.fixture
def element_of() -> Callable[..., Element]:
    return element


@pytest.fixture
def rule_of() -> Callable[..., RuleResult]:
    return rule


@pytest.fixture
def picture_of() -> Callable[..., bytes]:
    return picture
