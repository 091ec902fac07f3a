"""How long a job waited for Chromium, and how long each of its phases took."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.render import Timings


class Phases(defaultdict[str, float]):
    """Seconds that one view spent waiting in each phase."""

    def __init__(self) -> None:
        """Begin at zero everywhere."""
        super().__init__(float)


class Stopwatch:
    """Shared by the views of one job: overlapping waits count once, so what is left is our own time."""

    def __init__(self) -> None:
        """Start the clock of the whole job."""
        self._begun = time.perf_counter()
        self._waiting = 0
        self._since = 0.0
        self._browser_s = 0.0
        self._views: list[Phases] = []
        self.queue_s = 0.0
        self.upload_s = 0.0

    def view(self) -> "Lap":
        """Return the watch of one view. Of views that run side by side, the slowest counts for each phase."""
        self._views.append(Phases())
        return Lap(self, self._views[-1])

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Time a wait for Chromium."""
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

    def timings(self) -> Timings:
        """Return what was measured so far, in milliseconds."""
        total = time.perf_counter() - self._begun
        own = max(0.0, total - self._browser_s - self.queue_s - self.upload_s)
        return Timings(
            queue_ms=_ms(self.queue_s),
            open_ms=self._slowest("open"),
            goto_ms=self._slowest("goto"),
            settle_ms=self._slowest("settle"),
            facts_ms=self._slowest("facts"),
            capture_ms=self._slowest("capture"),
            upload_ms=_ms(self.upload_s),
            total_ms=_ms(total),
            browser_ms=_ms(self._browser_s),
            own_ms=_ms(own),
        )

    def _slowest(self, phase: str) -> float:
        return _ms(max((phases[phase] for phases in self._views), default=0.0))


class Lap:
    """One view's share of the job's watch."""

    def __init__(self, watch: Stopwatch, phases: Phases) -> None:
        """Use `Stopwatch.view`."""
        self._watch = watch
        self._phases = phases

    @contextmanager
    def browser(self, phase: str) -> Iterator[None]:
        """Time a wait for Chromium in that phase."""
        begun = time.perf_counter()
        try:
            with self._watch.wait():
                yield
        finally:
            self._phases[phase] += time.perf_counter() - begun


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
