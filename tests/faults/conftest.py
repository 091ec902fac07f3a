"""A gateway of real processes on real servers, with made-up renderer and analyzer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.migrate import migrate
from tests.fixtures.fleet import Fleet, served
from tests.fixtures.postgres import Postgres
from tests.fixtures.redis import RedisServer


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def world(postgres: Postgres, redis_server: RedisServer, fleet: Fleet, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of every process of one gateway."""
    url = postgres.create_database()
    migrate(url)
    with served(fleet.renderer()) as renderer, served(fleet.analyzer()) as analyzer:
        yield {
            "DATABASE_URL": url,
            "REDIS_URL": redis_server.url,
            "BLOBS_URL": f"file://{tmp_path / 'blobs'}",
            "BLOBS_SECRET": "0123456789abcdef0123456789abcdef",
            "RENDERER_URL": renderer,
            "ANALYZER_URL": analyzer,
            "EGRESS_ALLOW_PRIVATE": "shop.test",
            "PORT": "0",
            "LEASE_SECONDS": "2",
            "POLL_SECONDS": "0.5",
            "SHUTDOWN_GRACE_SECONDS": "1",
            "DRAIN_SECONDS": "10",
        }
