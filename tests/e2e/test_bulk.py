"""The model in bulk, end to end: a real gateway and analyzer against the fake Messages API; the renderer is made up."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from PIL import Image

from analyzer.fakeclaude.server import FakeServer
from analyzer.fakeclaude.wire import Json
from analyzer.service import create_service
from analyzer.settings import AnalyzerSettings
from contracts.geometry import DESKTOP, Box
from contracts.render import Section
from contracts.result import Analysis
from gateway.app import create_app
from gateway.hints import LocalHints
from gateway.migrate import migrate
from gateway.pipeline import Ports
from gateway.settings import GatewaySettings
from gateway.wiring import Parts
from gateway.worker import Worker
from runtime.client import ServiceClient
from tests.fixtures import fleet as fleets
from tests.fixtures.fleet import Fleet
from tests.fixtures.gateway import BASE
from tests.fixtures.page_facts import button, heading, page

PAGES = 3
HOUR_S = 3_600
SECTION = Section(id="s1", viewport=DESKTOP, box=Box(x=0, y=0, width=1440, height=900), artifact="sections.desktop.1")


def _jpeg() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (1440, 900), "#aabbcc").save(data, "JPEG")
    return data.getvalue()


def _rendered() -> dict[str, bytes]:
    rows = (heading("Get paid in two days"), button("Start free trial", contrast=2.1))
    facts = {f"facts.{name}": page(*rows, phone=name == "mobile") for name in ("desktop", "mobile")}
    written = {name: one.model_dump_json().encode() for name, one in facts.items()}
    return {**written, "sections.desktop.1": _jpeg()}


@dataclass
class Doorway:
    """Leads to the analyzer that runs now."""

    app: FastAPI | None = None

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)  # type: ignore[arg-type]  # as it came


@dataclass
class Whole:
    """A gateway, and an analyzer that can be started anew."""

    http: httpx2.AsyncClient
    parts: Parts
    ports: Ports
    doorway: Doorway
    storage: httpx2.AsyncBaseTransport
    running: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def restart_analyzer(self) -> None:
        await self.running.aclose()
        app = create_service(AnalyzerSettings(analyzer_download_origins=BASE), storage=self.storage)
        await self.running.enter_async_context(app.router.lifespan_context(app))
        self.doorway.app = app

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        worker = Worker(self.parts.db, self.ports, self.parts.hints, self.parts.settings)
        task = asyncio.create_task(worker.run())
        yield
        worker.stop()
        await task

    async def read(self, analysis_id: str) -> Analysis:
        return Analysis.model_validate((await self.http.get(f"/v1/analyses/{analysis_id}")).json()["result"])


@asynccontextmanager
async def whole(folder: Path) -> AsyncIterator[Whole]:
    url = f"sqlite+aiosqlite:///{folder / 'cro.db'}"
    await asyncio.to_thread(migrate, url)
    settings = GatewaySettings(
        database_url=url, blobs_url=f"file://{folder / 'blobs'}", blobs_base_url=BASE, poll_seconds=0.05
    )
    app, doorway = create_app(settings, hints=LocalHints()), Doorway()
    to_app = httpx2.ASGITransport(app=app)
    made_up = Fleet(uploads_over=to_app, change_render={"sections": [SECTION]})
    async with AsyncExitStack() as stack:
        to_renderer = httpx2.ASGITransport(app=made_up.renderer())
        renderer = await stack.enter_async_context(ServiceClient("renderer", BASE, to_renderer))
        to_analyzer = httpx2.ASGITransport(app=doorway)
        analyzer = await stack.enter_async_context(ServiceClient("analyzer", BASE, to_analyzer))
        http = await stack.enter_async_context(httpx2.AsyncClient(transport=to_app, base_url=BASE, trust_env=False))
        parts: Parts = app.state.parts
        them = Whole(http, parts, Ports(renderer, analyzer, parts.blobs), doorway, to_app)
        await them.restart_analyzer()
        yield them
        await them.running.aclose()
        await parts.db.aclose()


@pytest.fixture
def claude(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "_facts_and_pictures", _rendered)
    monkeypatch.setattr("gateway.attempts.until_batched", lambda _: timedelta(seconds=0.2))
    for name in GatewaySettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    monkeypatch.setenv("CLAUDE_BULK_REQUESTS", str(PAGES))
    monkeypatch.setenv("CLAUDE_BULK_WAIT_SECONDS", "60")


def test_pages_leave_together_and_survive_a_restart(
    claude: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeServer() as fake:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url)
        fake.state.batch_s = HOUR_S
        asyncio.run(_scene(fake, tmp_path))


async def _scene(fake: FakeServer, folder: Path) -> None:
    async with whole(folder) as them:
        async with them.worker(), asyncio.timeout(60):
            body = {"preset": "fast", "ai": "bulk", "wait": 30}
            urls = [f"https://shop.test/{number}" for number in range(PAGES)]
            made = await asyncio.gather(*(them.http.post("/v1/analyses", json={**body, "url": url}) for url in urls))
            ids = [one.json()["id"] for one in made]
            for one in made:
                engine = one.json()["result"]["engine"]
                assert (engine["mode"], engine["ai_pending"], engine["degraded"]) == ("rules", True, False)
            while not _calls(fake, "GET", "/v1/messages/batches/"):
                await asyncio.sleep(0.05)
        assert [len(entry["body"]["requests"]) for entry in _calls(fake, "POST", "/v1/messages/batches")] == [PAGES]
        assert [(await them.read(one)).engine.ai_pending for one in ids] == [True] * PAGES

        await them.restart_analyzer()
        fake.state.clock = lambda: time.time() + 2 * HOUR_S
        async with them.worker(), asyncio.timeout(60):
            while any([(await them.read(one)).engine.ai_pending for one in ids]):
                await asyncio.sleep(0.05)
        for one in ids:
            engine = (await them.read(one)).engine
            assert (engine.mode, engine.degraded) == ("rules+ai", False)
            assert engine.ai is not None
            assert (engine.ai.batch, engine.ai.requests) == (True, 1)
            assert engine.ai.verified + engine.ai.supported > 0
    assert fake.requests == [], "nobody paid the full price"
    assert len(_calls(fake, "GET", "/results")) == 1


def _calls(fake: FakeServer, method: str, part: str) -> list[Json]:
    return [entry for entry in fake.state.log if entry["method"] == method and part in entry["path"]]
