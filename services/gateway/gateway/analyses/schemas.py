"""What customers send and receive about analyses."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from contracts.analyze import Preset
from contracts.errors import Problem
from contracts.result import Analysis
from contracts.wire import Wire
from gateway.analyses.store import Record
from gateway.jobs.enrichment import BULK
from gateway.jobs.states import Document, State
from gateway.patience import MAX_WAIT_S
from gateway.receivers import WebhookUrl
from gateway.reuse.schemas import Reuse


class _Asked(Reuse):
    preset: Preset = Field(Preset.STANDARD, description="how much judgement is bought; `rules` never calls a model")
    ai: Literal["now", "bulk"] = Field(
        "now",
        description="`bulk`: the rules' result at once, the model's part within 24 hours at half the price "
        "(`engine.ai_pending` until then); not with the preset `rules`",
    )
    wait: int | None = Field(
        None,
        ge=0,
        le=MAX_WAIT_S,
        description="seconds to wait for the result; the header `Prefer: wait=N` does the same",
    )
    webhook_url: WebhookUrl = None

    @field_validator("ai")
    @classmethod
    def _with_a_model(cls, value: str, info: ValidationInfo) -> str:
        if value == BULK and info.data.get("preset") is Preset.RULES:
            raise ValueError("the preset `rules` asks no model")
        return value

    @property
    def fingerprinted(self) -> Document:
        """What two requests with one `Idempotency-Key` must have in common."""
        fields: Document = self.model_dump(mode="json", exclude={"wait"})
        # Requests to the release before did not say it.
        return fields if self.ai == BULK else {name: value for name, value in fields.items() if name != "ai"}


class PictureCreate(_Asked):
    """What may go with a picture, as fields of the form."""

    name: str = Field("", max_length=200, description="what you call the picture; missing: its file's name")


class AnalysisCreate(_Asked):
    """A page to analyse."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://example.com/", "preset": "standard", "wait": 30}]}
    )

    url: str = Field(min_length=1, max_length=4_096, description="an http or https address, as a visitor would open it")


class Links(Wire):
    """Where to go from here."""

    self: str
    report: str | None = Field(None, description="the HTML report, once there is one")


class AnalysisSummary(Wire):
    """An analysis without its result."""

    id: str
    status: State
    url: str = Field(description="the address, or `upload:` and the name of a picture that was sent")
    preset: Preset
    attempt: int = Field(description="attempts begun; a busy renderer or a restarted worker costs none")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: Problem | None = Field(None, description="why it failed or was cancelled")
    links: Links


class AnalysisRead(AnalysisSummary):
    """An analysis with its result, when it has one."""

    cached: bool = Field(False, description="true: it was finished at `finished_at`, before this request asked for it")
    cost_usd: Decimal | None = Field(None, description="what this answer cost with the model provider; 0 where cached")
    result: Analysis | None = None


class AnalysisPage(Wire):
    """Analyses, newest first."""

    data: list[AnalysisSummary]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


def path_of(analysis_id: str) -> str:
    """Return where an analysis is found."""
    return f"/v1/analyses/{analysis_id}"


def summary(record: Record) -> AnalysisSummary:
    """Show a record without its result."""
    path = f"/v1/analyses/{record.id}"
    done = record.state is State.SUCCEEDED
    return AnalysisSummary(
        id=record.id,
        status=record.state,
        url=record.url,
        preset=record.preset,
        attempt=record.attempt,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        error=record.problem(path_of(record.id)),
        links=Links(self=path, report=f"{path}/report" if done else None),
    )


def read(record: Record, *, cached: bool = False) -> AnalysisRead:
    """Show a record with its result."""
    cost = Decimal(0) if cached else _cost(record.result)
    return AnalysisRead(**dict(summary(record)), cached=cached, cost_usd=cost, result=record.result)


def _cost(result: Analysis | None) -> Decimal | None:
    if result is None:
        return None
    return Decimal(result.engine.ai.cost_usd) if result.engine.ai else Decimal(0)
