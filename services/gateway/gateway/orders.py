"""What the worker asks of renderer and analyzer for one analysis."""

from datetime import timedelta

from contracts.analyze import AnalyzeRequest
from contracts.geometry import VIEWPORTS, ViewportName
from contracts.outputs import Area, Banners, FactsOutput, ImageFormat, Output, ScreenshotOutput
from contracts.render import RenderRequest, RenderResult, TransferSlot
from gateway.blobs.base import BlobStore, new_key
from gateway.jobs.states import Claimed

_JPEG = "image/jpeg"
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
        outputs.append(FactsOutput(name=f"facts.{name.value}", viewport=viewport))
    return outputs


def _artifact_types() -> dict[str, str]:
    types: dict[str, str] = {}
    for name in VIEWPORTS:
        types |= {f"first_screen.{name.value}": _JPEG, f"full_page.{name.value}": _JPEG}
        types |= {f"sections.{name.value}.{number}": _JPEG for number in range(1, _SECTIONS[name] + 1)}
        types[f"facts.{name.value}"] = "application/json"
    return types


def new_keys(job: Claimed) -> dict[str, str]:
    """Make the blob key of every artifact that a render may produce."""
    return {
        name: new_key(job.tenant_id, job.id, job.fence, content_type)
        for name, content_type in _artifact_types().items()
    }


def render_order(job: Claimed, keys: dict[str, str], blobs: BlobStore, budget: timedelta) -> RenderRequest:
    """Ask for everything that the rules, the model and the report need, in both viewports."""
    return RenderRequest(
        job_id=job.id,
        url=job.url,
        outputs=_outputs(),
        budget_ms=_told(budget),
        uploads={name: blobs.upload_slot(key, budget + _SLOT_SLACK) for name, key in keys.items()},
    )


def analyze_order(
    job: Claimed, render: RenderResult, keys: dict[str, str], blobs: BlobStore, budget: timedelta
) -> AnalyzeRequest:
    """Ask for the judgement of a render whose artifacts are stored under `keys`."""
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
        budget_ms=_told(budget),
    )


def _told(budget: timedelta) -> int:
    return int((budget - _MARGIN).total_seconds() * 1_000)
