"""Waiting for a job of any kind without holding a connection."""

import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Header, Query

from gateway.jobs.states import Kind
from gateway.watch import Subject
from gateway.wiring import LOCAL_TENANT, Caller, Parts

MAX_WAIT_S = 120
RETRY_AFTER_S = 2
"""When to ask again for a job that is not finished."""

_LOOK_FOR_CALLER_S = (1.0, 3.0)
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
    """Return once a job is final or unknown, the time is over, the caller has gone or the process stops.

    No connection is held while waiting, and all who wait share one look. Whoever goes leaves the job as it is. Those of
    one tenant who wait take half of the places of a process at most; the next ones are told at once how it stands.
    """
    until = time.monotonic() + min(patience.wait.total_seconds(), caller.plan.max_wait_s)
    if not patience.wait or _crowded(parts, caller):
        return
    async with parts.watch.follow(Subject(caller.tenant_id, kind, job_id)) as feed:
        while (left := until - time.monotonic()) > 0 and not parts.watch.closed:
            if feed.latest is None or feed.latest.state.final or await patience.gone():
                return
            # Each at a time of its own: a thousand looks in one moment would hold up everybody else.
            pause = random.uniform(*_LOOK_FOR_CALLER_S)  # noqa: S311  # spreads load, guards nothing
            await feed.change(timedelta(seconds=min(pause, left)))


def _crowded(parts: Parts, caller: Caller) -> bool:
    # Without keys there is nobody else to be kept out.
    most = parts.settings.limit_concurrency // 2
    return bool(most) and caller.tenant_id != LOCAL_TENANT and parts.watch.followers_of(caller.tenant_id) >= most
