"""Devices by name: what their screen is, and who they say they are. The list is `devices.json` beside this module."""

from pathlib import Path

from pydantic import Field, TypeAdapter

from contracts.geometry import Viewport
from contracts.wire import Wire


class Device(Wire):
    """One device. Lengths are CSS pixels; `scale` is pixels of the device for each of them."""

    name: str
    title: str
    width: int
    height: int
    scale: float
    mobile: bool = Field(False, description="touch, the viewport meta tag, and a mobile agent unless it is a tablet")
    tablet: bool = False
    platform: str = Field(description="Android, iOS, Windows, macOS")
    version: str = Field("", description="of the platform, as its browsers spell it")
    model: str = ""

    @property
    def viewport(self) -> Viewport:
        """What a page is shown in."""
        return Viewport(width=self.width, height=self.height, device_scale_factor=self.scale, mobile=self.mobile)


_LIST = TypeAdapter(list[Device]).validate_json(Path(__file__).with_name("devices.json").read_bytes())
DEVICES: dict[str, Device] = {device.name: device for device in _LIST}
