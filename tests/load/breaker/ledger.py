"""What the customers were promised and what they got."""

import time
from collections import Counter
from dataclasses import dataclass, field

from tests.load.breaker.pages import Marked


@dataclass
class Ledger:
    """The customers' own books: nothing in it comes from the service's."""

    accepted: dict[str, Marked] = field(default_factory=dict)
    """jobs by their id"""
    batches: dict[str, list[Marked]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    ends: Counter[str] = field(default_factory=Counter)
    """terminal events that a stream told, by job"""
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """errors that no customer should see"""
    corrupted: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def accept(self, job_id: str, marked: Marked) -> None:
        """Note a job; one id for two pages would be somebody else's result."""
        before = self.accepted.setdefault(job_id, marked)
        if before is not marked:
            self.corrupted.append(f"{job_id} was given to {before.word} and to {marked.word}")

    def check(self, job_id: str, what: str, *, right: bool) -> None:
        """Note a result that is not what was asked for."""
        if not right:
            self.corrupted.append(f"{job_id}: {what}")

    def finished(self, what: str, begun: float) -> None:
        """Note that a customer has got all of it."""
        self.done[what] += 1
        self.seconds.append(time.monotonic() - begun)
