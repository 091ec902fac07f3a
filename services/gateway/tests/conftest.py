"""Databases, settings and a made-up fleet for every test of the gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from gateway.app import create_app
from gateway.db import Database
from gateway.hints import LocalHints
from gateway.migrate import migrate
from gateway.pipeline import Ports
from gateway.rates import Rate
from gateway.settings import GatewaySettings
from gateway.tables import metadata
from gateway.wiring import Parts
from runtime.client import ServiceClient
from tests.fixtures.accounts import PEPPER
from tests.fixtures.fleet import Fleet
from tests.fixtures.gateway import BASE, Platform
from tests.fixtures.receiver import Receiver, receiving


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GatewaySettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def migrated_postgres(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("postgres_database")
    migrate(url)
    return url


async def _emptied(url: str) -> None:
    db = Database(url)
    async with db.begin() as connection:
        # The audit log refuses every removal, except to who may switch triggers off.
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())
    await db.aclose()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database with the newest schema: every such test runs on both."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("migrated_postgres")
        asyncio.run(_emptied(url))
        return url
    url = f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}"
    migrate(url)
    return url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.aclose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> GatewaySettings:
    return GatewaySettings(
        database_url=database_url,
        blobs_url=f"file://{tmp_path / 'blobs'}",
        blobs_base_url=BASE,
        poll_seconds=0.05,
        lease_seconds=2,
        retry_base_seconds=0,
        # Beside other suites a connection may take seconds.
        api_database_seconds=10,
        drain_seconds=5,
    )


@asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[Platform]:
    app = create_app(settings, hints=LocalHints())
    async with AsyncExitStack() as stack:
        to_app = httpx2.ASGITransport(app=app)
        fleet = Fleet(uploads_over=to_app)
        to_renderer, to_analyzer = (
            httpx2.ASGITransport(app=service) for service in (fleet.renderer(), fleet.analyzer())
        )
        renderer = await stack.enter_async_context(ServiceClient("renderer", BASE, to_renderer))
        analyzer = await stack.enter_async_context(ServiceClient("analyzer", BASE, to_analyzer))
        http = await stack.enter_async_context(httpx2.AsyncClient(transport=to_app, base_url=BASE, trust_env=False))
        parts: Parts = app.state.parts
        yield Platform(app, http, parts, fleet, Ports(renderer, analyzer, parts.blobs))
        await parts.watch.aclose()
        await parts.db.aclose()


@pytest.fixture
async def platform(settings: GatewaySettings) -> AsyncIterator[Platform]:
    async with running(settings) as platform:
        yield platform


@pytest.fixture
async def guarded(settings: GatewaySettings) -> AsyncIterator[Platform]:
    """A platform that asks for keys, as often as tests ask."""
    changes = {"api_key_pepper": SecretStr(PEPPER), "rate_limit_tenant": Rate("off")}
    async with running(settings.model_copy(update=changes)) as platform:
        yield platform


@pytest.fixture
async def working(platform: Platform) -> AsyncIterator[Platform]:
    """A platform with one worker running."""
    async with platform.at_work():
        yield platform


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running
