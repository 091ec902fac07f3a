"""A job: one request becomes one view for each viewport, and the views become one result."""

import asyncio
import hashlib
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from contracts.errors import ErrorCode
from contracts.geometry import Viewport
from contracts.outputs import Area, Banners, Output, ScreenshotOutput, content_type
from contracts.render import (
    Artifact,
    RenderRequest,
    RenderResult,
    Settle,
    TransferSlot,
    Warning,  # noqa: A004  # the contract's word
)
from contracts.visit import FailIf, Prepare
from renderer import errors, taking
from renderer.agents import Persona, agent
from renderer.browser import Browser
from renderer.capture import Capture
from renderer.devices import DEVICES
from renderer.intake import device_of
from renderer.isolation import Isolation
from renderer.network import MAX_LISTED
from renderer.plan import Limits, Plan
from renderer.stopwatch import Stopwatch
from renderer.uploads import Upload, Uploads
from renderer.view import View
from renderer.visiting import guise
from runtime.errors import ServiceError

_LOAD_SHARE, _LOAD_S = 0.5, 20.0
"""How much of the budget the load may take: what comes after it needs time as well."""

_UPLOAD_SHARE, _UPLOAD_S = 0.1, 5.0
_END_SHARE, _END_S = 0.08, 1.0
_WRITE_S = 1.0


@dataclass(frozen=True)
class Piece:
    """One artifact before it goes anywhere. `text` is its base64 where Chromium has sent it so."""

    artifact: Artifact
    data: bytes
    text: str = ""

    @classmethod
    def of(cls, name: str, kind: str, data: bytes, viewport: Viewport) -> Self:
        """Describe `data`."""
        digest = hashlib.sha256(data).hexdigest()
        return cls(Artifact(name=name, content_type=kind, bytes=len(data), sha256=digest, viewport=viewport), data)


@dataclass
class Rendered:
    """A result whose artifacts are still at hand."""

    result: RenderResult
    pieces: list[Piece] = field(default_factory=list)


def plans(request: RenderRequest, url: str, *, watched: bool = True) -> list[Plan]:
    """Return one plan for each distinct viewport and device, in the order in which they were asked for."""
    grouped: dict[tuple[Viewport, str], list[Output]] = {}
    for output in request.outputs:
        grouped.setdefault((output.viewport, device_of(output)), []).append(output)
    plain = not any(_needs_settling(output) for output in request.outputs)
    rule = request.settle or (None if plain else Settle())
    worn = guise(request.visit, url)
    optioned = worn is not None or request.prepare != Prepare() or request.fail_if != FailIf()
    watched = watched or optioned or rule is not None or len(request.outputs) > 1
    return [
        Plan(url, viewport, tuple(outputs), rule, watched, device, worn, request.prepare, request.fail_if)
        for (viewport, device), outputs in grouped.items()
    ]


async def render(
    request: RenderRequest, url: str, isolation: Isolation[Browser], uploads: Uploads, *, watched: bool = True
) -> Rendered:
    """Do one job within its budget; `url` is the request's, in canonical form. Raises `ServiceError`.

    Without `watched`, a plain picture comes without what its requests would tell: redirects and response headers.
    """
    watch, begun = Stopwatch(), time.monotonic()
    budget = request.budget_ms / 1000
    reserve = min(_UPLOAD_S, budget * _UPLOAD_SHARE) if request.uploads else 0.0
    hard = timedelta(seconds=budget - reserve)

    async def work(browser: Browser) -> list[View | ServiceError]:
        watch.queue_s = time.monotonic() - begun
        views = await _views(browser, wanted, request, watch, begun + hard.total_seconds())
        return errors.unless_crashed(views)

    wanted = plans(request, url, watched=watched)
    views = await isolation.run(url, work, hard)
    await _write(views, timedelta(seconds=begun + hard.total_seconds() - time.monotonic()))
    rendered = _assemble(request, views, watch)
    sending = time.monotonic()
    await store(rendered, request.uploads, uploads, timedelta(seconds=begun + budget - sending))
    watch.upload_s = time.monotonic() - sending
    result = rendered.result.model_copy(update={"timings": watch.timings(), "pool": isolation.pool.state()})
    return Rendered(result, rendered.pieces)


