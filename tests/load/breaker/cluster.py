"""The cluster profile on this machine: every service a process of its own, with the servers that it needs."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.migrate import migrate
from tests.fixtures.balancer import balancing
from tests.fixtures.postgres import running_postgres
from tests.fixtures.programs import kill_group
from tests.fixtures.receiver import Receiver, receiving
from tests.fixtures.redis import RedisServer, running_redis
from tests.fixtures.s3 import running_versitygw
from tests.fixtures.site import Site, serving
from tests.load.breaker.door import Door
from tests.load.breaker.members import Member, Recipe, member

SLOTS = 2
"""Browsers of each of the two renderers."""

LEASE_S = 10


@dataclass(frozen=True)
class Servers:
    """What is not ours, and is the same all the time but for Redis."""

    site: Site
    redis: RedisServer
    receiver: Receiver
    folder: Path
    settings: dict[str, str]
    s3_origin: str


@dataclass(frozen=True)
class Cluster:
    """All of it. `api` is the door that stands before two processes."""

    servers: Servers
    members: list[Member]
    api: str

    def of(self, role: str) -> list[Member]:
        return [one for one in self.members if one.role == role]

    async def end(self) -> None:
        """End every member politely; the servers stay."""
        await asyncio.gather(*(asyncio.to_thread(_ended, one) for one in self.members))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cro-breaker-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # The browsers run as another user.
        folder.chmod(0o755)
        for each in ("logs", "tmp", "scratch"):
            (folder / each).mkdir()
            (folder / each).chmod(0o755)
        yield folder


@asynccontextmanager
async def _servers() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as outer:
        stack = outer.enter_context(ExitStack())
        folder = stack.enter_context(_folder())
        site = stack.enter_context(serving())
        postgres = stack.enter_context(running_postgres())
        redis = stack.enter_context(running_redis())
        s3 = stack.enter_context(running_versitygw())
        receiver = await outer.enter_async_context(receiving())
        database = postgres.create_database()
        await asyncio.to_thread(migrate, database)
        settings = {
            "DATABASE_URL": database,
            "REDIS_URL": redis.url,
            "AUTH": "loopback",
            "SIGNING_SECRET": "0123456789abcdef0123456789abcdef",
            "EGRESS_ALLOW_PRIVATE": f"{site.host},{receiver.host}",
            **s3.environment(s3.new_bucket()),
        }
        yield Servers(site, redis, receiver, folder, settings, s3.origin)


def _backends(servers: Servers) -> tuple[Member, Member, Member, list[Member]]:
    """Everything behind the gateway: egress, fake Claude, analyzer, renderers."""
    base = {"TMPDIR": str(servers.folder / "tmp"), "LOG_LEVEL": "WARNING"}
    allowed = {"EGRESS_ALLOW_PRIVATE": servers.settings["EGRESS_ALLOW_PRIVATE"]}
    logs = servers.folder / "logs"
    claude = Recipe("claude", "analyzer.fakeclaude", "--port {port} --latency 1 --limits 100", "", base)
    fake = member(claude, "claude", logs)
    way_out = Recipe("egress", "renderer", "egress", "PORT", {**base, **allowed, "EGRESS_CONTROL_PORT": "0"})
    egress = member(way_out, "egress", logs)
    judging = {
        **base,
        "ANALYZER_DOWNLOAD_ORIGINS": servers.s3_origin,
        "ANTHROPIC_API_KEY": "fake",
        "ANTHROPIC_BASE_URL": fake.origin,
    }
    analyzer = member(Recipe("analyzer", "analyzer", environment=judging), "analyzer", logs)
    drawing = {
        **base,
        **allowed,
        "EGRESS_PROXY_URL": egress.origin,
        "RENDERER_SLOTS": str(SLOTS),
        "RENDERER_SCRATCH": str(servers.folder / "scratch"),
        "RENDERER_UPLOAD_ORIGINS": servers.s3_origin,
    }
    recipe = Recipe("renderer", "renderer", environment=drawing)
    return egress, fake, analyzer, [member(recipe, f"renderer-{number}", logs) for number in (1, 2)]


async def _started(stack: AsyncExitStack, members: list[Member]) -> None:
    for one in members:
        stack.callback(_ended, one)
    async with asyncio.TaskGroup() as group:
        for one in members:
            group.create_task(asyncio.to_thread(one.start))


def _ended(one: Member) -> None:
    """End what still runs, politely at first."""
    if one.program is None:
        return
    process = one.program.process
    try:
        one.end(signal.SIGTERM)
    except subprocess.TimeoutExpired:
        kill_group(process)


@asynccontextmanager
async def cluster(lease_s: float = LEASE_S) -> AsyncIterator[Cluster]:
    """Start all of it. Raises OSError where Postgres, Redis or versitygw cannot be had."""
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(_servers())
        egress, fake, analyzer, renderers = _backends(servers)
        working = {
            **servers.settings,
            "TMPDIR": str(servers.folder / "tmp"),
            "LOG_LEVEL": "WARNING",
            "RENDERER_URL": ",".join(one.origin for one in renderers),
            "ANALYZER_URL": analyzer.origin,
            "EGRESS_PROXY_URL": egress.origin,
            "LEASE_SECONDS": str(lease_s),
            "SHUTDOWN_GRACE_SECONDS": "1",
            # Two workers that die under one job are taken for its fault; here it is somebody else's, again and again.
            "MAX_CRASHES": "20",
        }
        logs = servers.folder / "logs"
        apis = [member(Recipe("api", "gateway", "api", "PORT", working), f"api-{n}", logs) for n in (1, 2)]
        api = await stack.enter_async_context(balancing(Door(one.port for one in apis)))
        workers = [member(Recipe("worker", "gateway", "worker", "", working), f"worker-{n}", logs) for n in (1, 2)]
        members = [egress, fake, analyzer, *renderers, *apis, *workers]
        await asyncio.to_thread(_bucket, working)
        await _started(stack, members)
        yield Cluster(servers, members, api)


def _bucket(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "gateway", "blobs", "setup", "--create", "--wait", "20"]
    subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True)
