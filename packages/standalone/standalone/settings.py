"""What a person on one machine may set."""

import os
from pathlib import Path

from pydantic import Field

from runtime.settings import Settings


def default_data() -> Path:
    """Return where `cro serve` keeps its database and pictures: the user's data folder."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "cro-analyzer"


class StandaloneSettings(Settings):
    """Settings of the one-process profile; each field is the environment variable of the same name in capitals."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="0 takes a free one")
    log_level: str = Field(
        "INFO", description="of `cro serve`, and of `cro analyze -v`; without -v only errors are shown"
    )
    cro_data: Path = Field(default_factory=default_data, description="database, pictures and keys of `cro serve`")
    egress_allow_private: str = Field("", description="private hosts that may be opened: 127.0.0.1:8000,shop.test")
    capture_wait_s: int = Field(120, ge=5, le=600, description="longest time that `cro capture` waits")
    analysis_budget_s: int = Field(180, ge=10, le=600, description="longest time that `cro analyze` waits")
