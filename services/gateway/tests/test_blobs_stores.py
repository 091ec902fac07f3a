"""What every store promises, asked of each: files, S3 as moto plays it, S3 as versitygw enforces it."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from contracts.errors import ErrorCode
from contracts.render import TransferSlot
from gateway.blobs.base import MAX_BYTES, BlobStore, new_key
from gateway.blobs.endpoints import router
from gateway.blobs.files import FileBlobs
from gateway.blobs.opening import open_store
from gateway.settings import GatewaySettings
from runtime import problems
from runtime.errors import ServiceError
from tests.fixtures.s3 import ACCESS, SECRET, S3Server

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
BASE = "http://blobs.test"
ENFORCING = ["files", "versity"]
"""Moto looks neither at signatures nor at hashes, and lets two writers at once both win."""


@dataclass
class Case:
    """A store, and a client for its URLs."""

    blobs: BlobStore
    http: httpx2.AsyncClient

    async def put(self, slot: TransferSlot, data: bytes, **headers: str) -> int:
        answer = await self.http.request(slot.method, slot.url, content=data, headers={**slot.headers, **headers})
        return answer.status_code

    async def write(self, key: str, *chunks: bytes) -> int:
        return await self.blobs.write(key, pieces(*chunks))


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def settings_for(kind: str, request: pytest.FixtureRequest, folder: Path) -> GatewaySettings:
    if kind == "files":
        return GatewaySettings(blobs_url=f"file://{folder}/blobs", blobs_base_url=BASE)
    server: S3Server = request.getfixturevalue(f"{kind}_server")
    return GatewaySettings(
        blobs_url=server.environment(server.new_bucket())["BLOBS_URL"],
        aws_access_key_id=SecretStr(ACCESS),
        aws_secret_access_key=SecretStr(SECRET),
    )


@pytest.fixture(params=["files", "moto", "versity"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    blobs = open_store(settings_for(request.param, request, tmp_path))
    transport = None
    if isinstance(blobs, FileBlobs):
        app = FastAPI()
        problems.install(app)
        app.include_router(router(blobs))
        transport = httpx2.ASGITransport(app=app)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(blobs.aclose)
        http = httpx2.AsyncClient(transport=transport, base_url=BASE, trust_env=False)
        yield Case(blobs, await stack.enter_async_context(http))


enforcing = pytest.mark.parametrize("case", ENFORCING, indirect=True)


@pytest.fixture
def key() -> str:
    return new_key("local", "an_1", 1, "image/jpeg")


async def test_what_was_put_can_be_got(case: Case, key: str) -> None:
    assert await case.put(case.blobs.upload_slot(key, MINUTE), b"pixels") in {200, 201}
    got = await case.http.get(case.blobs.download_slot(key, MINUTE).url)
    assert (got.content, got.headers["content-type"]) == (b"pixels", "image/jpeg")
    assert got.headers["content-disposition"].startswith("inline")
    assert await case.blobs.size(key) == 6
    assert await case.blobs.read(key) == b"pixels"


async def test_an_object_is_written_once(case: Case, key: str) -> None:
    slot = case.blobs.upload_slot(key, MINUTE)
    assert await case.put(slot, b"first") in {200, 201}
    assert await case.put(slot, b"second") in {409, 412}
    with pytest.raises(ServiceError) as caught:
        await case.write(key, b"third")
    assert caught.value.code is ErrorCode.CONFLICT
    assert await case.blobs.read(key) == b"first"


@enforcing
async def test_of_writers_at_once_exactly_one_wins(case: Case, key: str) -> None:
    outcomes = await asyncio.gather(
        *(case.write(key, bytes([number]) * 10) for number in range(8)), return_exceptions=True
    )
    assert [outcome for outcome in outcomes if outcome == 10] == [10]
    codes = {outcome.code for outcome in outcomes if isinstance(outcome, ServiceError)}
    assert codes == {ErrorCode.CONFLICT}
    assert len(set(await case.blobs.read(key))) == 1


@enforcing
@pytest.mark.parametrize("content_type", ["text/html", "image/png", "image/jpeg; charset=utf-8"])
async def test_only_the_signed_content_type_is_taken(case: Case, key: str, content_type: str) -> None:
    status = await case.put(case.blobs.upload_slot(key, MINUTE), b"<script>", **{"content-type": content_type})
    assert status == 403
    assert await case.blobs.size(key) is None


@enforcing
async def test_a_slot_is_good_for_its_own_method_and_key_alone(case: Case, key: str) -> None:
    other = new_key("other", "an_2", 1, "image/jpeg")
    await case.write(key, b"secret")
    await case.write(other, b"theirs")
    up, down = case.blobs.upload_slot(key, MINUTE), case.blobs.download_slot(key, MINUTE)
    for method, url in (("GET", up.url), ("PUT", down.url), ("DELETE", down.url), ("DELETE", up.url)):
        answer = await case.http.request(method, url, headers=up.headers)
        assert answer.status_code in {403, 405}, (method, url)
    assert (await case.http.get(down.url.replace(key, other))).status_code == 403
    assert (await case.http.get(urlsplit(down.url)._replace(query="").geturl())).status_code in {403, 422}
    assert await case.blobs.read(key) == b"secret"


@enforcing
async def test_what_arrives_changed_is_not_kept(case: Case, key: str) -> None:
    digest = base64.b64encode(hashlib.md5(b"pixels").digest()).decode()
    slot = case.blobs.upload_slot(key, MINUTE)
    assert await case.put(slot, b"pixelz", **{"content-md5": digest}) in {400, 422}
    assert await case.blobs.size(key) is None
    assert await case.put(slot, b"pixels", **{"content-md5": digest}) in {200, 201}


async def test_what_is_written_here_has_its_type(case: Case) -> None:
    key = new_key("local", "an_1", 1, "text/markdown")
    assert await case.write(key, b"# ", b"Sh\xc3\xb6p") == 7
    got = await case.http.get(case.blobs.link(key, MINUTE))
    assert (got.content, got.headers["content-type"]) == (b"# Sh\xc3\xb6p", "text/markdown; charset=utf-8")


async def test_nothing_is_too_large_but_what_is(case: Case, key: str) -> None:
    with pytest.raises(ServiceError) as caught:
        await case.write(key, bytes(MAX_BYTES), b"1")
    assert caught.value.code is ErrorCode.PAYLOAD_TOO_LARGE
    assert await case.blobs.size(key) is None


async def test_a_source_that_breaks_leaves_nothing(case: Case, key: str) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionResetError

    with pytest.raises(ServiceError) as caught:
        await case.blobs.write(key, broken())
    assert caught.value.code is ErrorCode.STORAGE_FAILED
    assert await case.blobs.size(key) is None


async def test_what_is_not_there_is_not_found(case: Case, key: str) -> None:
    assert (await case.http.get(case.blobs.download_slot(key, MINUTE).url)).status_code == 404
    assert await case.blobs.size(key) is None
    with pytest.raises(ServiceError) as caught:
        await case.blobs.read(key)
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert await case.blobs.alive()


async def test_no_key_or_id_leads_elsewhere(case: Case) -> None:
    for bad in ("../../etc/passwd.jpg", "local/../x.jpg", "x.jpg", "local/x.svg", "local//x.jpg", ""):
        for call in (case.blobs.size(bad), case.blobs.read(bad), case.write(bad, b"x")):
            with pytest.raises(ServiceError) as caught:
                await call
            assert caught.value.code is ErrorCode.NOT_FOUND
        for make in (case.blobs.upload_slot, case.blobs.download_slot, case.blobs.link):
            with pytest.raises(ServiceError):
                make(bad, MINUTE)
    kept = new_key("local", "cap_1", 1, "image/png")
    await case.write(kept, b"x")
    for tenant, job in (("..", "x"), ("local", ".."), ("local", ""), ("local", "a/b"), ("", "x")):
        with pytest.raises(ServiceError) as caught:
            await case.blobs.remove_job(tenant, job)
        assert caught.value.code is ErrorCode.NOT_FOUND
    assert await case.blobs.size(kept) == 1


async def test_a_jobs_objects_go_together(case: Case) -> None:
    keys = [new_key("local", "cap_1", fence, "image/png") for fence in (1, 1, 2)]
    others = [new_key("local", "cap_10", 1, "image/png"), new_key("loca", "cap_1", 1, "image/png")]
    for one in (*keys, *others):
        await case.write(one, b"x")
    for _ in range(2):
        await case.blobs.remove_job("local", "cap_1")
    assert [await case.blobs.size(one) for one in (*keys, *others)] == [None, None, None, 1, 1]


async def test_jobs_are_listed_page_by_page(case: Case) -> None:
    assert await case.blobs.jobs("", 10) == []
    pairs = [(tenant, f"an_{number:02}") for tenant in ("ten_a", "ten_b", "ten_c") for number in range(5)]
    for tenant, job in pairs:
        for fence in (1, 2):
            await case.write(new_key(tenant, job, fence, "image/png"), b"x")
    found: list[tuple[str, str]] = []
    while page := await case.blobs.jobs("/".join(found[-1]) if found else "", 4):
        assert len(page) <= 4
        found += page
    assert found == pairs
    await case.blobs.remove_job("ten_a", "an_03")
    assert await case.blobs.jobs("ten_a/an_02", 2) == [("ten_a", "an_04"), ("ten_b", "an_00")]


async def test_a_link_for_customers_runs_nothing(case: Case) -> None:
    page = new_key("local", "cap_1", 1, "text/html")
    await case.put(case.blobs.upload_slot(page, MINUTE), b"<script>")
    got = await case.http.get(case.blobs.link(page, timedelta(days=7)))
    assert (got.content, got.headers["content-type"]) == (b"<script>", "text/html; charset=utf-8")
    assert got.headers["content-disposition"].startswith("attachment")
    assert "private" in got.headers["cache-control"]
