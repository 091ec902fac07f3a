"""Finished results as the bytes that are sent, kept for a moment: who asks for one often asks again."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_BYTES = 64 * 2**20
_FRESH_S = 5.0

Key = tuple[str, str]


@dataclass(frozen=True)
class Kept:
    """An answer and its entity tag."""

    document: bytes
    tag: str


class Answers:
    """Up to 64 MiB of answers, none older than five seconds.

    So long may a result that another process deleted still be shown by this one; those who delete call `forget`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty."""
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, Kept]] = OrderedDict()
        self._bytes = 0

    def get(self, tenant_id: str, job_id: str) -> Kept | None:
        """Return a tenant's answer, if it is here and fresh."""
        found = self._kept.get((tenant_id, job_id))
        if found is None:
            return None
        if self._clock() - found[0] > _FRESH_S:
            self.forget(tenant_id, job_id)
            return None
        return found[1]

    def keep(self, tenant_id: str, job_id: str, answer: Kept) -> Kept:
        """Keep an answer that will not change, and return it."""
        self.forget(tenant_id, job_id)
        self._kept[tenant_id, job_id] = (self._clock(), answer)
        self._bytes += len(answer.document)
        while self._bytes > _MOST_BYTES:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= len(dropped.document)
        return answer

    def forget(self, tenant_id: str, job_id: str) -> None:
        """Drop an answer."""
        found = self._kept.pop((tenant_id, job_id), None)
        if found is not None:
            self._bytes -= len(found[1].document)
