"""Waiting for a job without asking more often than it changes: the service holds the answer back."""

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

from cro_analyzer.errors import WaitedTooLongError
from cro_analyzer.models.jobs import FINAL
from cro_analyzer.steps import Call, Flow, Pause, ask, now

LONGEST_ASK_S = 30
"""Below the 60 s after which proxies close a connection on which nothing comes."""

_BREATH_S = 0.5


class Job(Protocol):
    """What is waited for."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def status(self) -> str:
        """Where it is."""
        ...


J = TypeVar("J", bound=Job)


def until_final(look: Callable[[int], Call[J]], timeout_s: float) -> Flow[J]:
    """Ask with `look(seconds)` until the job is final. Raises `WaitedTooLongError`."""
    until = (yield from now()) + timeout_s
    while True:
        left = until - (yield from now())
        job = yield from ask(look(max(0, min(LONGEST_ASK_S, math.ceil(left)))))
        if job.status in FINAL:
            return job
        if left <= 0:
            raise WaitedTooLongError(f"{job.id} is still {job.status} after {timeout_s:g} s; it goes on.", job.id)
        yield Pause(_BREATH_S)
