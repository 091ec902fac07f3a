"""What the endpoints share, and how they get it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.analyze import Overrides
from contracts.errors import ErrorCode
from gateway import walls
from gateway.access import plans
from gateway.access.keyring import Keyring
from gateway.access.plans import Plan, Plans
from gateway.access.scopes import EVERY_SCOPE, Scope, for_route
from gateway.answers import Answers
from gateway.auth import Auth
from gateway.backlog import Backlog
from gateway.blobs.files import FileBlobs
from gateway.broker import Broker
from gateway.db import Database
from gateway.hints import Hints
from gateway.jobs.states import Document
from gateway.limits.local import Limiter
from gateway.limits.policy import Rates
from gateway.origin import address_of
from gateway.places import Places
from gateway.readiness import Readiness
from gateway.settings import GatewaySettings
from gateway.tally import Tally
from gateway.turns import Turns
from gateway.uploads.decoding import Decoder
from gateway.watch import Watch
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy

LOCAL_TENANT = "local"

_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="`Authorization: Bearer cro_live_…`")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="header", description="`X-API-Key: cro_live_…`")

_NO_LIMITS = Plan(name=plans.LOCAL)


@dataclass(frozen=True)
class Parts:
    """One gateway's own parts, built by `create_app`."""

    settings: GatewaySettings
    db: Database
    hints: Hints
    blobs: FileBlobs
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


# Async although they await nothing: FastAPI would send each request through a thread for either of them.
async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


TheParts = Annotated[Parts, Depends(_parts)]


async def _caller(
    request: Request,
    parts: TheParts,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    header: Annotated[str | None, Security(_HEADER)],
) -> Caller:
    if parts.settings.auth_mode is Auth.LOOPBACK:
        caller = Caller(LOCAL_TENANT, plan=parts.plans[plans.LOCAL], thresholds=parts.settings.rule_thresholds)
    else:
        key = bearer.credentials if bearer else header or ""
        found = await parts.keyring.credential(key, address_of(request.scope))
        plan = parts.plans.get(found.plan)
        if plan is None:
            detail = "Something failed on our side."
            raise ServiceError(ErrorCode.INTERNAL, detail, reason=f"tenant {found.tenant_id}: no plan {found.plan!r}")
        thresholds = found.thresholds or parts.settings.rule_thresholds
        caller = Caller(found.tenant_id, found.key_id, found.scopes, plan, thresholds)
    request.scope["state"]["caller"] = caller
    walls.bind(caller.tenant_id)
    return caller


TheCaller = Annotated[Caller, Depends(_caller)]


def needs(noun: str) -> Any:  # noqa: ANN401  # FastAPI's own type of dependencies
    """Return the dependency that every router of `noun` has: the caller's key must have the scope of the method."""

    async def check(request: Request, caller: TheCaller) -> None:
        scope = for_route(noun, request.method)
        if scope not in caller.scopes:
            raise ServiceError(ErrorCode.FORBIDDEN, f"The API key lacks the scope {scope.value}.")

    return Depends(check)


async def _write(parts: TheParts, _: TheCaller) -> AsyncIterator[AsyncConnection]:
    async with parts.db.begin() as connection:
        yield connection


async def _read(parts: TheParts, _: TheCaller) -> AsyncIterator[AsyncConnection]:
    async with parts.db.read() as connection:
        yield connection


# With the scope of the function the commit comes before the answer leaves; by default it would come after.
Writing = Annotated[AsyncConnection, Depends(_write, scope="function")]
Reading = Annotated[AsyncConnection, Depends(_read, scope="function")]
