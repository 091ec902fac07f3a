"""Which tier worked for a host last time: bounded, and forgotten after a while."""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from contracts.fetch import Tier


class HostMemory:
    """The tier that gave the page last, for each host; the host not used for longest goes first."""

    def __init__(self, size: int, keep: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember at most `size` hosts, each for `keep` after it was last confirmed."""
        self._size = size
        self._keep_s = keep.total_seconds()
        self._clock = clock
        self._tiers: OrderedDict[str, tuple[Tier, float]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many hosts are remembered."""
        return len(self._tiers)

    def recall(self, host: str) -> Tier | None:
        """Return the tier that worked last, or None."""
        known = self._tiers.get(host)
        if known is None:
            return None
        if known[1] <= self._clock():
            del self._tiers[host]
            return None
        self._tiers.move_to_end(host)
        return known[0]

    def remember(self, host: str, tier: Tier) -> None:
        """Note that `tier` gave the page."""
        self._tiers[host] = (tier, self._clock() + self._keep_s)
        self._tiers.move_to_end(host)
        if len(self._tiers) > self._size:
            self._tiers.popitem(last=False)
