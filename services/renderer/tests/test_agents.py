import pytest

from contracts.geometry import DESKTOP, PHONE
from renderer.agents import Persona, agent
from renderer.devices import DEVICES

VERSION = "156.0.8078.79"
MACOS = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "


def test_the_usual_visitors() -> None:
    desktop, phone = agent(DESKTOP, VERSION), agent(PHONE, VERSION)
    assert "Chrome/156.0.0.0 Safari" in desktop["userAgent"]
    assert "Chrome/156.0.0.0 Mobile Safari" in phone["userAgent"]
    assert (desktop["userAgentMetadata"]["mobile"], phone["userAgentMetadata"]["mobile"]) == (False, True)
    assert "acceptLanguage" not in desktop


@pytest.mark.parametrize("device", DEVICES.values(), ids=lambda device: device.name)
def test_every_device_has_the_browsers_own_version(device: object) -> None:
    chosen = DEVICES[getattr(device, "name", "")]
    message = agent(chosen.viewport, VERSION, Persona(chosen))
    assert "/156.0." in message["userAgent"]
    assert ("userAgentMetadata" in message) is (chosen.platform != "iOS")
    assert ("Mobile" in message["userAgent"]) is (chosen.mobile and (not chosen.tablet or chosen.platform == "iOS"))


@pytest.mark.parametrize(
    ("text", "platform", "hints"),
    [
        (f"{MACOS}Chrome/120.0.0.0 Safari/537.36", "MacIntel", ("macOS", "120", False)),
        (
            "Mozilla/5.0 (Linux; Android 10; K) Chrome/99.0 Mobile Safari/537.36",
            "Linux armv81",
            ("Android", "99", True),
        ),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/98.0 Safari/537.36", "Win32", ("Windows", "98", False)),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5) CriOS/120.0 Mobile", "iPhone", None),
        ("Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0", "Win32", None),
        ("Shopper/1.0", "Linux x86_64", None),
    ],
)
def test_hints_agree_with_the_agent(text: str, platform: str, hints: tuple[str, str, bool] | None) -> None:
    message = agent(PHONE, VERSION, Persona(DEVICES["pixel-9"], user_agent=text))
    assert message["userAgent"] == text
    assert message["platform"] == platform
    said = message.get("userAgentMetadata")
    assert (said and (said["platform"], said["brands"][0]["version"], said["mobile"])) == hints


@pytest.mark.parametrize(
    ("locale", "languages"), [("de-CH", "de-CH,de"), ("fr", "fr"), ("zh-Hant-TW", "zh-Hant-TW,zh")]
)
def test_languages_follow_the_locale(locale: str, languages: str) -> None:
    assert agent(DESKTOP, VERSION, Persona(locale=locale))["acceptLanguage"] == languages
