"""Boxes and viewports. All lengths are CSS pixels, measured from the top left corner of the page."""

from enum import StrEnum

from pydantic import Field

from contracts.wire import PublicInput, Wire


class ViewportName(StrEnum):
    """The two visitors that an analysis looks through."""

    DESKTOP = "desktop"
    MOBILE = "mobile"


class Box(Wire):
    """A rectangle in page coordinates (scroll position 0)."""

    x: float
    y: float
    width: float
    height: float


class Viewport(PublicInput):
    """What the page is shown in. `mobile` turns on touch, the mobile user agent and the viewport meta tag."""

    width: int = Field(1440, ge=200, le=4000)
    height: int = Field(900, ge=200, le=4000)
    device_scale_factor: float = Field(1, ge=0.5, le=3)
    mobile: bool = False


DESKTOP = Viewport(width=1440, height=900, device_scale_factor=1, mobile=False)
PHONE = Viewport(width=390, height=844, device_scale_factor=2, mobile=True)
VIEWPORTS: dict[ViewportName, Viewport] = {ViewportName.DESKTOP: DESKTOP, ViewportName.MOBILE: PHONE}
