"""`python -m gateway admin …`: tenants, keys and failed jobs, by an operator who can reach the database."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import ErrorCode
from gateway.access import plans
from gateway.access.keyring import Keyring
from gateway.access.scopes import EVERY_SCOPE, Scope
from gateway.audit.store import Entry, append
from gateway.db import Database
from gateway.jobs import outcomes
from gateway.keys import service
from gateway.keys import store as keys
from gateway.keys.service import Wanted
from gateway.settings import GatewaySettings
from gateway.tenants import store as tenants
from runtime.errors import ServiceError
from runtime.ids import new_id

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Tenants, their API keys, their failed jobs.",
)

Done = TypeVar("Done")
Work = Callable[[AsyncConnection, Database], Awaitable[Done]]

_OPERATOR = "operator"
TenantId = Annotated[str, typer.Argument(help="the tenant's id")]
PlanName = Annotated[str, typer.Option(help="a plan of the file of plans")]
Scopes = Annotated[list[Scope] | None, typer.Option("--scope", help="repeat it for several; without it: every scope")]
Days = Annotated[int, typer.Option("--expires-days", min=1, max=3_650, help="the key ends after so many days")]


def _run(work: Work[Done]) -> Done:
    """Run one transaction; end with one line and status 1 where it cannot be done."""

    async def inside() -> Done:
        db = Database(GatewaySettings().database_url)
        try:
            async with db.begin() as connection:
                return await work(connection, db)
        finally:
            await db.aclose()

    try:
        return asyncio.run(inside())
    except ServiceError as error:
        sys.stderr.write(f"admin: {error.detail}\n")
        raise typer.Exit(1) from error


def _entry(tenant_id: str, action: str, target_id: str = "") -> Entry:
    return Entry(tenant_id, _OPERATOR, f"admin {action}", target_id)


def _plan(name: str) -> plans.Plan:
    return plans.named(plans.load(GatewaySettings().plans_file), name)


async def _known(db: AsyncConnection, tenant_id: str) -> tenants.Tenant:
    found = await tenants.get(db, tenant_id)
    if found is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no tenant {tenant_id}.")
    return found


async def _new_tenant(db: AsyncConnection, name: str, plan: str) -> str:
    tenant_id = new_id("ten")
    await tenants.add(db, tenant_id, name, _plan(plan))
    await append(db, [_entry(tenant_id, "create-tenant", tenant_id)])
    return tenant_id


async def _new_key(db: AsyncConnection, database: Database, tenant_id: str, wanted: Wanted) -> str:
    keyring = Keyring(database, GatewaySettings())
    _, key = await service.create(db, keyring, _entry(tenant_id, "create-key"), wanted, EVERY_SCOPE)
    return key


@app.command()
def bootstrap(name: str, plan: PlanName = "standard") -> None:
    """Make the first tenant and its first key, which is printed once. Refused where there is a tenant already."""

    async def work(db: AsyncConnection, database: Database) -> tuple[str, str]:
        if await tenants.every(db):
            raise ServiceError(ErrorCode.CONFLICT, "There is a tenant already: use create-tenant and create-key.")
        tenant_id = await _new_tenant(db, name, plan)
        return tenant_id, await _new_key(db, database, tenant_id, Wanted("bootstrap", EVERY_SCOPE))

    tenant_id, key = _run(work)
    typer.echo(f"{tenant_id}\n{key}")


@app.command()
def create_tenant(name: str, plan: PlanName = "standard") -> None:
    """Make a tenant, and print its id."""
    typer.echo(_run(lambda db, _: _new_tenant(db, name, plan)))


@app.command()
def create_key(tenant_id: TenantId, name: str = "key", scope: Scopes = None, expires_days: Days | None = None) -> None:
    """Make a key of a tenant, and print it: this once, and nowhere else."""
    lifetime = None if expires_days is None else timedelta(days=expires_days)
    wanted = Wanted(name, frozenset(scope or EVERY_SCOPE), lifetime)

    async def work(db: AsyncConnection, database: Database) -> str:
        await _known(db, tenant_id)
        return await _new_key(db, database, tenant_id, wanted)

    typer.echo(_run(work))


@app.command("list")
def list_tenants() -> None:
    """List tenants, and the newest 100 keys of each."""

    async def work(db: AsyncConnection, _: Database) -> list[str]:
        lines: list[str] = []
        for tenant in await tenants.every(db):
            lines.append(f"{tenant.id}  {tenant.plan}  {tenant.name}{'  (disabled)' if tenant.disabled_at else ''}")
            for key in await keys.page(db, tenant.id, service.MOST_KEYS, None):
                state = "active" if key.alive else "ended"
                lines.append(f"  {key.id}  {key.hint}  {state}  {key.name}  {' '.join(sorted(key.scopes))}")
        return lines

    typer.echo("\n".join(_run(work)))


@app.command()
def revoke(tenant_id: TenantId, key_id: str) -> None:
    """End a key of a tenant."""

    async def work(db: AsyncConnection, database: Database) -> None:
        keyring = Keyring(database, GatewaySettings())
        await service.revoke(db, keyring, _entry(tenant_id, "revoke", key_id), key_id)

    _run(work)


@app.command()
def set_plan(tenant_id: TenantId, plan: str) -> None:
    """Give a tenant another plan."""

    async def work(db: AsyncConnection, _: Database) -> None:
        await _known(db, tenant_id)
        await tenants.set_plan(db, tenant_id, _plan(plan))
        await append(db, [_entry(tenant_id, "set-plan", plan)])

    _run(work)


@app.command()
def disable(tenant_id: TenantId) -> None:
    """Refuse every key of a tenant."""
    _enable(tenant_id, enabled=False)


@app.command()
def enable(tenant_id: TenantId) -> None:
    """Take back `disable`."""
    _enable(tenant_id, enabled=True)


@app.command()
def requeue(tenant_id: TenantId, job_ids: Annotated[list[str], typer.Argument(help="ids of failed jobs")]) -> None:
    """Give failed jobs all their attempts again; what they had finished is kept. All of them, or none."""

    async def work(db: AsyncConnection, _: Database) -> None:
        for job_id in job_ids:
            if not await outcomes.requeue(db, tenant_id, job_id):
                detail = f"{job_id} has not failed, or its cookies and headers are gone: its owner has to ask anew."
                raise ServiceError(ErrorCode.CONFLICT, detail)
            await append(db, [_entry(tenant_id, "requeue", job_id)])

    _run(work)


def _enable(tenant_id: str, *, enabled: bool) -> None:
    async def work(db: AsyncConnection, _: Database) -> None:
        await _known(db, tenant_id)
        await tenants.set_enabled(db, tenant_id, enabled=enabled)
        await append(db, [_entry(tenant_id, "enable" if enabled else "disable", tenant_id)])

    _run(work)
