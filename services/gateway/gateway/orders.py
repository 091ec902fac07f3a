"""What the worker asks of renderer and analyzer for one job."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import cast

from pydantic import ValidationError

from contracts.analyze import AnalyzeRequest, Asking, Overrides
from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest
from contracts.geometry import VIEWPORTS, ViewportName
from contracts.outputs import (
    MANY_AT_MOST,
    Area,
    Banners,
    FactsOutput,
    ImageFormat,
    Output,
    Probe,
    ScreenshotOutput,
    content_type,
    gives_many,
)
from contracts.render import RenderRequest, RenderResult, TransferSlot
from contracts.result import Memo, Ticket
from contracts.wire import REVEALED
from gateway.blobs.base import BlobStore, new_key
from gateway.jobs.states import Claimed, Document
from runtime.errors import ServiceError

WITHHELD = ("auth", "cookies", "headers")
"""The parts of a visit that are somebody's secret."""

_JPEG = "image/jpeg"
_JSON = "application/json"
_SECTIONS = {ViewportName.DESKTOP: 12, ViewportName.MOBILE: 6}
_QUALITY = 80
# The callee must give up, and say so, before the caller stops listening.
_MARGIN = timedelta(seconds=2)
_SLOT_SLACK = timedelta(minutes=5)


def _outputs() -> list[Output]:
    outputs: list[Output] = []
    for name, viewport in VIEWPORTS.items():
        outputs += [
            ScreenshotOutput(
                name=f"{area.value}.{name.value}",
                area=area,
                format=ImageFormat.JPEG,
                quality=_QUALITY,
                viewport=viewport,
                # Rules and report need the banner as the visitor meets it, and the page behind it.
                banners=Banners.AS_SEEN if area is Area.FIRST_SCREEN else Banners.REMOVED,
            )
            for area in (Area.FIRST_SCREEN, Area.FULL_PAGE, Area.SECTIONS)
        ]
        outputs.append(FactsOutput(name=f"facts.{name.value}", viewport=viewport, probes=list(Probe)))
    return outputs


def _artifact_types() -> dict[str, str]:
    types: dict[str, str] = {}
    for name in VIEWPORTS:
        types |= {f"first_screen.{name.value}": _JPEG, f"full_page.{name.value}": _JPEG}
        types |= {f"sections.{name.value}.{number}": _JPEG for number in range(1, _SECTIONS[name] + 1)}
        types[f"facts.{name.value}"] = _JSON
    return types


def artifact_types(outputs: list[Output]) -> dict[str, str]:
    """Return the name and content type of every artifact that these outputs may give."""
    types: dict[str, str] = {}
    for output in outputs:
        numbered = [f"{output.name}.{number}" for number in range(1, MANY_AT_MOST + 1)]
        types |= dict.fromkeys(numbered if gives_many(output) else [output.name], content_type(output))
    return types


def analysis_keys(job: Claimed) -> dict[str, str]:
    """Make the blob key of every artifact that the render of an analysis may produce."""
    return _new_keys(job, _artifact_types())


def capture_keys(job: Claimed, request: FetchRequest) -> dict[str, str]:
    """Make the blob key of every artifact that a capture may produce."""
    return _new_keys(job, artifact_types(request.outputs))


def _new_keys(job: Claimed, types: dict[str, str]) -> dict[str, str]:
    return {name: new_key(job.tenant_id, job.id, job.fence, kind) for name, kind in types.items()}


def render_order(job: Claimed, keys: dict[str, str], blobs: BlobStore, budget: timedelta) -> RenderRequest:
    """Ask for everything that the rules, the model and the report need, in both viewports."""
    return RenderRequest(
        job_id=job.id,
        url=job.url,
        outputs=_outputs(),
        budget_ms=_told(budget),
        uploads=_uploads(keys, blobs, budget),
    )


def _uploads(keys: dict[str, str], blobs: BlobStore, budget: timedelta) -> dict[str, TransferSlot]:
    return {name: blobs.upload_slot(key, budget + _SLOT_SLACK) for name, key in keys.items()}


def stored_form(request: FetchRequest) -> tuple[Document, Document]:
    """Return a capture's options as the job's row keeps them, and apart from them what is confidential.

    The options name under `withheld` what they lack.
    """
    left_out = {"job_id", "url", "budget_ms", "uploads", "spare_browser", "climbed"}
    options: Document = request.model_dump(mode="json", exclude=left_out, context=REVEALED)
    visit = options["visit"]
    assert isinstance(visit, dict)
    secrets = {name: visit.pop(name) for name in WITHHELD if visit[name]}
    return {**options, "withheld": list(secrets)}, secrets


def asked(job: Claimed, secrets: Document) -> FetchRequest:
    """Put together again what was asked. Raises `ServiceError` (internal) for what this release cannot read."""
    options = {name: value for name, value in (job.options or {}).items() if name != "withheld"}
    visit = options.get("visit")
    assert isinstance(visit, dict)
    document = {**options, "visit": {**visit, **secrets}, "job_id": job.id, "url": job.url}
    try:
        return FetchRequest.model_validate(document)
    except ValidationError as error:
        # Never the error's own text: it quotes its input.
        places = [".".join(map(str, one["loc"])) for one in error.errors(include_input=False, include_context=False)]
    raise ServiceError(ErrorCode.INTERNAL, "Something failed on our side.", reason=f"unreadable options: {places}")


def fetch_order(request: FetchRequest, keys: dict[str, str], blobs: BlobStore, budget: timedelta) -> FetchRequest:
    """Ask for one capture, with a place for everything that it may give."""
    return request.model_copy(update={"budget_ms": _told(budget), "uploads": _uploads(keys, blobs, budget)})


@dataclass(frozen=True)
class Extras:
    """What an analysis is told about the model: its money, whether and how it may come later, its last answer."""

    ai_budget_usd: Decimal | None = None
    ai_later: bool = False
    memo: Memo | None = None
    ai: Asking = Asking.NOW
    ticket: Ticket | None = None


def analyze_order(
    job: Claimed,
    render: RenderResult,
    keys: dict[str, str],
    blobs: BlobStore,
    budget: timedelta,
    *,
    extras: Extras,
) -> AnalyzeRequest:
    """Ask for the judgement of a render whose artifacts are stored under `keys`."""
    assert job.preset is not None
    downloads: dict[str, TransferSlot] = {
        name: blobs.download_slot(key, budget + _SLOT_SLACK) for name, key in keys.items()
    }
    return AnalyzeRequest(
        job_id=job.id,
        tenant_id=job.tenant_id,
        analysis_id=job.id,
        preset=job.preset,
        render=render,
        downloads=downloads,
        asset_keys=keys,
        ai_budget_usd=extras.ai_budget_usd,
        overrides=thresholds(job),
        ai_later=extras.ai_later,
        memo=extras.memo,
        ai=extras.ai,
        ticket=extras.ticket,
        budget_ms=_told(budget),
    )


def thresholds(job: Claimed) -> Overrides:
    """Return the thresholds that the tenant had moved when it asked."""
    found = (job.options or {}).get("thresholds", {})
    return cast("Overrides", found)


def _told(budget: timedelta) -> int:
    return int((budget - _MARGIN).total_seconds() * 1_000)
