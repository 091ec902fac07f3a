"""The words of the queue, and what a worker is handed."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum

from contracts.analyze import Preset


class State(StrEnum):
    """Where a job is. The last three are final."""

    QUEUED = "queued"
    RENDERING = "rendering"
    ANALYZING = "analyzing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Nothing will change any more."""
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELLED}


class Stage(StrEnum):
    """What has to be done next. It survives a retry, so finished stages are not repeated."""

    RENDER = "render"
    ANALYZE = "analyze"


class Kind(StrEnum):
    """What a job is for."""

    ANALYSIS = "analysis"


class Priority(IntEnum):
    """Classes of service, best first. Inside a class, tenants share fairly."""

    INTERACTIVE = 0
    BATCH = 1


@dataclass(frozen=True)
class NewJob:
    """What is asked. `trace` is the W3C traceparent of the request that asked."""

    tenant_id: str
    url: str
    preset: Preset
    kind: Kind = Kind.ANALYSIS
    priority: Priority = Priority.INTERACTIVE
    trace: str = ""


@dataclass(frozen=True)
class Claimed:
    """A job under our lease. Every write for it names `fence`: a later claim makes it worthless."""

    id: str
    tenant_id: str
    url: str
    preset: Preset
    stage: Stage
    attempt: int
    fence: int
    trace: str
    age: timedelta

    @property
    def key(self) -> tuple[str, int]:
        """This claim of this job."""
        return self.id, self.fence


class LeaseLostError(Exception):
    """The job was given to another worker, or cancelled; what we made of it must be dropped."""
