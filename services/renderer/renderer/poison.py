"""Pages that have ended a browser, remembered for a while: suspects run alone, the condemned do not run at all."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urldefrag

from prometheus_client import Counter, Gauge

_MOST = 10_000
"""Pages remembered at once, some 200 bytes each; the one that was seen longest ago is forgotten first."""


class Verdict(StrEnum):
    """What is known of a page."""

    UNKNOWN = "unknown"
    SUSPECT = "suspect"
    CONDEMNED = "condemned"


class Event(StrEnum):
    """What was learnt or done."""

    SUSPECTED = "suspected"
    CONDEMNED = "condemned"
    CLEARED = "cleared"
    REFUSED = "refused"


EVENTS = Counter("cro_renderer_poison_total", "Pages that ended a browser, by what became of them", ["event"])
REMEMBERED = Gauge("cro_renderer_poison_urls", "Pages that are remembered because they ended a browser")


@dataclass(frozen=True)
class _Record:
    verdict: Verdict
    until: float


class Poison:
    """The memory. It keeps hashes, never addresses."""

    def __init__(self, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember each page for `keep_s` seconds after its last crash."""
        self._keep_s = keep_s
        self._clock = clock
        self._records: OrderedDict[bytes, _Record] = OrderedDict()

    def __len__(self) -> int:
        """Return how many pages are remembered."""
        return len(self._records)

    def verdict(self, url: str) -> Verdict:
        """Return what is known of the page now."""
        key = _key(url)
        record = self._records.get(key)
        if record is None:
            return Verdict.UNKNOWN
        if record.until <= self._clock():
            self._drop(key)
            return Verdict.UNKNOWN
        return record.verdict

    def suspect(self, url: str) -> None:
        """Note that a browser ended while it had the page, unless more is known already."""
        if self.verdict(url) is Verdict.UNKNOWN:
            self._keep(url, Verdict.SUSPECT)
            EVENTS.labels(Event.SUSPECTED.value).inc()

    def condemn(self, url: str) -> None:
        """Note that a browser ended with nothing but the page in it."""
        self._keep(url, Verdict.CONDEMNED)
        EVENTS.labels(Event.CONDEMNED.value).inc()

    def clear(self, url: str) -> None:
        """Forget a page that did no harm when it ran alone."""
        if _key(url) in self._records:
            self._drop(_key(url))
            EVENTS.labels(Event.CLEARED.value).inc()

    def _keep(self, url: str, verdict: Verdict) -> None:
        now, key = self._clock(), _key(url)
        self._records[key] = _Record(verdict, now + self._keep_s)
        self._records.move_to_end(key)  # so the first is always the one that ends first
        while self._records:
            first = next(iter(self._records))
            if len(self._records) <= _MOST and self._records[first].until > now:
                break
            del self._records[first]
        REMEMBERED.set(len(self._records))

    def _drop(self, key: bytes) -> None:
        del self._records[key]
        REMEMBERED.set(len(self._records))


def _key(url: str) -> bytes:
    # The fragment never reaches the site: pages that differ by it alone are one page.
    return hashlib.blake2b(urldefrag(url).url.encode(), digest_size=16).digest()
