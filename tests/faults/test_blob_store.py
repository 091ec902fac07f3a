"""The blob store busy, slow, cut off, lying and away (F26, F27): a job waits for it, and no row points at a bad object.

The renderer's own uploads and the analyzer's own downloads, over real sockets through a proxy that does the harm.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from analyzer.artifacts import ArtifactReader
from contracts.analyze import AnalyzeRequest
from contracts.render import Artifact, RenderRequest
from contracts.result import Analyzed
from gateway import attempts
from gateway.app import create_app
from gateway.hints import LocalHints
from gateway.migrate import migrate
from gateway.pipeline import Ports
from gateway.settings import GatewaySettings
from gateway.wiring import Parts
from gateway.worker import Worker
from renderer.uploads import Upload, Uploads
from runtime.client import ServiceClient
from runtime.web import service_app
from tests.fixtures.fleet import Fleet, analysed, stored_as
from tests.fixtures.s3 import ACCESS, SECRET, S3Server
from tests.fixtures.toxics import Toxic, Toxics, poisoned

pytestmark = pytest.mark.anyio

BASE = "http://gateway.test"
ANALYSIS = {"url": "https://shop.test/", "preset": "rules"}
CAPTURE = {"url": "https://shop.test/", "outputs": [{"kind": "screenshot"}, {"kind": "markdown"}]}


@dataclass
class CarefulFleet(Fleet):
    """Made-up pages, moved as the real services move theirs."""

    origins: str = ""
    upload_budget: timedelta = field(default=timedelta(seconds=2))

    async def _uploaded(self, order: RenderRequest, made: dict[str, bytes]) -> dict[str, Artifact]:
        artifacts = {name: stored_as(order, name, content) for name, content in made.items()}
        async with Uploads(self.origins) as uploads:
            uploads.check(order.uploads)
            wanted = [
                Upload(name, order.uploads[name], artifacts[name].content_type, data) for name, data in made.items()
            ]
            await uploads.put(wanted, self.upload_budget)
        return artifacts

    def analyzer(self) -> FastAPI:
        app = service_app("analyzer", ready=_ready, lifespan=_no_lifespan)

        @app.post("/analyze")
        async def analyze(order: AnalyzeRequest) -> Analyzed:
            self.analyses.append(order)
            async with ArtifactReader(frozenset({self.origins}), 2**20) as reader:
                for name in order.downloads:
                    assert await reader.read(order, name, self.upload_budget)
            return Analyzed(**dict(analysed(order)))

        return app


async def _ready() -> None:
    """Always."""


@asynccontextmanager
async def _no_lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


@dataclass
class World:
    """A gateway with a worker; its artifacts go through the proxy."""

    http: httpx2.AsyncClient
    parts: Parts
    fleet: CarefulFleet
    toxics: Toxics

    async def submit(self, path: str, body: dict[str, Any]) -> str:
        answer = await self.http.post(path, json=body)
        assert answer.status_code == 202, answer.text
        return f"{path}/{answer.json()['id']}"

    async def ended(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(job, params={"wait": 60})).json()
        return found

    async def whole(self, keys: dict[str, str]) -> None:
        """Check that what a result names is there with the hash that it says."""
        assert keys
        for key, sha256 in keys.items():
            assert hashlib.sha256(await self.parts.blobs.read(key)).hexdigest() == sha256


@pytest.fixture
def toxics(versity_server: S3Server) -> Iterator[Toxics]:
    with poisoned(versity_server.origin) as toxics:
        yield toxics


@asynccontextmanager
async def running(settings: GatewaySettings, fleet: CarefulFleet, toxics: Toxics) -> AsyncIterator[World]:
    hints = LocalHints()
    app = create_app(settings, hints=hints)
    parts: Parts = app.state.parts
    async with AsyncExitStack() as stack:
        renderer, analyzer = [
            await stack.enter_async_context(ServiceClient(name, BASE, httpx2.ASGITransport(app=service)))
            for name, service in (("renderer", fleet.renderer()), ("analyzer", fleet.analyzer()))
        ]
        client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE, trust_env=False, timeout=90)
        http = await stack.enter_async_context(client)
        worker = Worker(parts.db, Ports(renderer, analyzer, parts.blobs), hints, settings)
        task = asyncio.create_task(worker.run())
        yield World(http, parts, fleet, toxics)
        worker.stop()
        await task
        await parts.blobs.aclose()
        await parts.db.aclose()


@pytest.fixture
def settings(versity_server: S3Server, toxics: Toxics, tmp_path: Path) -> GatewaySettings:
    url = f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}"
    migrate(url)
    return GatewaySettings(
        database_url=url,
        blobs_url=versity_server.environment(versity_server.new_bucket(), via=toxics.origin)["BLOBS_URL"],
        aws_access_key_id=SecretStr(ACCESS),
        aws_secret_access_key=SecretStr(SECRET),
        poll_seconds=0.05,
        lease_seconds=5,
        retry_base_seconds=0,
        drain_seconds=5,
    )


@pytest.fixture
async def world(settings: GatewaySettings, toxics: Toxics, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(attempts, "after_storage", lambda _age: timedelta(milliseconds=50))
    async with running(settings, CarefulFleet(origins=toxics.origin), toxics) as world:
        yield world


async def happened(world: World, count: int) -> None:
    """Wait until so many renders have begun."""
    async with asyncio.timeout(60):
        while len(world.fleet.renders) < count:  # the fleet is a list
            await asyncio.sleep(0.02)


HARMS = [Toxic.BUSY, Toxic.HANG, Toxic.RESET, Toxic.LIE, Toxic.SHORT, Toxic.FLIP]


@pytest.mark.parametrize("harm", HARMS)
async def test_f26_a_job_waits_for_the_store_and_points_at_nothing_bad(world: World, harm: Toxic) -> None:
    world.fleet.upload_budget = timedelta(milliseconds=600 if harm is Toxic.HANG else 5_000)
    world.toxics.poison(harm, "PUT")
    job = await world.submit("/v1/analyses", ANALYSIS)
    await happened(world, 3)
    meanwhile = (await world.http.get(job)).json()
    assert meanwhile["status"] in {"queued", "rendering"}, meanwhile["error"]
    world.toxics.heal()
    end = await world.ended(job)
    assert (end["status"], end["attempt"]) == ("succeeded", 1), end["error"]
    assert len(world.fleet.analyses) == 1
    await world.whole({one["key"]: one["sha256"] for one in end["result"]["capture"]["assets"]})


async def test_f26_an_upload_whose_answer_is_lost_is_no_loss(world: World) -> None:
    world.toxics.poison(Toxic.LOST, "PUT", count=3)
    end = await world.ended(await world.submit("/v1/analyses", ANALYSIS))
    assert (end["status"], len(world.fleet.renders)) == ("succeeded", 1)
    await world.whole({one["key"]: one["sha256"] for one in end["result"]["capture"]["assets"]})


async def test_f26_what_cannot_be_read_is_not_rendered_again(world: World) -> None:
    bucket = world.parts.settings.blobs_url.removeprefix("s3://").partition("?")[0]
    world.toxics.poison(Toxic.CUT, f"GET /{bucket}/local/", count=2)
    end = await world.ended(await world.submit("/v1/analyses", ANALYSIS))
    assert end["status"] == "succeeded", end["error"]
    assert len(world.fleet.renders) == 1
    assert len(world.fleet.analyses) > 1


async def test_f26_after_its_patience_the_job_fails_by_name_and_is_given_back(
    settings: GatewaySettings, toxics: Toxics
) -> None:
    short = settings.model_copy(update={"outage_patience_seconds": 0, "max_attempts": 2})
    async with running(short, CarefulFleet(origins=toxics.origin), toxics) as world:
        toxics.poison(Toxic.BUSY, "PUT")
        end = await world.ended(await world.submit("/v1/captures", CAPTURE))
        assert (end["status"], end["error"]["code"], end["attempt"]) == ("failed", "storage_failed", 2)
        assert end["result"] is None
        today = (await world.http.get("/v1/tenant")).json()["today"]
        assert {one["used"] for one in today} == {0}


async def test_f27_with_the_store_away_results_are_read_and_pictures_say_when_to_return(world: World) -> None:
    capture = await world.submit("/v1/captures", CAPTURE)
    analysis = await world.submit("/v1/analyses", ANALYSIS)
    done = await world.ended(capture)
    assert done["status"] == (await world.ended(analysis))["status"] == "succeeded"

    world.toxics.poison(Toxic.BUSY)
    read = await world.http.get(capture)
    assert (read.status_code, read.json()["status"]) == (200, "succeeded")
    assert (await world.http.get(analysis)).status_code == 200
    for path in (f"{capture}/artifacts/screenshot", f"{analysis}/report"):
        answer = await world.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed"), answer.text
        assert int(answer.headers["retry-after"]) > 0
        assert "127.0.0.1" not in answer.text
    await world.http.get(f"{capture}/artifacts/markdown")
    health = (await world.http.get("/api/health")).json()
    assert (health["status"], health["dependencies"]["blobs"]) == ("degraded", "down")
    assert (await world.http.get("/readyz")).status_code == 200

    world.toxics.heal()
    async with asyncio.timeout(90):
        while (await world.http.get("/api/health")).json()["status"] != "healthy":
            await asyncio.sleep(0.1)
    picture = await world.http.get(f"{capture}/artifacts/screenshot")
    assert hashlib.sha256(picture.content).hexdigest() == done["result"]["artifacts"]["screenshot"]["sha256"]


async def test_f27_a_spoilt_object_is_never_handed_out(world: World) -> None:
    capture = await world.submit("/v1/captures", CAPTURE)
    done = await world.ended(capture)
    world.toxics.poison(Toxic.CUT, "GET")
    answer = await world.http.get(f"{capture}/artifacts/markdown")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed")
    world.toxics.heal()
    # Links of customers lead to the store itself, with what we would have sent along.
    links = done["result"]["artifacts"]["markdown"]["links"]
    async with httpx2.AsyncClient(trust_env=False) as http:
        got = await http.get(links["signed"])
    assert (got.status_code, got.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
    assert got.content == (await world.http.get(links["self"])).content
