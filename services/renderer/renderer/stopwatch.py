"""How long a job waited for Chromium, and how long each of its phases took."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.render import Timings


class Stopwatch:
    """Shared by the views of one job: overlapping waits count once, so what is left is our own time."""

    def __init__(self) -> None:
        """Start the clock of the whole job."""
        self._begun = time.perf_counter()
        self._waiting = 0
        self._since = 0.0
        self._browser_s = 0.0
        self._phases: defaultdict[str, float] = defaultdict(float)
        self.queue_s = 0.0
        self.upload_s = 0.0

    @contextmanager
    def browser(self, phase: str) -> Iterator[None]:
        """Time a wait for Chromium. Of views that run side by side, the slowest counts for its phase."""
        begun = time.perf_counter()
        if not self._waiting:
            self._since = begun
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            now = time.perf_counter()
            if not self._waiting:
                self._browser_s += now - self._since
            self._phases[phase] = max(self._phases[phase], now - begun)

    def timings(self) -> Timings:
        """Return what was measured so far, in milliseconds."""
        total = time.perf_counter() - self._begun
        own = max(0.0, total - self._browser_s - self.queue_s - self.upload_s)
        return Timings(
            queue_ms=_ms(self.queue_s),
            open_ms=_ms(self._phases["open"]),
            goto_ms=_ms(self._phases["goto"]),
            settle_ms=_ms(self._phases["settle"]),
            facts_ms=_ms(self._phases["facts"]),
            capture_ms=_ms(self._phases["capture"]),
            upload_ms=_ms(self.upload_s),
            total_ms=_ms(total),
            browser_ms=_ms(self._browser_s),
            own_ms=_ms(own),
        )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
