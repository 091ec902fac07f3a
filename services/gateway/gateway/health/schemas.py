"""What `/api/health` and `/api/metrics` answer."""

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from contracts.wire import Wire

_HEALTH: dict[str, JsonValue] = {
    "status": "healthy",
    "uptime_seconds": 86400.5,
    "active_connections": 12,
    "total_requests": 90210,
    "system": {"cpu_percent": 21.5, "memory_percent": 48.1, "memory_available_mb": 4096.0},
    "queue": {"queued": 3, "running": 8, "finished_per_second": 1.2},
    "pool": {"database_in_use": 2, "database_size": 10},
    "dependencies": {"database": "up", "redis": "up"},
}
_METRICS: dict[str, JsonValue] = {
    **_HEALTH,
    "performance": {
        "requests_per_minute": 640,
        "avg_concurrent_users": 7.5,
        "latency_seconds": {"p50": 0.004, "p95": 0.02, "p99": 0.06},
    },
}


class System(Wire):
    """The machine, or the container's share of it where the kernel says so."""

    cpu_percent: float = Field(description="of all CPUs, since the last time anybody asked")
    memory_percent: float
    memory_available_mb: float


class Queue(Wire):
    """All processes' queue, as it was within the last second."""

    queued: int
    running: int
    finished_per_second: float = Field(description="over the last 30 s")


class Pool(Wire):
    """This process's connections to the database."""

    database_in_use: int
    database_size: int


Word = Literal["up", "down", "not used"]


class Dependencies(Wire):
    """What this process can reach."""

    database: Word
    redis: Word


class Health(Wire):
    """One process's state. Others behind the same address have their own."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HEALTH]})

    status: Literal["healthy", "degraded", "unhealthy"] = Field(
        description="degraded: slower, without Redis; unhealthy: the database is away, or the process is stopping"
    )
    uptime_seconds: float
    active_connections: int = Field(description="requests in progress in this process, this one included")
    total_requests: int = Field(description="answered by this process since its start")
    system: System
    queue: Queue | None = Field(description="null while the database is away")
    pool: Pool
    dependencies: Dependencies


class Latency(Wire):
    """Time to answer of the last 2,048 requests, waiting callers included."""

    p50: float
    p95: float
    p99: float


class Performance(Wire):
    """The last minute."""

    requests_per_minute: int
    avg_concurrent_users: float = Field(description="requests in progress at a time, on average")
    latency_seconds: Latency


class Metrics(Health):
    """The state with figures. Prometheus reads `/metrics`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_METRICS]})

    performance: Performance
