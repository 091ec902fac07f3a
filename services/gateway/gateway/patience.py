"""Waiting for a job of any kind without holding a connection."""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Header, Query

from gateway.hints import job_topic
from gateway.jobs import records
from gateway.jobs.states import Kind
from gateway.wiring import Caller, Parts

MAX_WAIT_S = 120
RETRY_AFTER_S = 2
"""When to ask again for a job that is not finished."""

_LOOK_AGAIN = timedelta(seconds=1)
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,9})", re.IGNORECASE)

Wait = Annotated[int, Query(ge=0, le=MAX_WAIT_S, description="seconds to wait for it to finish")]
Prefer = Annotated[
    str, Header(description="`wait=N`: seconds to wait for the result (RFC 7240)", examples=["wait=30"], max_length=200)
]


@dataclass(frozen=True)
class Patience:
    """How long a caller waits, and how to learn that it went away."""

    wait: timedelta
    gone: Callable[[], Awaitable[bool]]


def preferred(prefer: str) -> int | None:
    """Return the seconds of `Prefer: wait=N`, or None where it does not say."""
    found = _WAIT.search(prefer)
    return min(int(found.group(1)), MAX_WAIT_S) if found else None


def asked_for(body: int | None, prefer: str) -> int | None:
    """Return the seconds that a caller wants to wait, the body's word first, or None where it does not say."""
    return body if body is not None else preferred(prefer)


async def until_final(parts: Parts, caller: Caller, kind: Kind, job_id: str, patience: Patience) -> None:
    """Return once a job is final or unknown, the time is over or the caller has gone.

    No connection is held while waiting. The hint saves time; without one, the row is looked at each second.
    """
    wait_s = min(patience.wait.total_seconds(), caller.plan.max_wait_s)
    until = time.monotonic() + wait_s
    while (left := until - time.monotonic()) > 0:
        async with parts.db.read() as db:
            state = await records.state(db, kind, caller.tenant_id, job_id)
        if state is None or state.final or await patience.gone():
            break
        await parts.hints.wait(job_topic(job_id), min(_LOOK_AGAIN, timedelta(seconds=left)))
