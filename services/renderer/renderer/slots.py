"""A slot: what it holds, what it is doing, and its number in the metrics."""

from contextlib import suppress
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from prometheus_client import Gauge

from renderer.wear import Wear

SLOTS = Gauge("cro_renderer_slots", "Browsers by what they do", ["state"])
MEMORY = Gauge("cro_renderer_slot_memory_bytes", "Memory that a browser holds (proportional set size)", ["slot"])
_MB = 1024 * 1024


class State(StrEnum):
    """What a slot is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    RESETTING = "resetting"
    MEASURED = "measured"


class Resource(Protocol):
    """What a slot holds."""

    tainted: bool
    """True once a job has seen it misbehave: it gets no further job."""

    async def gone(self) -> None:
        """Return when it has ended by itself."""

    async def reset(self) -> None:
        """Remove what a job left behind. Raises `ServiceError` when that fails."""

    async def canary(self) -> float:
        """Do a small piece of work that is always the same; return the seconds. Raises `ServiceError`."""

    def cpu_s(self) -> float:
        """Return the CPU time that it has taken so far. May take milliseconds: called in a thread."""

    def yield_cpu(self) -> None:
        """Let others go first from now on; cannot be undone."""

    def memory_mb(self) -> int:
        """Return the memory that it holds now. May take milliseconds: called in a thread."""

    def kill(self) -> None:
        """End it at once; cannot fail and does not wait."""

    async def aclose(self) -> None:
        """End it and remove all that it kept."""


T = TypeVar("T", bound=Resource)


class Slot(Generic[T]):
    """A started resource and its history. `number` is the smallest that no other slot has."""

    def __init__(self, resource: T, number: int, now: float) -> None:
        """Begin with no uses."""
        self.resource = resource
        self.number = number
        self.state = State.STARTING
        self.wear = Wear(now)
        self.since = now
        self.retired = False
        self.replacing = False
        self.followed = False
        self.greedy = False
        self.rationed_at = 0.0
        self.cpu_s = 0.0

    def weighed(self, megabytes: int) -> None:
        """Account for its memory."""
        self.wear.memory_mb = megabytes
        MEMORY.labels(str(self.number)).set(megabytes * _MB)

    def unaccount(self) -> None:
        """Account for it no longer."""
        with suppress(KeyError):
            MEMORY.remove(str(self.number))
