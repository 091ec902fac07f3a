"""The results of message batches, for all who have a ticket: asked for now and then, downloaded once, kept a while."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from analyzer.judging.batches import Batches, BatchRecord
from analyzer.judging.deadline import Clock
from analyzer.judging.exchange import ClaudeUnavailable, Reply
from analyzer.judging.failures import Failure

Outcomes = dict[str, Reply | Failure]

_SOONEST_S, _LATEST_S = 15.0, 300.0
"""How long what was seen of a running batch is believed: a tenth of its age, within these."""
_KEPT_S = 3_600.0
_MOST_BATCHES = 1_000
_MOST_CHARACTERS = 32_000_000


@dataclass
class _Seen:
    """What is known about one batch. `at_s`: since when."""

    at_s: float = float("-inf")
    outcomes: Outcomes | None = None
    trouble: ClaudeUnavailable | None = None
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def characters(self) -> int:
        """Return how much of an answer is kept."""
        return sum(len(one.text) for one in (self.outcomes or {}).values() if isinstance(one, Reply))


class Results:
    """Remembers, so that a thousand tickets of one batch are a handful of calls."""

    def __init__(self, batches: Batches, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        """Know nothing yet; `wall` gives seconds since 1970."""
        self._batches = batches
        self._clock = clock
        self._wall = wall
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    async def of(self, record: BatchRecord) -> Outcomes | None:
        """Return the results of an ended batch by custom id; None while it runs. Raises as `Batches.outcomes` does."""
        seen = self._seen.setdefault(record.batch_id, _Seen())
        self._seen.move_to_end(record.batch_id)
        async with seen.asking:
            if seen.outcomes is None and self._clock() - seen.at_s >= self._pause_s(record):
                await self._look(record, seen)
        self._forget()
        if seen.trouble is not None:
            raise seen.trouble.again()
        return seen.outcomes

    async def _look(self, record: BatchRecord, seen: _Seen) -> None:
        try:
            seen.outcomes, seen.trouble = await self._batches.outcomes(record), None
        except ClaudeUnavailable as exc:
            seen.trouble = exc
        seen.at_s = self._clock()

    def _pause_s(self, record: BatchRecord) -> float:
        return min(_LATEST_S, max(_SOONEST_S, (self._wall() - record.created_s) / 10))

    def _forget(self) -> None:
        """Drop what is old, and the least asked for where it is too much. What is dropped can be had again."""
        old = [name for name, one in self._seen.items() if self._clock() - one.at_s >= _KEPT_S]
        for name in old:
            if not self._seen[name].asking.locked():
                del self._seen[name]
        characters = sum(one.characters for one in self._seen.values())
        while len(self._seen) > 1 and (len(self._seen) > _MOST_BATCHES or characters > _MOST_CHARACTERS):
            _, dropped = self._seen.popitem(last=False)
            characters -= dropped.characters
