"""What the renderer reads from its environment. A field's name in capitals is the variable."""

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field

from runtime.settings import Settings


def _default_slots() -> int:
    # Two pages a core fill a core: measured, more only adds latency (docs/benchmarks.md).
    return 2 * (len(os.sched_getaffinity(0)) or 1)


class RendererSettings(Settings):
    """Settings of the renderer. Times are in seconds, memory in megabytes."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(9000, ge=0, le=65_535, description="0 takes a free one")
    chromium_path: Path | None = Field(None, description="the browser's binary; unset: Debian's, then Playwright's own")
    egress_allow_private: str = Field("", description="host:port,… that may be opened although private; logged")

    renderer_slots: int = Field(default_factory=_default_slots, ge=1, le=64, description="browsers; two per core")
    renderer_queue: int = Field(16, ge=0, le=10_000, description="jobs that may wait for a browser")
    renderer_wait_s: float = Field(15, gt=0, description="longest wait for a browser before renderer_busy")
    renderer_recycle_uses: int = Field(50, ge=1, description="jobs after which a browser is replaced")
    renderer_recycle_mb: int = Field(1_500, ge=100, description="resident memory after which a browser is replaced")
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
    log_level: str = Field("INFO", description="least severe event that is logged")
