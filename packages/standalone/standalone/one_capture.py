"""One picture or document of a page through the platform: submit, follow, fetch the bytes."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import httpx2

from contracts.errors import ErrorCode
from contracts.fetch import Tier
from contracts.outputs import Area, Banners, DocumentOutput, ImageFormat, Output, PdfOutput, ScreenshotOutput
from contracts.visit import Prepare, Visit
from cro_analyzer.command.pages import Form
from gateway.captures.schemas import CaptureCreate, CaptureRead, CaptureResult
from runtime.client import failure
from runtime.errors import ServiceError

_POLL_S = 2


PICTURES = frozenset({Form.JPEG, Form.PNG, Form.WEBP})


@dataclass(frozen=True)
class Taken:
    """The bytes, and how the page was had."""

    data: bytes
    result: CaptureResult


def output(form: Form, picture: ScreenshotOutput, *, full_page: bool, banners: bool) -> Output:
    """Return the output to ask for; `picture` says how pictures are taken."""
    if form in PICTURES:
        area = Area.FULL_PAGE if full_page else picture.area
        seen = Banners.AS_SEEN if banners else Banners.REMOVED
        return picture.model_copy(update={"format": ImageFormat(form.value), "area": area, "banners": seen})
    if form is Form.PDF:
        return PdfOutput(viewport=picture.viewport)
    return DocumentOutput.model_validate({"kind": form.value, "viewport": picture.viewport})


def order(url: str, wanted: Output, tier: Tier, visit: Visit, prepare: Prepare) -> CaptureCreate:
    """Return the request for one output."""
    return CaptureCreate(url=url, tier=tier, outputs=[wanted], visit=visit, prepare=prepare, refresh=True)


async def capture(api: httpx2.AsyncClient, wanted: CaptureCreate, budget: timedelta) -> Taken:
    """Have one output of a page. Raises `ServiceError` as the API does, or when time is up."""
    headers = {"accept": "application/json", "content-type": "application/json"}
    try:
        async with asyncio.timeout(budget.total_seconds()):
            job = _read(await api.post("/v1/captures", content=wanted.model_dump_json(), headers=headers))
            while job.result is None:
                if job.error is not None:
                    raise ServiceError(job.error.code, job.error.detail, errors=job.error.errors)
                job = _read(await api.get(f"/v1/captures/{job.id}", params={"wait": _POLL_S}))
            return Taken(await _bytes(api, job.result), job.result)
    except TimeoutError as exc:
        text = f"The capture took longer than {budget.total_seconds():.0f} s."
        raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, text) from exc


async def _bytes(api: httpx2.AsyncClient, result: CaptureResult) -> bytes:
    artifact = next(iter(result.artifacts.values()), None)
    if artifact is None:
        raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, "The page did not give it within the time budget.")
    answer = await api.get(artifact.links.self)
    if answer.is_error:
        raise failure("platform", answer)
    return answer.content


def _read(answer: httpx2.Response) -> CaptureRead:
    if answer.is_error:
        raise failure("platform", answer)
    return CaptureRead.model_validate_json(answer.content)
