"""Who Chromium says it is: a current Chrome, on the platform that the viewport, the device or the caller names."""

import re
from dataclasses import dataclass

from contracts.geometry import Viewport
from renderer.cdp import Message
from renderer.devices import Device

_CHROME = "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 {mobile}Safari/537.36"
# Every browser on iOS is WebKit inside, and none of them sends client hints.
_IOS = "Mozilla/5.0 ({system}) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/{version} Mobile/15E148 Safari/604.1"
_SYSTEMS = {
    # Chrome has frozen these: the true version and model are in the client hints alone.
    "Android": "Linux; Android 10; K",
    "Windows": "Windows NT 10.0; Win64; x64",
    "macOS": "Macintosh; Intel Mac OS X 10_15_7",
    "Linux": "X11; Linux x86_64",
}
_NAVIGATOR = {"Android": "Linux armv81", "Windows": "Win32", "macOS": "MacIntel", "Linux": "Linux x86_64"}
_TOKENS = (("Android", "Android"), ("Windows", "Windows"), ("Macintosh", "macOS"), ("CrOS", "Chrome OS"))
_CHROME_TOKEN = re.compile(r"(?<![A-Za-z])Chrome/(\d+)")


@dataclass(frozen=True)
class Persona:
    """What of a visitor's identity was asked for; empty is the default for the viewport."""

    device: Device | None = None
    user_agent: str = ""
    locale: str = ""


def agent(viewport: Viewport, version: str, persona: Persona | None = None) -> Message:
    """Return the parameters of Emulation.setUserAgentOverride for Chromium's own `version`."""
    persona = persona or Persona()
    message = _identity(viewport, version, persona)
    return {**message, "acceptLanguage": _languages(persona.locale)} if persona.locale else message


def _identity(viewport: Viewport, version: str, persona: Persona) -> Message:
    if persona.user_agent:
        return _named(persona.user_agent)
    if persona.device:
        return _of_device(persona.device, version)
    major = version.partition(".")[0]
    system = "Android" if viewport.mobile else "Linux"
    text = _CHROME.format(system=_SYSTEMS[system], major=major, mobile="Mobile " if viewport.mobile else "")
    shape = ("14", "Pixel 8") if viewport.mobile else ("", "")
    return {"userAgent": text, "userAgentMetadata": _hints(major, system, *shape, mobile=viewport.mobile)}


def _of_device(device: Device, version: str) -> Message:
    if device.platform == "iOS":
        kind = f"iPad; CPU OS {device.version}" if device.tablet else f"iPhone; CPU iPhone OS {device.version}"
        text = _IOS.format(system=f"{kind} like Mac OS X", version=version)
        return {"userAgent": text, "platform": kind.partition(";")[0]}
    major = version.partition(".")[0]
    handheld = device.mobile and not device.tablet
    text = _CHROME.format(system=_SYSTEMS[device.platform], major=major, mobile="Mobile " if handheld else "")
    hints = _hints(major, device.platform, device.version, device.model, mobile=handheld)
    return {"userAgent": text, "platform": _NAVIGATOR[device.platform], "userAgentMetadata": hints}


def _named(text: str) -> Message:
    """Return what belongs to an agent that the caller wrote: hints only where a browser of that name sends them."""
    if "iPhone" in text or "iPad" in text:
        return {"userAgent": text, "platform": "iPad" if "iPad" in text else "iPhone"}
    system = next((name for token, name in _TOKENS if token in text), "Linux")
    message: Message = {"userAgent": text, "platform": _NAVIGATOR.get(system, "Linux x86_64")}
    if chrome := _CHROME_TOKEN.search(text):
        message["userAgentMetadata"] = _hints(chrome[1], system, "", "", mobile="Mobile" in text)
    return message


def _hints(major: str, platform: str, platform_version: str, model: str, *, mobile: bool) -> Message:
    return {
        "brands": [
            {"brand": "Chromium", "version": major},
            {"brand": "Google Chrome", "version": major},
            {"brand": "Not A(Brand", "version": "24"},
        ],
        "platform": platform,
        "platformVersion": platform_version,
        "architecture": "" if platform == "Android" else "x86",
        "model": model,
        "mobile": mobile,
    }


def _languages(locale: str) -> str:
    """Return the list that a browser set to that locale accepts: `de-CH` also reads `de`."""
    language = locale.partition("-")[0]
    return locale if language == locale else f"{locale},{language}"
