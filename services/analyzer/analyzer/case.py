"""One analysis under way: what was asked, by which numbers, and how much time is left for it."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

from analyzer.artifacts import ArtifactReader
from analyzer.rules.policy import Policy
from contracts.analyze import AnalyzeRequest

_RESERVE_MS = 500


@dataclass
class Clock:
    """Owns one analysis's time: what is left of the budget, and how long each phase took."""

    budget_ms: int
    begun: float = field(default_factory=time.perf_counter)
    phases: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def lap(self, phase: str) -> None:
        """Close a phase."""
        now = time.perf_counter()
        self.phases[phase] = round((now - self._since) * 1000, 1)
        self._since = now

    def passed_ms(self) -> float:
        """Return how long the analysis has taken so far."""
        return (time.perf_counter() - self.begun) * 1000

    def left_ms(self) -> int:
        """Return what is left of the budget after keeping some for the answer."""
        return int(self.budget_ms - _RESERVE_MS - self.passed_ms())


@dataclass(frozen=True)
class Case:
    """What every step of one analysis goes by. `policy` has the tenant's thresholds in it."""

    request: AnalyzeRequest
    reader: ArtifactReader
    policy: Policy
    clock: Clock

    async def read(self, artifact: str) -> bytes | None:
        """Read an artifact in the time that is left, or None where there is no such. Raises `ServiceError`."""
        return await self.reader.read(self.request, artifact, timedelta(milliseconds=max(self.clock.left_ms(), 1)))
