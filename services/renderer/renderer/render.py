"""A job: one request becomes one view for each viewport, and the views become one result."""

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contracts.errors import ErrorCode, FieldError
from contracts.geometry import Viewport
from contracts.outputs import Area, Banners, Output, ScreenshotOutput
from contracts.render import (
    Artifact,
    RenderRequest,
    RenderResult,
    Settle,
    TransferSlot,
    Warning,  # noqa: A004  # the contract's word
)
from renderer import errors
from renderer.agents import agent
from renderer.browser import Browser
from renderer.capture import Capture
from renderer.network import MAX_LISTED
from renderer.plan import Limits, Plan
from renderer.pool import Pool
from renderer.stopwatch import Stopwatch
from renderer.uploads import Upload, Uploads
from renderer.view import View
from runtime.errors import ServiceError

_LOAD_SHARE, _LOAD_S = 0.5, 20.0
"""How much of the budget the load may take: what comes after it needs time as well."""

_UPLOAD_SHARE, _UPLOAD_S = 0.1, 5.0
_END_SHARE, _END_S = 0.08, 1.0
_CONTENT_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_JSON = "application/json"


@dataclass(frozen=True)
class Piece:
    """One artifact before it goes anywhere. `text` is its base64 where Chromium has sent it so."""

    artifact: Artifact
    data: bytes
    text: str = ""


@dataclass
class Rendered:
    """A result whose artifacts are still at hand."""

    result: RenderResult
    pieces: list[Piece] = field(default_factory=list)


def check(request: RenderRequest) -> None:
    """Raise `ServiceError` (invalid_request) for names that clash or slots that nothing fills."""
    names: set[str] = set()
    for index, output in enumerate(request.outputs):
        if output.name in names:
            raise _invalid(f"outputs.{index}.name", "Another output has this name. Give each its own.")
        names.add(output.name)
    sections = tuple(f"{output.name}." for output in request.outputs if _is_sections(output))
    for name in request.uploads:
        if name not in names and not (sections and name.startswith(sections)):
            raise _invalid(f"uploads.{name}", "No output has this name.")


def plans(request: RenderRequest, url: str) -> list[Plan]:
    """Return one plan for each distinct viewport, in the order in which they were asked for."""
    grouped: dict[Viewport, list[Output]] = {}
    for output in request.outputs:
        grouped.setdefault(output.viewport, []).append(output)
    plain = not any(_needs_settling(output) for output in request.outputs)
    rule = request.settle or (None if plain else Settle())
    return [Plan(url, viewport, tuple(outputs), rule) for viewport, outputs in grouped.items()]


async def render(request: RenderRequest, url: str, pool: Pool[Browser], uploads: Uploads) -> Rendered:
    """Do one job within its budget; `url` is the request's, in canonical form. Raises `ServiceError`."""
    watch, begun = Stopwatch(), time.monotonic()
    budget = request.budget_ms / 1000
    reserve = min(_UPLOAD_S, budget * _UPLOAD_SHARE) if request.uploads else 0.0
    hard = timedelta(seconds=budget - reserve)

    async def work(browser: Browser) -> list[View | ServiceError]:
        watch.queue_s = time.monotonic() - begun
        return await _views(browser, wanted, request.job_id, watch, begun + hard.total_seconds())

    wanted = plans(request, url)
    views = await pool.run(work, hard)
    rendered = _assemble(request, views, watch)
    await _store(rendered, request.uploads, uploads, timedelta(seconds=begun + budget - time.monotonic()), watch)
    result = rendered.result.model_copy(update={"timings": watch.timings(), "pool": pool.state()})
    return Rendered(result, rendered.pieces)


async def _views(
    browser: Browser, wanted: list[Plan], job_id: str, watch: Stopwatch, hard: float
) -> list[View | ServiceError]:
    """Make all views side by side; a browser in which one of them went wrong gets no further job."""
    loop = asyncio.get_running_loop()
    left = hard - time.monotonic()
    now = loop.time()
    limits = Limits(load=now + min(_LOAD_S, left * _LOAD_SHARE), end=now + left - min(_END_S, left * _END_SHARE))
    traffic = browser.begin(job_id)

    async def one(plan: Plan) -> View | ServiceError:
        lap = watch.view()
        with lap.browser("open"):
            page = await browser.page()
        try:
            view = await Capture(page, plan, lap).run(agent(plan.viewport, browser.version), traffic, limits)
        except ServiceError as exc:
            browser.tainted |= exc.code in errors.HUNG
            return exc
        if any(refusal.code in _POLICY for refusal in traffic.blocked):
            view.warn(Warning.REQUESTS_BLOCKED)
        browser.tainted |= view.hung
        view.chromium = browser.version
        return view

    return list(await asyncio.gather(*map(one, wanted)))


