"""Health and readiness, as monitors and load balancers see them."""

import httpx2
import pytest

from contracts.errors import ErrorCode
from gateway.app import create_app
from gateway.readiness import Readiness
from gateway.settings import GatewaySettings
from gateway.tally import Tally
from gateway.wiring import Parts
from runtime.errors import ServiceError
from tests.fixtures.gateway import BASE, Platform
from tests.fixtures.redis import RedisServer

pytestmark = pytest.mark.anyio


class Moody:
    """A database that answers or not, and a clock."""

    def __init__(self) -> None:
        self.up = True
        self.asked = 0
        self.now = 100.0

    async def ping(self) -> None:
        self.asked += 1
        if not self.up:
            raise ServiceError(ErrorCode.UNAVAILABLE, "away")


async def says(readiness: Readiness, moody: Moody, *, up: bool) -> bool:
    moody.up = up
    moody.now += 2
    try:
        await readiness.check()
    except ServiceError:
        return False
    return True


async def test_readiness_does_not_flap() -> None:
    moody = Moody()
    readiness = Readiness(moody, clock=lambda: moody.now)  # type: ignore[arg-type]  # all that it uses of a database
    story = "111010100100110111"
    told = [await says(readiness, moody, up=up == "1") for up in story]
    assert told == [word == "1" for word in "111111110000011111"]


async def test_asking_often_costs_the_database_nothing() -> None:
    moody = Moody()
    readiness = Readiness(moody, clock=lambda: moody.now)  # type: ignore[arg-type]  # all that it uses of a database
    for _ in range(100):
        await readiness.check()
    assert moody.asked == 1


async def test_the_fields_of_older_monitors(platform: Platform) -> None:
    answer = await platform.http.get("/api/metrics")
    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "healthy"
    assert found["uptime_seconds"] >= 0
    assert found["active_connections"] == 1
    assert found["total_requests"] == 0
    assert set(found["system"]) == {"cpu_percent", "memory_percent", "memory_available_mb"}
    assert 0 < found["system"]["memory_percent"] < 100
    assert found["system"]["memory_available_mb"] > 0
    assert found["queue"] == {"queued": 0, "running": 0, "finished_per_second": 0}
    assert found["dependencies"] == {"database": "up", "redis": "not used"}
    assert set(found["performance"]) == {"requests_per_minute", "avg_concurrent_users", "latency_seconds"}
    again = (await platform.http.get("/api/health")).json()
    assert (again["total_requests"], again["active_connections"]) == (1, 1)
    assert "performance" not in again


async def test_redis_away_is_degraded_and_ready(settings: GatewaySettings, redis_server: RedisServer) -> None:
    app = create_app(settings.model_copy(update={"redis_url": redis_server.url}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE, trust_env=False) as http:
        assert (await http.get("/readyz")).json() == {"status": "ready"}
        redis_server.kill()
        assert (await http.get("/api/health")).json()["status"] == "degraded"
        parts: Parts = app.state.parts
        parts.readiness._asked_at = float("-inf")
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "degraded"})
    await parts.hints.aclose()
    await parts.db.aclose()


async def test_the_database_away_is_told_and_not_failed(settings: GatewaySettings) -> None:
    app = create_app(settings.model_copy(update={"database_url": "postgresql+asyncpg://nobody@127.0.0.1:1/none"}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE, trust_env=False) as http:
        answer = await http.get("/api/health")
        assert (answer.status_code, answer.json()["status"], answer.json()["queue"]) == (200, "unhealthy", None)
        assert (await http.get("/livez")).status_code == 200
    await app.state.parts.db.aclose()


async def test_a_leaving_process_says_no_and_goes_on_serving(platform: Platform) -> None:
    platform.parts.readiness.leave()
    assert (await platform.http.get("/readyz")).status_code == 503
    answer = await platform.http.get("/v1/analyses")
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert (await platform.http.get("/livez")).status_code == 200
    assert (await platform.http.get("/api/health")).json()["status"] == "unhealthy"


def test_the_last_minute_is_counted_and_older_ones_forgotten() -> None:
    now = 1_000.0
    tally = Tally(lambda: now)
    for _ in range(30):
        tally.enter()
        tally.enter()
        now += 1
        tally.leave(1.0)
        tally.leave(0.5)
    assert (tally.per_minute(), tally.total, tally.active) == (60, 60, 0)
    assert tally.concurrent() == pytest.approx(2)
    assert tally.percentiles(25, 50, 99) == [0.5, 1.0, 1.0]
    now += 30
    assert tally.per_minute() == 60
    assert tally.concurrent() == pytest.approx(1)
    now += 31
    assert (tally.per_minute(), tally.total) == (0, 60)
    assert tally.concurrent() == 0
