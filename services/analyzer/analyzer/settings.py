"""What the analyzer can be told by its environment."""

from pydantic import Field

from runtime.settings import Settings


class AnalyzerSettings(Settings):
    """Settings of the service. `analyzer_download_origins` names where artifacts may be read from: `https://s3.test`."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(9100, ge=0, le=65_535, description="0 takes a free one")
    log_level: str = Field("INFO", description="least severe event that is logged")
    analyzer_download_origins: str = Field("", description="comma-separated origins; none: only inline artifacts")
    analyzer_max_artifact_bytes: int = Field(20_000_000, ge=1_000, description="larger artifacts are refused")

    @property
    def origins(self) -> frozenset[str]:
        """The allowed origins, without trailing slashes."""
        parts = (part.strip().rstrip("/").casefold() for part in self.analyzer_download_origins.split(","))
        return frozenset(part for part in parts if part)
