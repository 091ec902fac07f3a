"""Collecting what is known about this process."""

import psutil

from gateway.health.schemas import (
    Dependencies,
    Health,
    Latency,
    Metrics,
    Performance,
    Pool,
    Queue,
    System,
    Word,
)
from gateway.tally import Tally
from gateway.wiring import Parts
from runtime.errors import ServiceError


async def health(parts: Parts) -> Health:
    """Return the state of this process; never fails because a dependency does."""
    queue = await _queue(parts)
    redis = await _redis(parts)
    unhealthy = queue is None or parts.readiness.leaving
    return Health(
        status="unhealthy" if unhealthy else "degraded" if redis == "down" else "healthy",
        uptime_seconds=round(parts.tally.uptime_s, 1),
        active_connections=parts.tally.active,
        total_requests=parts.tally.total,
        system=_system(),
        queue=queue,
        pool=Pool(database_in_use=parts.db.in_use, database_size=parts.db.size),
        dependencies=Dependencies(database="down" if queue is None else "up", redis=redis),
    )


async def metrics(parts: Parts) -> Metrics:
    """Return the state of this process with the figures of its last minute."""
    return Metrics(**dict(await health(parts)), performance=_performance(parts.tally))


def _performance(tally: Tally) -> Performance:
    p50, p95, p99 = (round(seconds, 4) for seconds in tally.percentiles(50, 95, 99))
    return Performance(
        requests_per_minute=tally.per_minute(),
        avg_concurrent_users=round(tally.concurrent(), 2),
        latency_seconds=Latency(p50=p50, p95=p95, p99=p99),
    )


async def _queue(parts: Parts) -> Queue | None:
    try:
        flow = await parts.backlog.flow()
    except ServiceError:
        return None
    return Queue(queued=flow.queued, running=flow.running, finished_per_second=round(flow.per_second, 2))


async def _redis(parts: Parts) -> Word:
    if parts.broker is None:
        return "not used"
    return "up" if await parts.broker.ping() else "down"


def _system() -> System:
    memory = psutil.virtual_memory()
    return System(
        cpu_percent=psutil.cpu_percent(),
        memory_percent=memory.percent,
        memory_available_mb=round(memory.available / 2**20, 1),
    )
