"""Who Chromium says it is: a current Chrome on a desktop, or on a phone where the viewport is a phone's."""

from contracts.geometry import Viewport
from renderer.cdp import Message

_DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"
_PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 "
    "Mobile Safari/537.36"
)


def agent(viewport: Viewport, version: str) -> Message:
    """Return the parameters of Emulation.setUserAgentOverride for Chromium's own `version`."""
    major = version.partition(".")[0]
    brands = [
        {"brand": "Chromium", "version": major},
        {"brand": "Google Chrome", "version": major},
        {"brand": "Not A(Brand", "version": "24"},
    ]
    metadata = {
        "brands": brands,
        "platform": "Android" if viewport.mobile else "Linux",
        "platformVersion": "14" if viewport.mobile else "",
        "architecture": "" if viewport.mobile else "x86",
        "model": "Pixel 8" if viewport.mobile else "",
        "mobile": viewport.mobile,
    }
    template = _PHONE if viewport.mobile else _DESKTOP
    return {"userAgent": template.format(major=major), "userAgentMetadata": metadata}
