"""What the endpoints share, and how they get it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.answers import Answers
from gateway.backlog import Backlog
from gateway.blobs.files import FileBlobs
from gateway.broker import Broker
from gateway.db import Database
from gateway.hints import Hints
from gateway.limits.local import Limiter
from gateway.limits.policy import Rates
from gateway.readiness import Readiness
from gateway.settings import GatewaySettings
from gateway.tally import Tally
from runtime.netguard import AddressPolicy

LOCAL_TENANT = "local"


@dataclass(frozen=True)
class Parts:
    """One gateway's own parts, built by `create_app`."""

    settings: GatewaySettings
    db: Database
    hints: Hints
    blobs: FileBlobs
    policy: AddressPolicy
    broker: Broker | None
    limiter: Limiter
    rates: Rates
    backlog: Backlog
    readiness: Readiness
    tally: Tally = field(default_factory=Tally)
    answers: Answers = field(default_factory=Answers)


@dataclass(frozen=True)
class Caller:
    """Who asks. Every query names its tenant."""

    tenant_id: str
    key_id: str = ""


# Async although they await nothing: FastAPI would send each request through a thread for either of them.
async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _caller() -> Caller:
    # On loopback there are no keys, and one tenant.
    return Caller(LOCAL_TENANT)


TheParts = Annotated[Parts, Depends(_parts)]
TheCaller = Annotated[Caller, Depends(_caller)]


async def _write(parts: TheParts) -> AsyncIterator[AsyncConnection]:
    async with parts.db.begin() as connection:
        yield connection


async def _read(parts: TheParts) -> AsyncIterator[AsyncConnection]:
    async with parts.db.read() as connection:
        yield connection


# With the scope of the function the commit comes before the answer leaves; by default it would come after.
Writing = Annotated[AsyncConnection, Depends(_write, scope="function")]
Reading = Annotated[AsyncConnection, Depends(_read, scope="function")]