def _assemble(request: RenderRequest, outcomes: list[View | ServiceError], watch: Stopwatch) -> Rendered:
    views = [outcome for outcome in outcomes if isinstance(outcome, View)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, ServiceError)]
    if not views:
        raise failures[0]
    warnings = dict.fromkeys(warning for view in views for warning in view.warnings)
    if failures:
        warnings |= dict.fromkeys(_lost(request, views))
    first = views[0]
    pieces = [piece for view in views for piece in _pieces(view)]
    result = RenderResult(
        job_id=request.job_id,
        requested_url=request.url,
        final_url=first.final_url,
        redirects=first.redirects,
        http_status=first.status,
        title=first.title,
        artifacts={piece.artifact.name: piece.artifact for piece in pieces},
        sections=[section for view in views for section in view.sections],
        partial=bool(set(warnings) & _PARTIAL),
        warnings=list(warnings),
        pending=list(dict.fromkeys(url for view in views for url in view.pending))[:MAX_LISTED],
        completeness=[view.completeness for view in views if view.completeness],
        banner_actions=[action for view in views for action in view.banner_actions],
        settled_by=first.settled_by,
        chromium=first.chromium,
        captured_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        timings=watch.timings(),
    )
    return Rendered(result, pieces)


_POLICY = {ErrorCode.URL_FORBIDDEN, ErrorCode.TARGET_TOO_LARGE}
_PARTIAL = {Warning.LOAD_TIMEOUT, Warning.FACTS_MISSING, Warning.PICTURES_MISSING}


def _lost(request: RenderRequest, views: list[View]) -> list[Warning]:
    had = {view.plan.viewport for view in views}
    lost = [output for output in request.outputs if output.viewport not in had]
    pictures = [Warning.PICTURES_MISSING for output in lost if isinstance(output, ScreenshotOutput)]
    return pictures[:1] + [Warning.FACTS_MISSING for output in lost if output.kind == "facts"][:1]


def _pieces(view: View) -> list[Piece]:
    viewport = view.plan.viewport
    pieces = []
    for shot in view.shots:
        content_type = _CONTENT_TYPES[shot.output.format.value]
        artifact = _artifact(shot.name, content_type, shot.picture.data, viewport)
        shape = {"width": shot.width, "height": shot.height, "box": shot.box}
        pieces.append(Piece(artifact.model_copy(update=shape), shot.picture.data, shot.picture.text))
    if view.facts is not None:
        document = view.facts.model_dump_json().encode()
        pieces += [Piece(_artifact(output.name, _JSON, document, viewport), document) for output in view.plan.facts]
    return pieces


def _artifact(name: str, content_type: str, data: bytes, viewport: Viewport) -> Artifact:
    digest = hashlib.sha256(data).hexdigest()
    return Artifact(name=name, content_type=content_type, bytes=len(data), sha256=digest, viewport=viewport)


async def _store(
    rendered: Rendered, slots: dict[str, TransferSlot], uploads: Uploads, within: timedelta, watch: Stopwatch
) -> None:
    wanted = [
        Upload(piece.artifact.name, slots[piece.artifact.name], piece.artifact.content_type, piece.data)
        for piece in rendered.pieces
        if piece.artifact.name in slots
    ]
    if wanted:
        begun = time.monotonic()
        await uploads.put(wanted, within)
        watch.upload_s = time.monotonic() - begun


def _is_sections(output: Output) -> bool:
    return isinstance(output, ScreenshotOutput) and output.area is Area.SECTIONS


def _needs_settling(output: Output) -> bool:
    if isinstance(output, ScreenshotOutput):
        return output.area is Area.SECTIONS or output.banners is Banners.REMOVED
    return True


def _invalid(name: str, message: str) -> ServiceError:
    fields = [FieldError(field=name, message=message)]
    return ServiceError(ErrorCode.INVALID_REQUEST, f"{name}: {message}", errors=fields)
