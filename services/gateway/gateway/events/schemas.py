"""What an event says."""

from datetime import datetime

from pydantic import Field

from contracts.errors import ErrorCode
from contracts.wire import Wire
from gateway.jobs.records import Glimpse
from gateway.jobs.states import Kind, State
from gateway.watch import Subject

_PATHS = {Kind.ANALYSIS: "/v1/analyses", Kind.CAPTURE: "/v1/captures"}
_CODES = {code.value: code for code in ErrorCode}


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
    links: EventLinks


def event_id(glimpse: Glimpse) -> str:
    """Return what `Last-Event-ID` holds: it grows with every claim of the job, and changes with every state."""
    return f"{glimpse.fence}-{glimpse.state.value}"


def event_name(kind: Kind, state: State) -> str:
    """Return the event's name: `analysis.rendering`."""
    return f"{kind.value}.{state.value}"


def event(subject: Subject, glimpse: Glimpse) -> Event:
    """Describe what was seen."""
    failed = glimpse.state in {State.FAILED, State.CANCELLED}
    return Event(
        id=subject.id,
        kind=subject.kind,
        status=glimpse.state,
        attempt=glimpse.attempt,
        finished_at=glimpse.finished_at,
        error_code=_CODES.get(glimpse.error_code or "") if failed else None,
        links=EventLinks(self=f"{_PATHS[subject.kind]}/{subject.id}"),
    )
