"""What the endpoints share, and how they get it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Overrides
from gateway.access.keyring import Keyring
from gateway.access.plans import LOCAL, Plan, Plans
from gateway.access.scopes import EVERY_SCOPE, Scope
from gateway.answers import Answers
from gateway.backlog import Backlog
from gateway.blobs.base import BlobStore
from gateway.broker import Broker
from gateway.db import Database
from gateway.hints import Hints
from gateway.jobs.states import Document
from gateway.limits.local import Limiter
from gateway.limits.policy import Rates
from gateway.places import Places
from gateway.readiness import Readiness
from gateway.settings import GatewaySettings
from gateway.tally import Tally
from gateway.turns import Turns
from gateway.uploads.decoding import Decoder
from gateway.watch import Watch
from runtime.netguard import AddressPolicy

LOCAL_TENANT = "local"

_NO_LIMITS = Plan(name=LOCAL)


@dataclass(frozen=True)
class Parts:
    """One gateway's own parts, built by `create_app`."""

    settings: GatewaySettings
    db: Database
    hints: Hints
    blobs: BlobStore
    policy: AddressPolicy
    keyring: Keyring
    plans: Plans
    broker: Broker | None
    limiter: Limiter
    rates: Rates
    backlog: Backlog
    readiness: Readiness
    watch: Watch
    decoder: Decoder
    places: Places
    tally: Tally = field(default_factory=Tally)
    turns: Turns = field(default_factory=Turns)
    answers: Answers = field(default_factory=Answers)

    def leave(self) -> None:
        """Ask for no more traffic, and send everybody home who waits: the process is about to stop."""
        self.readiness.leave()
        self.watch.close()


@dataclass(frozen=True)
class Caller:
    """Who asks, and what they may. Every query names the tenant. Without keys there is no `key_id`."""

    tenant_id: str
    key_id: str | None = None
    scopes: frozenset[Scope] = EVERY_SCOPE
    plan: Plan = _NO_LIMITS
    thresholds: Overrides = field(default_factory=dict)

    @property
    def options(self) -> Document | None:
        """What this caller's analyses go by besides what the request says: its thresholds as they are now."""
        return {"thresholds": self.thresholds} if self.thresholds else None


# Async although they await nothing: FastAPI would send each request through a thread for any of them. And none depends
# on another: FastAPI resolves what a dependency depends on wherever it is named, a tenth of an answer each time.
async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


TheParts = Annotated[Parts, Depends(_parts)]
TheCaller = Annotated[Caller, Depends(_caller)]
"""Whom the guard before the route has let in. Fails where there is no guard."""


async def _write(request: Request) -> AsyncIterator[AsyncConnection]:
    parts: Parts = request.app.state.parts
    async with parts.db.begin() as connection:
        yield connection


async def _read(request: Request) -> AsyncIterator[AsyncConnection]:
    parts: Parts = request.app.state.parts
    async with parts.db.read() as connection:
        yield connection


# With the scope of the function the commit comes before the answer leaves; by default it would come after.
Writing = Annotated[AsyncConnection, Depends(_write, scope="function")]
Reading = Annotated[AsyncConnection, Depends(_read, scope="function")]
