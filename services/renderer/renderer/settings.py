"""What the renderer reads from its environment. A field's name in capitals is the variable."""

import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from renderer.egress.settings import EgressRules
from runtime.settings import named
from runtime.tunnels import ProxyAddress


def _default_slots() -> int:
    # Two pages a core fill a core: measured, more only adds latency (docs/benchmarks.md).
    return 2 * (len(os.sched_getaffinity(0)) or 1)


def _default_queue(values: dict[str, Any]) -> int:
    # A job that is let in waits for two others at most: its time stays within twice that of a pool that is just full.
    return 2 * int(values.get("renderer_slots", 1))


class RendererSettings(EgressRules):
    """Settings of the renderer. Times are in seconds, memory in megabytes."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(9000, ge=0, le=65_535, description="0 takes a free one")
    chromium_path: Path | None = Field(None, description="the browser's binary; unset: Debian's, then Playwright's own")
    egress_proxy_url: str = Field("", description="http://host:port of the egress service; empty: the one in-process")

    renderer_slots: int = Field(default_factory=_default_slots, ge=1, le=64, description="browsers; two per core")
    renderer_queue: int = Field(
        default_factory=_default_queue, ge=0, le=10_000, description="jobs that may wait for a browser; two per browser"
    )
    renderer_wait_s: float = Field(15, gt=0, description="longest wait for a browser before renderer_busy")
    renderer_recycle_uses: int = Field(50, ge=1, description="jobs after which a browser is replaced")
    renderer_recycle_mb: int = Field(1_500, ge=100, description="memory (PSS) above which a browser is replaced")
    renderer_canary_s: float = Field(
        60,
        ge=0,
        description="time between two measurements of a browser's own speed; one that slows is replaced; 0: none",
    )
    renderer_poison_s: float = Field(600, ge=0, description="how long a page that ended a browser is remembered")
    renderer_start_s: float = Field(20, gt=0, description="longest start of a browser")
    renderer_drain_s: float = Field(25, ge=0, description="time that running jobs get when the service stops")
    renderer_allow_scripts: bool = Field(False, description="callers may wait for their own JavaScript; logged")
    renderer_max_budget_s: float = Field(120, ge=1, description="longest budget of one request")
    renderer_max_wait_s: float = Field(60, ge=0, description="longest wait_for.max_ms and delay_ms of one request")
    renderer_max_outputs: int = Field(20, ge=1, description="outputs of one request")
    renderer_max_views: int = Field(6, ge=1, description="viewports and devices of one request; each is a page")
    renderer_max_megapixels: float = Field(64, gt=0, description="million pixels of one screen or clip")
    renderer_sandbox: Literal["on", "off"] = Field("on", description="off: Chromium without its sandbox; logged")
    renderer_uid: int = Field(10_001, ge=1, description="user that Chromium runs as when the renderer is root")
    renderer_scratch: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()), description="where browsers keep their profiles"
    )
    renderer_upload_origins: str = Field("", description="origins that artifacts may be PUT to, comma separated")

    fetch_concurrency: int = Field(500, ge=1, le=5_000, description="pages fetched over plain HTTP at once")
    fetch_per_host: int = Field(20, ge=1, le=1_000, description="requests to one host at once, over all fetch tiers")
    fetch_host_queue: int = Field(1_000, ge=0, le=100_000, description="requests that may wait for one host")
    fetch_timeout_s: float = Field(15, gt=0, description="longest exchange over plain HTTP, one redirect or page")
    fetch_max_mb: int = Field(10, ge=1, le=100, description="largest page over plain HTTP, unpacked")
    fetch_slow_s: float = Field(3, gt=0, description="time that plain HTTP has before a browser starts beside it")
    fetch_recheck: float = Field(0.05, ge=0, le=1, description="share of fetches that try another tier than remembered")
    fetch_memory_hosts: int = Field(10_000, ge=1, description="hosts whose working tier is remembered")
    fetch_memory_s: float = Field(86_400, gt=0, description="time for which a host's working tier is remembered")
    fetch_robots_agent: str = Field("CroAnalyzer", min_length=1, description="name that is looked up in robots.txt")
    unblocker_proxy_url: SecretStr = Field(
        SecretStr(""), description="provider that gets past blocks: http://user:password@host:port; empty: none"
    )
    unblocker_cost_usd: Decimal = Field(Decimal("0.002"), ge=0, description="what one page through the provider costs")
    unblocker_concurrency: int = Field(3, ge=1, le=1_000, description="pages through the provider at once")
    unblocker_timeout_s: float = Field(60, gt=0, description="longest exchange through the provider")
    unblocker_ca_file: Path | None = Field(None, description="PEM file of the provider's own certificate authority")

    log_level: str = Field("INFO", description="least severe event that is logged")

    @model_validator(mode="after")
    def _service_readable(self) -> Self:
        self.egress_service()
        return self

    def egress_service(self) -> ProxyAddress | None:
        """Return where the egress service is, None when the proxy runs in-process. Raises `ValueError`."""
        with named("EGRESS_PROXY_URL"):
            return ProxyAddress.parse(self.egress_proxy_url) if self.egress_proxy_url else None
