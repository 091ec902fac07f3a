"""Everything an operator may set. A profile is chosen by URLs, never by a flag."""

from datetime import timedelta
from decimal import Decimal

from pydantic import Field

from gateway.auth import AccessSettings


class GatewaySettings(AccessSettings):
    """Settings of the API and the worker; each field is the environment variable of the same name in capitals."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="0 takes a free one")
    log_level: str = Field("INFO", description="least severe event that is logged")
    metrics_port: int = Field(0, ge=0, le=65_535, description="where the worker shows its metrics; 0: nowhere")

    database_url: str = Field(
        "sqlite+aiosqlite:///data/cro.db", description="postgresql+asyncpg://… or sqlite+aiosqlite:///file"
    )
    blobs_url: str = Field("file:data/blobs", description="file:relative/folder or file:///absolute/folder")
    blobs_base_url: str = Field(
        "http://127.0.0.1:8000", description="origin at which renderer and analyzer reach the blob routes"
    )
    blobs_secret: str = Field("", description="signs blob URLs; missing: made once and kept in the blob folder")

    renderer_url: str = Field("http://127.0.0.1:9000", description="where the worker finds the renderer")
    analyzer_url: str = Field("http://127.0.0.1:9100", description="where the worker finds the analyzer")
    render_budget_seconds: int = Field(60, ge=5, le=115, description="longest render")
    capture_budget_seconds: int = Field(60, ge=5, le=115, description="longest capture, all its tiers together")
    capture_max_cost_usd: Decimal = Field(
        Decimal("0.05"), ge=0, description="most that a tier of one capture may cost; requests may say less"
    )
    capture_allow_scripts: bool = Field(
        False,
        description="true: captures may bring JavaScript (prepare.wait_for.function); logged; trusted callers only",
    )
    capture_link_seconds: int = Field(3_600, ge=60, le=604_800, description="how long a signed artifact link is valid")
    analyze_budget_seconds: int = Field(120, ge=5, le=175, description="longest analysis of a render")

    worker_concurrency: int = Field(4, ge=1, le=200, description="jobs in progress in one worker")
    worker_light_concurrency: int = Field(
        100, ge=1, le=500, description="jobs in progress in one worker besides those, which need plain HTTP only"
    )
    lease_seconds: float = Field(30, ge=1, le=600, description="silence after which a worker counts as dead")
    poll_seconds: float = Field(1, gt=0, le=30, description="longest time to miss a lost wake-up")
    drain_seconds: float = Field(25, ge=0, le=600, description="time to finish on SIGTERM before jobs are given back")
    max_attempts: int = Field(3, ge=1, le=20, description="failures that may be retried before a job is dead")
    max_crashes: int = Field(2, ge=1, le=1_000, description="workers that a job may take down before it is dead")
    retry_base_seconds: float = Field(
        2, ge=0, le=60, description="first retry comes within this, each later one within twice as much"
    )

    outage_patience_seconds: float = Field(
        900,
        ge=0,
        le=86_400,
        description="age up to which a job waits for a service that cannot be reached; later it counts as an attempt",
    )

    tenant_ai_budget_usd_per_day: Decimal | None = Field(
        None,
        ge=0,
        description="what one tenant's analyses may cost with the model provider in a day (UTC); none: no limit",
    )
    ai_reservation_usd: dict[str, float] = Field(
        {"fast": 0.05, "standard": 0.3, "deep": 0.75},
        description="held of that budget for one analysis, by preset, until its bill is known",
    )

    egress_allow_private: str = Field("", description="private hosts that may be opened: 127.0.0.1:8000,shop.test")

    @property
    def lease(self) -> timedelta:
        """Silence after which a worker counts as dead."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def outage_patience(self) -> timedelta:
        """How long a service may be away at no cost: 99.9 % of jobs are promised to end within 15 minutes."""
        return timedelta(seconds=self.outage_patience_seconds)

    @property
    def poll(self) -> timedelta:
        """Longest time to miss a lost wake-up."""
        return timedelta(seconds=self.poll_seconds)

    @property
    def patience(self) -> timedelta:
        """How long a result is offered to a database that is away.

        Longer than a lease: if nobody else took the job during the outage, what was paid for is not lost.
        """
        return 4 * self.lease
