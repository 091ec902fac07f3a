"""Finished results as the bytes that are sent, kept for a moment: who asks for one often asks again."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_BYTES = 64 * 2**20
_FRESH_S = 5.0
_LOOK_S = 1.0
_MOST_S = 10.0

Key = tuple[str, str]


@dataclass(frozen=True)
class Kept:
    """An answer and its entity tag."""

    document: bytes
    tag: str


@dataclass
class _Held:
    answer: Kept
    look_again_at: float
    ends_at: float


class Answers:
    """Up to 64 MiB of answers. After five seconds one reader is sent to look again, while the others still get the old.

    What another process deleted may be shown that long, and ten seconds at most; those who delete call `forget`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty."""
        self._clock = clock
        self._kept: OrderedDict[Key, _Held] = OrderedDict()
        self._bytes = 0

    def get(self, tenant_id: str, job_id: str) -> Kept | None:
        """Return a tenant's answer; None: it is not here, or this caller is the one who looks again."""
        held = self._kept.get((tenant_id, job_id))
        if held is None:
            return None
        now = self._clock()
        if now > held.ends_at:
            self.forget(tenant_id, job_id)
            return None
        if now > held.look_again_at:
            held.look_again_at = now + _LOOK_S
            return None
        return held.answer

    def keep(self, tenant_id: str, job_id: str, answer: Kept) -> Kept:
        """Keep an answer that will not change, and return it."""
        self.forget(tenant_id, job_id)
        now = self._clock()
        self._kept[tenant_id, job_id] = _Held(answer, now + _FRESH_S, now + _MOST_S)
        self._bytes += len(answer.document)
        while self._bytes > _MOST_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped.answer.document)
        return answer

    def forget(self, tenant_id: str, job_id: str) -> None:
        """Drop an answer."""
        held = self._kept.pop((tenant_id, job_id), None)
        if held is not None:
            self._bytes -= len(held.answer.document)
