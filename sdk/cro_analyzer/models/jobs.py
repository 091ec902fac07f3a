"""What all work has in common: where it is, and why it failed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

State: TypeAlias = Literal["held", "waiting", "queued", "rendering", "analyzing", "succeeded", "failed", "cancelled"]
"""Where a job is. The last three are final; `waiting`, `held`: its plan or its batch allows no more at once."""


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One field that cannot be used, and the remedy."""

    field: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An RFC 9457 problem document (`application/problem+json`)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    code: str
    errors: list[FieldError] = field(default_factory=list)
    request_id: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class EventLinks:
    """Where to go from here."""

    href: str = field(metadata={"name": "self"})


@dataclass(frozen=True, kw_only=True)
class JobEvent:
    """How far a job is, as told while it happens."""

    id: str
    kind: str
    status: State
    attempt: int
    finished_at: datetime | None = None
    error_code: str | None = None
    ai_pending: bool = False
    """true: what there is so far is of the rules alone, the model's part follows"""
    links: EventLinks


FINAL = frozenset({"succeeded", "failed", "cancelled"})
"""States in which nothing changes any more."""
