"""What an analysis is about: a rendered page, or a picture of one, read from the store and measured."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from analyzer import document, facts_json, uploaded
from analyzer.case import Case
from analyzer.measured import Measured, Pixels, measure, section_ids
from contracts.errors import ErrorCode
from contracts.facts import PageFacts
from contracts.geometry import ViewportName
from contracts.render import UPLOAD
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

FACTS_REFUSED = "facts_refused"
PICTURE_REFUSED = "picture_refused"


@dataclass(frozen=True)
class Subject:
    """What there is to judge. `images` are by section id where they need not be read any more."""

    measured: Measured
    warnings: tuple[str, ...] = ()
    images: Mapping[str, bytes] | None = None


async def read(case: Case) -> Subject:
    """Read and measure what was rendered or, where a picture was uploaded, cut that up. Raises `ServiceError`."""
    if case.request.render.source == UPLOAD:
        return await _uploaded(case)
    facts, missing = await _facts(case)
    case.clock.lap("download")
    measured = await _measured(case, facts)
    case.clock.lap("rules")
    return Subject(measured, missing)


async def pictures(case: Case) -> dict[str, bytes]:
    """Read the sections' pictures, all at once. One that cannot be had is left out."""
    sections = case.request.render.sections
    names = dict(zip(section_ids(sections), (section.artifact for section in sections), strict=True))

    async def read_one(name: str) -> bytes | None:
        try:
            return await case.read(name) if name else None
        except ServiceError as exc:
            log.warning(PICTURE_REFUSED, artifact=name, code=exc.code.value, reason=exc.reason)
            return None

    contents = await asyncio.gather(*(read_one(name) for name in names.values()))
    return {key: content for key, content in zip(names, contents, strict=True) if content is not None}


async def _facts(case: Case) -> tuple[dict[ViewportName, PageFacts], tuple[str, ...]]:
    """Read both viewports' facts; what cannot be had is named. Raises `ServiceError` when there is nothing at all."""
    found: dict[ViewportName, PageFacts] = {}
    missing: list[str] = []
    failure: ServiceError | None = None
    for viewport in ViewportName:
        try:
            content = await case.read(f"facts.{viewport}")
            if content is not None:
                found[viewport] = await asyncio.to_thread(facts_json.parse, content)
                continue
        except ServiceError as exc:
            failure = exc
            log.warning(FACTS_REFUSED, viewport=viewport.value, code=exc.code.value, reason=exc.reason)
        except ValueError as exc:
            log.warning(FACTS_REFUSED, viewport=viewport.value, reason=str(exc)[:500])
        missing.append(f"facts_missing:{viewport}")
    if not found:
        detail = "Neither facts.desktop nor facts.mobile can be read."
        raise failure or ServiceError(ErrorCode.INVALID_REQUEST, detail)
    return found, tuple(missing)


async def _measured(case: Case, facts: Mapping[ViewportName, PageFacts]) -> Measured:
    pixels = Pixels(
        analysis_id=case.request.analysis_id,
        sections=tuple(case.request.render.sections),
        assets=document.assets(case.request),
        keys=case.request.asset_keys,
    )
    return await asyncio.to_thread(measure, facts, pixels, case.policy)


async def _uploaded(case: Case) -> Subject:
    content = await case.read(UPLOAD)
    if content is None:
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"The artifact {UPLOAD} cannot be read.")
    case.clock.lap("download")
    artifact, key = case.request.render.artifacts[UPLOAD], case.request.asset_keys.get(UPLOAD, UPLOAD)
    parts = await asyncio.to_thread(uploaded.cut, content, artifact, key)
    case.clock.lap("rules")
    return Subject(parts.measured, images=parts.images)