async def _write(views: list[View | ServiceError], within: timedelta) -> None:
    """Make documents of what was taken, beside the event loop: a page may be megabytes."""
    for view in views:
        if isinstance(view, View) and view.papers:
            try:
                async with asyncio.timeout(max(_WRITE_S, within.total_seconds())):
                    view.documents = await asyncio.to_thread(taking.written, view.papers, view.plan.outputs)
            except TimeoutError:
                view.warn(Warning.DOCUMENTS_MISSING)


async def _views(
    browser: Browser, wanted: list[Plan], request: RenderRequest, watch: Stopwatch, hard: float
) -> list[View | ServiceError]:
    """Make all views side by side; a browser in which one of them went wrong gets no further job."""
    loop = asyncio.get_running_loop()
    left = hard - time.monotonic()
    now = loop.time()
    limits = Limits(load=now + min(_LOAD_S, left * _LOAD_SHARE), end=now + left - min(_END_S, left * _END_SHARE))
    traffic = browser.begin(request.job_id)

    async def one(plan: Plan) -> View | ServiceError:
        lap = watch.view()
        with lap.browser("open"):
            page = await browser.page()
        try:
            visitor = agent(plan.viewport, browser.version, _persona(plan, request))
            view = await Capture(page, plan, lap).run(visitor, traffic, limits)
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
    for failure in failures:
        if not views or failure.code in _WHOLE:
            raise failure
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
        response_headers=first.headers,
        completeness=[view.completeness for view in views if view.completeness],
        banner_actions=[action for view in views for action in view.banner_actions],
        settled_by=first.settled_by,
        chromium=first.chromium,
        captured_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        timings=watch.timings(),
    )
    return Rendered(result, pieces)


_WHOLE = {ErrorCode.CAPTURE_REFUSED, ErrorCode.INVALID_REQUEST}
"""Failures of one view that are the job's: what the others have is not what was asked for."""

_POLICY = {ErrorCode.URL_FORBIDDEN, ErrorCode.TARGET_TOO_LARGE}
_PARTIAL = {
    Warning.LOAD_TIMEOUT,
    Warning.FACTS_MISSING,
    Warning.PICTURES_MISSING,
    Warning.DOCUMENTS_MISSING,
    Warning.WAIT_FAILED,
}


def _lost(request: RenderRequest, views: list[View]) -> list[Warning]:
    had = {output.name for view in views for output in view.plan.outputs}
    lost = [output for output in request.outputs if output.name not in had]
    pictures = [Warning.PICTURES_MISSING for output in lost if isinstance(output, ScreenshotOutput)]
    documents = [Warning.DOCUMENTS_MISSING] if taking.missing(lost, taking.Papers()) else []
    return pictures[:1] + [Warning.FACTS_MISSING for output in lost if output.kind == "facts"][:1] + documents


def _persona(plan: Plan, request: RenderRequest) -> Persona:
    return Persona(DEVICES.get(plan.device), request.visit.user_agent, request.visit.locale)


def _pieces(view: View) -> list[Piece]:
    viewport = view.plan.viewport
    pieces = []
    for shot in view.shots:
        piece = Piece.of(shot.name, content_type(shot.output), shot.picture.data, viewport)
        shape = {"width": shot.width, "height": shot.height, "box": shot.box}
        pieces.append(replace(piece, artifact=piece.artifact.model_copy(update=shape), text=shot.picture.text))
    if view.facts is not None:
        document = view.facts.model_dump_json().encode()
        pieces += [Piece.of(output.name, content_type(output), document, viewport) for output in view.plan.facts]
    pieces += [Piece.of(name, kind, data, viewport) for name, (kind, data) in view.documents.items()]
    return pieces


async def store(rendered: Rendered, slots: dict[str, TransferSlot], uploads: Uploads, within: timedelta) -> None:
    """Send every piece that has a slot there. Raises `ServiceError` (storage_failed)."""
    wanted = [
        Upload(piece.artifact.name, slots[piece.artifact.name], piece.artifact.content_type, piece.data)
        for piece in rendered.pieces
        if piece.artifact.name in slots
    ]
    if wanted:
        await uploads.put(wanted, within)


def _needs_settling(output: Output) -> bool:
    if isinstance(output, ScreenshotOutput):
        return output.area is Area.SECTIONS or output.banners is Banners.REMOVED
    return True
