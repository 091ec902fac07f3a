"""What an event says."""

from datetime import datetime

from pydantic import Field

from contracts.errors import ErrorCode
from contracts.wire import Wire
from gateway.jobs.records import CODES, Glimpse
from gateway.jobs.states import Kind, State
from gateway.watch import Subject

_PATHS = {Kind.ANALYSIS: "/v1/analyses", Kind.CAPTURE: "/v1/captures"}
ENRICHED = "enriched"


class EventLinks(Wire):
    """Where to go from here."""

    self: str


class Event(Wire):
    """How far a job is. The result itself is read at `links.self`."""

    id: str
    kind: Kind
    status: State
    attempt: int = Field(description="attempts begun")
    finished_at: datetime | None = None
    error_code: ErrorCode | None = Field(None, description="why it failed or was cancelled")
    ai_pending: bool = Field(False, description="true: rules alone for now, `analysis.enriched` may follow much later")
    links: EventLinks


def steps(glimpse: Glimpse) -> list[str]:
    """Return what there is to tell: the state and, after the end, that the model has completed the result."""
    return [glimpse.state.value, ENRICHED] if glimpse.enriched else [glimpse.state.value]


def event_id(glimpse: Glimpse, step: str) -> str:
    """Return what `Last-Event-ID` holds: it grows with every claim of the job, and changes with every step."""
    return f"{glimpse.fence}-{step}"


def untold(glimpse: Glimpse, last_event_id: str) -> list[str]:
    """Return the steps that somebody does not know who was told `last_event_id` last."""
    all_steps = steps(glimpse)
    ids = [event_id(glimpse, step) for step in all_steps]
    return all_steps[ids.index(last_event_id) + 1 :] if last_event_id in ids else all_steps


def event(subject: Subject, glimpse: Glimpse) -> Event:
    """Describe what was seen."""
    failed = glimpse.state in {State.FAILED, State.CANCELLED}
    return Event(
        id=subject.id,
        kind=subject.kind,
        status=glimpse.state,
        attempt=glimpse.attempt,
        finished_at=glimpse.finished_at,
        error_code=CODES.get(glimpse.error_code or "") if failed else None,
        ai_pending=glimpse.pending,
        links=EventLinks(self=f"{_PATHS[subject.kind]}/{subject.id}"),
    )
