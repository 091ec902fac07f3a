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


@dataclass
class _Kept:
    answer: bytes
    look_again_at: float
    ends_at: float


class Answers:
    """Up to 64 MiB of answers. After five seconds one reader is sent to look again, while the others still get the old.

    What another process deleted may be shown that long, and ten seconds at most; those who delete call `forget`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty."""
        self._clock = clock
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0

    def get(self, tenant_id: str, job_id: str) -> bytes | None:
        """Return a tenant's answer; None: it is not here, or this caller is the one who looks again."""
        kept = self._kept.get((tenant_id, job_id))
        if kept is None:
            return None
        now = self._clock()
        if now > kept.ends_at:
            self.forget(tenant_id, job_id)
            return None
        if now > kept.look_again_at:
            kept.look_again_at = now + _LOOK_S
            return None
        return kept.answer

    def keep(self, tenant_id: str, job_id: str, answer: bytes) -> bytes:
        """Keep an answer that will not change, and return it."""
        self.forget(tenant_id, job_id)
        now = self._clock()
        self._kept[tenant_id, job_id] = _Kept(answer, now + _FRESH_S, now + _MOST_S)
        self._bytes += len(answer)
        while self._bytes > _MOST_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped.answer)
        return answer

    def forget(self, tenant_id: str, job_id: str) -> None:
        """Drop an answer."""
        kept = self._kept.pop((tenant_id, job_id), None)
        if kept is not None:
            self._bytes -= len(kept.answer)
