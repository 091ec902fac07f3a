"""Addresses that send wrong keys: counted, and refused after too many."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

_WINDOW_S = 60.0
_REMEMBERED = 10_000
_V6_HOME = 64


class Offenders:
    """A leaking bucket for each address; the longest quiet ones are forgotten when there are too many."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow `per_minute` wrong keys from one address (of IPv6: one /64) in a minute."""
        self._most = per_minute
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def note(self, address: str) -> None:
        """Count a wrong key."""
        home = _home(address)
        self._levels[home] = (self._level(home) + 1, self._clock())
        self._levels.move_to_end(home)
        while len(self._levels) > _REMEMBERED:
            self._levels.popitem(last=False)

    def wait_s(self, address: str) -> int:
        """Return the seconds for which an address is refused; 0: it is not."""
        excess = self._level(_home(address)) + 1 - self._most
        return math.ceil(excess * _WINDOW_S / self._most) if excess > 0 else 0

    def _level(self, home: str) -> float:
        level, at = self._levels.get(home, (0.0, 0.0))
        return max(0.0, level - (self._clock() - at) * self._most / _WINDOW_S)


def _home(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004  # the version of IP
        return address
    return str(ipaddress.ip_network((parsed, _V6_HOME), strict=False))
