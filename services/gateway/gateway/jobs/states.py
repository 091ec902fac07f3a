"""The words of the queue, and what a worker is handed."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import TypeAlias

from contracts.analyze import Preset
from contracts.fetch import Tier, TierAttempt
from contracts.outputs import DocumentKind
from contracts.render import RenderResult
from contracts.visit import Prepare

Document: TypeAlias = dict[str, object]
"""JSON as a column holds it."""


class State(StrEnum):
    """Where a job is. The last three are final.

    `waiting`: its tenant has as many in the queue as its plan allows; the first end of another one lets it in. `held`:
    its batch has as many there as was asked for, or is paused; only the batch lets it in. See docs/adr/0024.
    """

    HELD = "held"
    WAITING = "waiting"
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


class BatchState(StrEnum):
    """Where a batch is. The last two are final, but for failed URLs that are tried once more."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Nothing will change any more by itself."""
        return self in {BatchState.COMPLETED, BatchState.CANCELLED}


class Weight(StrEnum):
    """What a worker has room for: `light` jobs need plain HTTP only."""

    ANY = "any"
    LIGHT = "light"
    HEAVY = "heavy"


class Stage(StrEnum):
    """What has to be done next. It survives a retry, so finished stages are not repeated."""

    RENDER = "render"
    ANALYZE = "analyze"
    ENRICH = "enrich"


class Kind(StrEnum):
    """What a job is for."""

    ANALYSIS = "analysis"
    CAPTURE = "capture"
    ENRICHMENT = "enrichment"
    SITEMAP = "sitemap"

    @property
    def id_prefix(self) -> str:
        """How the ids of this kind begin."""
        return {Kind.ANALYSIS: "an", Kind.CAPTURE: "cap", Kind.ENRICHMENT: "enr", Kind.SITEMAP: "map"}[self]


class Priority(IntEnum):
    """Classes of service, best first. Inside a class, tenants share fairly."""

    INTERACTIVE = 0
    BATCH = 1


@dataclass(frozen=True)
class Picture:
    """A customer's picture in the place of a render: stored already, under a key that holds `job_id`."""

    job_id: str
    render: RenderResult
    keys: dict[str, str]


@dataclass(frozen=True)
class NewJob:
    """What is asked. `trace` is the W3C traceparent of the request that asked.

    Analyses have a `preset`, and so have their enrichments, whose `options` name the analysis. Captures have `options`
    and, in `secrets`, what must not outlive the job. `cache_key`: what makes two requests the same; none where the
    result is for nobody else.
    """

    tenant_id: str
    url: str
    preset: Preset | None = None
    kind: Kind = Kind.ANALYSIS
    priority: Priority = Priority.INTERACTIVE
    trace: str = ""
    options: Document | None = None
    secrets: Document | None = field(default=None, repr=False)
    cache_key: str | None = None
    picture: "Picture | None" = None


@dataclass(frozen=True)
class Claimed:
    """A job under our lease. Every write for it names `fence`: a later claim makes it worthless."""

    id: str
    tenant_id: str
    url: str
    preset: Preset | None
    stage: Stage
    attempt: int
    fence: int
    trace: str
    age: timedelta
    kind: Kind = Kind.ANALYSIS
    options: Document | None = None
    light: bool = False
    batch_id: str | None = None

    @property
    def key(self) -> tuple[str, int]:
        """This claim of this job."""
        return self.id, self.fence

    @property
    def needs_browser(self) -> bool:
        """Whether a browser is needed now, or may be: only the static tier never takes one."""
        return self.stage is Stage.RENDER and not self.light and (self.options or {}).get("tier") != Tier.STATIC


_DOCUMENTS = {kind.value for kind in DocumentKind}
_UNPREPARED = Prepare().model_dump(mode="json")


def is_light(options: Document | None, priority: Priority) -> bool:
    """Tell whether plain HTTP is all that a capture needs for now.

    In batches, `auto` begins so too, and asks for a browser's place only where that is not enough.
    """
    if not options or options.get("tier") == Tier.STATIC:
        return bool(options)
    outputs = options.get("outputs")
    documents = isinstance(outputs, list) and all(output["kind"] in _DOCUMENTS for output in outputs)
    bare = options.get("prepare") == _UNPREPARED and options.get("settle") is None
    return priority is Priority.BATCH and options.get("tier") == Tier.AUTO and documents and bare


class NotEnoughError(Exception):
    """Plain HTTP did not give the page whole: a browser is needed. `climbed`: what was tried."""

    def __init__(self, climbed: list[TierAttempt]) -> None:
        """Keep the attempts."""
        super().__init__("a browser is needed")
        self.climbed: list[Document] = [attempt.model_dump(mode="json") for attempt in climbed]


class LeaseLostError(Exception):
    """The job was given to another worker, or cancelled; what we made of it must be dropped."""
