"""What a courier is handed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

REQUEST = "request"
"""Stands for an endpoint's id where the URL came with one request; also the owner of the secrets for those."""


@dataclass(frozen=True)
class Parcel:
    """A delivery under our lease. Every write for it names `fence`: a later claim makes it worthless.

    `attempt` is the place in the schedule, from 1; `number` counts all attempts ever made. `wrapped` are the stored
    secrets that are valid now. `open` is false when its endpoint was disabled in the meantime.
    """

    id: str
    tenant_id: str
    event_id: str
    event_type: str
    endpoint_id: str | None
    url: str = field(repr=False)
    lane: str
    attempt: int
    number: int
    fence: int
    document: str = field(repr=False)
    wrapped: Sequence[str] = field(repr=False)
    open: bool


@dataclass(frozen=True)
class Space:
    """How many deliveries a courier can take: in all, and how many of them for receivers that are in trouble."""

    all: int
    troubled: int
