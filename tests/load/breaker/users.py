"""Customers: each does one thing after another with the published client, and looks at what comes."""

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cro_analyzer import AnalysisRead, ApiError, AsyncClient, CaptureRead, CroError
from cro_analyzer.asking import Document, Screenshot
from cro_analyzer.errors import ConflictError
from cro_analyzer.models.analyses import Preset
from tests.load.breaker.ledger import Ledger
from tests.load.breaker.pages import Marked, Pages, looks_like

_REFUSALS = frozenset({429, 503})
_PATIENCE_S = 900.0
_POLL_S = 1.5
_IN_BATCH = 6
_ALL = 4  # pictures of an analysis but for sections: two for each visitor
_WAITS = (0, 5, 25)
_PRESETS: tuple[Preset, ...] = ("rules", "rules", "fast", "standard")
_FINAL = frozenset({"succeeded", "failed", "cancelled"})
_PICTURE: Screenshot = {"kind": "screenshot", "area": "full_page", "format": "png"}
_SMALL: Screenshot = {"kind": "screenshot", "name": "small", "viewport": {"width": 700, "height": 500}}
_HTML: Document = {"kind": "html"}
_TEXT: Document = {"kind": "text"}


class Customer:
    """One of the crowd."""

    def __init__(self, client: AsyncClient, pages: Pages, ledger: Ledger) -> None:
        """Begin with nothing asked."""
        self._client = client
        self._pages = pages
        self._ledger = ledger
        self._deeds: dict[Callable[[], Awaitable[None]], int] = {
            self.analysis: 40,
            self.capture: 25,
            self.document: 15,
            self.batch: 8,
            self.upload: 8,
            self.cancelled: 4,
        }

    async def live(self, until: float) -> None:
        """Do one thing after another until then; what was begun is seen through to its end."""
        await asyncio.sleep(random.random() * 2)
        while time.monotonic() < until:
            (deed,) = random.choices([*self._deeds], [*self._deeds.values()])
            begun = time.monotonic()
            try:
                await deed()
            except ApiError as error:
                await self._refused(deed.__name__, error)
            except CroError as error:
                self._ledger.wrong.append(f"{deed.__name__}: {type(error).__name__} {error}")
                await asyncio.sleep(1)
            else:
                self._ledger.finished(deed.__name__, begun)

    async def _refused(self, deed: str, error: ApiError) -> None:
        if error.status in _REFUSALS and error.retry_after_s is not None:
            self._ledger.refused[f"{error.status} {error.code}"] += 1
            await asyncio.sleep(min(error.retry_after_s, 10) + random.random())
            return
        self._ledger.wrong.append(f"{deed}: {error.status} {error} ({error.request_id})")
        await asyncio.sleep(1)

    async def analysis(self) -> None:
        """A page judged, by rules alone or with the model; read as the customer likes it."""
        page = self._pages.new()
        job = await self._client.analyses.create(page.url, preset=random.choice(_PRESETS), wait=random.choice(_WAITS))
        self._ledger.accept(job.id, page)
        end = await self._analysed(job)
        await self._check_analysis(end, page)
        if random.random() < 0.1:  # one in ten
            await self._client.analyses.delete(job.id)
            self._ledger.removed.add(job.id)

    async def _analysed(self, job: AnalysisRead) -> AnalysisRead:
        if job.status in _FINAL:
            return job
        if random.random() < 0.5:  # half of them
            return await self._client.analyses.wait(job.id, timeout_s=_PATIENCE_S)
        self._told(job.id, [event.status async for event in self._client.analyses.events(job.id)])
        return await self._client.analyses.get(job.id)

    def _told(self, job_id: str, told: list[str]) -> None:
        ends = [status for status in told if status in _FINAL]
        self._ledger.ends[job_id] += len(ends)
        self._ledger.check(job_id, f"a stream ended with {told[-3:]}", right=len(ends) == 1 and told[-1] in _FINAL)

    async def _check_analysis(self, job: AnalysisRead, page: Marked) -> None:
        if job.status != "succeeded" or job.result is None:
            self._ledger.lost.append(f"{job.id} {job.status} after {job.attempt}: {job.error}")
            return
        found = job.result
        self._ledger.degraded[f"{job.preset}: {found.engine.degraded_reason or 'whole'}"] += 1
        self._ledger.check(job.id, f"is of {found.url.requested}", right=found.url.requested == page.url)
        self._ledger.check(job.id, f"is called {found.page.title}", right=page.word in found.page.title)
        if found.status == "partial" or found.capture.warnings:
            self._ledger.degraded[f"analysis {found.status}: {' '.join(found.capture.warnings)}"] += 1
        pictures = {(asset.kind, asset.viewport) for asset in found.capture.assets if asset.kind != "section"}
        said = found.status == "partial" or bool(found.capture.warnings)
        self._ledger.check(job.id, f"has only {sorted(pictures)} and says nothing", right=said or len(pictures) == _ALL)
        report = await self._client.analyses.report(job.id)
        self._ledger.check(job.id, "the report names another page", right=page.word in report)
        self._ledger.check(job.id, "the report is not whole", right=report.rstrip().endswith("</html>"))

    async def capture(self) -> None:
        """Pictures and the document of a page from the browser."""
        page = self._pages.new()
        job = await self._client.captures.create(
            page.url, tier="browser", outputs=[_PICTURE, _SMALL, _HTML], wait=random.choice(_WAITS)
        )
        self._ledger.accept(job.id, page)
        await self._check_capture(await self._captured(job), page, {"screenshot", "small", "html"})

    async def document(self) -> None:
        """A page over plain HTTP."""
        page = self._pages.new()
        job = await self._client.captures.create(page.url, tier="static", outputs=[_HTML, _TEXT], wait=5)
        self._ledger.accept(job.id, page)
        await self._check_capture(await self._captured(job), page, {"html", "text"})
        if random.random() < 0.1:  # one in ten
            await self._client.captures.delete(job.id)
            self._ledger.removed.add(job.id)

    async def _captured(self, job: CaptureRead) -> CaptureRead:
        way = random.random()
        if job.status not in _FINAL and way < 0.3:  # some stream, some wait, some poll
            self._told(job.id, [event.status async for event in self._client.captures.events(job.id)])
        elif job.status not in _FINAL and way < 0.6:
            return await self._client.captures.wait(job.id, timeout_s=_PATIENCE_S)
        while job.status not in _FINAL:
            await asyncio.sleep(_POLL_S)
            job = await self._client.captures.get(job.id)
        return job

    async def _check_capture(self, job: CaptureRead, page: Marked, names: set[str]) -> None:
        if job.status != "succeeded" or job.result is None:
            self._ledger.lost.append(f"{job.id} {job.status} after {job.attempt}: {job.error}")
            return
        if job.result.warnings:
            self._ledger.degraded[f"capture: {' '.join(job.result.warnings)}"] += 1
        made = job.result.artifacts
        self._ledger.check(job.id, f"has {sorted(made)}", right=set(made) == names)
        self._ledger.check(job.id, f"is of {job.result.requested_url}", right=job.result.requested_url == page.url)
        for name, artifact in made.items():
            content = await self._client.captures.content(job.id, name)
            same = hashlib.sha256(content).hexdigest() == artifact.sha256 and len(content) == artifact.bytes
            self._ledger.check(job.id, f"{name} is not what its hash says", right=same)
            if artifact.width and artifact.height:
                fault = looks_like(page.number, content, (artifact.width, artifact.height))
                self._ledger.check(job.id, f"{name}: {fault}", right=not fault)
            else:
                self._ledger.check(job.id, f"{name} is of another page", right=page.word.encode() in content)

    async def batch(self) -> None:
        """Several pages under one id, followed to the end."""
        pages = {page.url: page for page in (self._pages.new() for _ in range(_IN_BATCH))}
        options: dict[str, object] = {"tier": random.choice(("static", "static", "browser")), "outputs": [_HTML]}
        made = await self._client.batches.create(list(pages), kind="capture", options=options)
        self._ledger.batches[made.id] = list(pages.values())
        told: list[str] = []
        async for one in self._client.batches.follow(made.id):
            told.append(one.url)
            self._ledger.accept(one.id, pages[one.url])
            if one.status == "succeeded":
                content = await self._client.captures.content(one.id, "html")
                self._ledger.check(one.id, "html of another page", right=pages[one.url].word.encode() in content)
            else:
                self._ledger.lost.append(f"{one.id} in {made.id} {one.status}: {one.error}")
        self._ledger.check(made.id, f"told {len(told)} results", right=sorted(told) == sorted(pages))
        end = (await self._client.batches.get(made.id)).counts
        self._ledger.check(made.id, f"counts {end}", right=end.succeeded == end.total == len(pages))

    async def upload(self) -> None:
        """A picture judged."""
        page = self._pages.new()
        found = await self._client.upload_image(page.picture(), name=page.word, preset="rules")
        self._ledger.accept(found.id, page)
        self._ledger.check(found.id, f"is of {found.url.requested}", right=page.word in found.url.requested)

    async def cancelled(self) -> None:
        """A page that nobody wants any more."""
        page = self._pages.new()
        job = await self._client.captures.create(page.url, tier="browser", outputs=[_PICTURE])
        self._ledger.accept(job.id, page)
        await asyncio.sleep(random.random() * 3)
        with suppress(ConflictError):  # it was quicker
            await self._client.captures.cancel(job.id)
        end = await self._client.captures.get(job.id)
        if end.status == "cancelled":
            self._ledger.cancelled.add(job.id)
        else:
            await self._check_capture(end, page, {"screenshot"})
