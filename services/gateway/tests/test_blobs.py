"""The file store and its signed routes."""

import asyncio
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import FastAPI

from contracts.errors import ErrorCode
from gateway.blobs import files
from gateway.blobs.base import MAX_BYTES, checked_key, new_key, type_of
from gateway.blobs.endpoints import router
from gateway.blobs.files import FileBlobs, folder_of, open_files
from gateway.blobs.signing import folder_secret
from runtime import problems
from runtime.errors import ServiceError

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
BASE = "http://blobs.test"


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return open_files(f"file://{tmp_path}/blobs", BASE, "")


@pytest.fixture
async def http(blobs: FileBlobs) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(router(blobs))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, trust_env=False) as client:
        yield client


@pytest.fixture
def key() -> str:
    return new_key("local", "an_1", 1, "image/jpeg")


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def leftovers(blobs: FileBlobs) -> list[Path]:
    return list(blobs.root.rglob(".new-*"))


async def test_what_was_put_can_be_got(blobs: FileBlobs, http: httpx2.AsyncClient, key: str) -> None:
    up, down = blobs.upload_slot(key, MINUTE), blobs.download_slot(key, MINUTE)
    put = await http.put(up.url, content=b"pixels", headers=up.headers)
    assert put.status_code == 201
    got = await http.get(down.url)
    assert (got.content, got.headers["content-type"]) == (b"pixels", "image/jpeg")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert await blobs.size(key) == 6
    assert await blobs.read(key) == b"pixels"
    assert leftovers(blobs) == []


async def test_an_object_is_written_once(blobs: FileBlobs, http: httpx2.AsyncClient, key: str) -> None:
    up = blobs.upload_slot(key, MINUTE)
    await http.put(up.url, content=b"first", headers=up.headers)
    again = await http.put(up.url, content=b"second", headers=up.headers)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert await blobs.read(key) == b"first"
    assert leftovers(blobs) == []


async def test_of_writers_at_once_exactly_one_wins(blobs: FileBlobs, key: str) -> None:
    outcomes = await asyncio.gather(
        *(blobs.write(key, _chunks(bytes([number]) * 10)) for number in range(8)), return_exceptions=True
    )
    assert [outcome for outcome in outcomes if outcome == 10] == [10]
    assert len(set(await blobs.read(key))) == 1


def _changed(url: str, **parts: str) -> str:
    split = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(split.query).items()} | parts
    return f"{split.path}?" + "&".join(f"{name}={value}" for name, value in query.items())


async def test_a_forged_url_is_refused(blobs: FileBlobs, http: httpx2.AsyncClient, key: str) -> None:
    await blobs.write(key, _chunks(b"secret"))
    up, down = blobs.upload_slot(key, MINUTE), blobs.download_slot(key, MINUTE)
    signature = parse_qs(urlsplit(down.url).query)["sig"][0]
    other = down.url.replace(key, new_key("other", "an_2", 1, "image/jpeg"))
    forged = [
        _changed(down.url, sig="0" * 64),
        _changed(down.url, sig=""),
        _changed(down.url, sig="é"),
        _changed(down.url, sig=signature.upper()),
        _changed(down.url, expires="99999999999"),
        other,
        up.url,
    ]
    for url in forged:
        answer = await http.get(url)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), url
    assert (await http.put(down.url, content=b"x", headers=up.headers)).status_code == 403


@pytest.mark.parametrize("query", ["", "?expires=1", "?sig=ab", "?expires=soon&sig=ab", "?expires=-1&sig=ab"])
async def test_a_url_without_its_signature_is_refused(http: httpx2.AsyncClient, key: str, query: str) -> None:
    assert (await http.get(f"/blobs/{key}{query}")).status_code == 422


async def test_a_url_dies(blobs: FileBlobs, http: httpx2.AsyncClient, key: str) -> None:
    await blobs.write(key, _chunks(b"secret"))
    assert (await http.get(blobs.download_slot(key, timedelta(seconds=-5)).url)).status_code == 403
    slot = blobs.upload_slot(new_key("local", "an_1", 2, "image/png"), timedelta(seconds=-5))
    assert (await http.put(slot.url, content=b"x", headers=slot.headers)).status_code == 403


@pytest.mark.parametrize("content_type", ["text/html", "image/png", "", "image/jpeg; charset=utf-8"])
async def test_only_the_signed_content_type_is_taken(
    blobs: FileBlobs, http: httpx2.AsyncClient, key: str, content_type: str
) -> None:
    up = blobs.upload_slot(key, MINUTE)
    answer = await http.put(up.url, content=b"<script>", headers={"content-type": content_type})
    assert answer.status_code == 403
    assert await blobs.size(key) is None


BAD_KEYS = [
    "../../etc/passwd.jpg",
    "local/../x.jpg",
    "local/%2e%2e/x.jpg",
    "local/..%2fx.jpg",
    "local/.signing-secret",
    ".signing-secret",
    "local/x.svg",
    "local/x.js",
    "local/x",
    "/etc/x.jpg",
    "local//x.jpg",
    "local/x.jpg/",
    "local\\x.jpg",
    "local/x\x00.jpg",
    "local/x.jpg\n",
    "x.jpg",
    "a/" * 7 + "x.jpg",
    "local/" + "x" * 65 + ".jpg",
]


@pytest.mark.parametrize("bad", BAD_KEYS)
async def test_no_key_leads_out_of_the_folder(blobs: FileBlobs, http: httpx2.AsyncClient, bad: str) -> None:
    with pytest.raises(ServiceError) as caught:
        checked_key(bad)
    assert caught.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(ServiceError):
        blobs.path(bad)
    query = blobs.signer.query("GET", bad, "image/jpeg", 60)
    escaped = bad.replace("\x00", "%00").replace("\n", "%0A").replace("\\", "%5C")
    assert (await http.get(f"/blobs/{escaped}?{query}")).status_code in {403, 404}


async def test_an_object_that_is_too_large_leaves_nothing(
    blobs: FileBlobs, http: httpx2.AsyncClient, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    up = blobs.upload_slot(key, MINUTE)
    answer = await http.put(up.url, content=_chunks(b"x" * 60, b"x" * 60), headers=up.headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert await blobs.size(key) is None
    assert leftovers(blobs) == []


async def test_an_announced_size_that_is_too_large_is_refused_before_a_byte_is_read(
    blobs: FileBlobs, http: httpx2.AsyncClient, key: str
) -> None:
    up = blobs.upload_slot(key, MINUTE)
    headers = {**up.headers, "content-length": str(MAX_BYTES + 1)}
    assert (await http.put(up.url, content=b"x", headers=headers)).status_code == 413


async def test_a_broken_upload_leaves_nothing(blobs: FileBlobs, key: str) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionResetError

    with pytest.raises(ServiceError) as caught:
        await blobs.write(key, broken())
    assert caught.value.code is ErrorCode.STORAGE_FAILED
    assert await blobs.size(key) is None
    assert leftovers(blobs) == []


async def test_what_is_not_there_is_not_found(blobs: FileBlobs, http: httpx2.AsyncClient, key: str) -> None:
    assert (await http.get(blobs.download_slot(key, MINUTE).url)).status_code == 404
    assert await blobs.size(key) is None
    with pytest.raises(ServiceError) as caught:
        await blobs.read(key)
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_keys_cannot_be_guessed_and_carry_their_type() -> None:
    keys = {new_key("local", "an_1", 1, "application/json") for _ in range(100)}
    assert len(keys) == 100
    assert {type_of(key) for key in keys} == {"application/json"}
    assert all(key.startswith("local/an_1/1/") for key in keys)


def test_processes_that_share_a_folder_share_its_secret(tmp_path: Path) -> None:
    secret = folder_secret(tmp_path)
    assert len(secret) == 32
    assert folder_secret(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / ".signing-secret").stat().st_mode) == 0o600
    assert len(list(tmp_path.iterdir())) == 1
    assert folder_secret(tmp_path / "other") != secret


def test_a_given_secret_is_not_written_down(tmp_path: Path) -> None:
    blobs = open_files(f"file://{tmp_path}", BASE, "a secret")
    assert blobs.signer.secret == b"a secret"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_may_be_relative(elsewhere: Path) -> None:
    assert open_files("file:data/blobs", BASE, "").root == elsewhere / "data" / "blobs"
    assert folder_of("file:///srv/my%20blobs") == Path("/srv/my blobs")


@pytest.mark.parametrize("url", ["s3://bucket", "data/blobs", "file://host/x", "file:", ""])
def test_any_other_address_is_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="BLOBS_URL must be"):
        folder_of(url)


async def test_a_jobs_objects_go_together(blobs: FileBlobs) -> None:
    keys = [new_key("local", "cap_1", fence, "image/png") for fence in (1, 2)]
    other = new_key("local", "cap_2", 1, "image/png")
    for one in (*keys, other):
        await blobs.write(one, _chunks(b"x"))
    for _ in range(2):
        await blobs.remove_job("local", "cap_1")
    assert [await blobs.size(one) for one in (*keys, other)] == [None, None, 1]


@pytest.mark.parametrize(("tenant", "job"), [("..", "x"), ("local", ".."), ("local", ""), ("local", "a/b"), ("", "x")])
async def test_no_id_removes_more_than_its_own_folder(blobs: FileBlobs, tenant: str, job: str) -> None:
    kept = new_key("local", "cap_1", 1, "image/png")
    await blobs.write(kept, _chunks(b"x"))
    with pytest.raises(ServiceError) as caught:
        await blobs.remove_job(tenant, job)
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert await blobs.size(kept) == 1


async def test_a_link_for_customers_names_no_host(blobs: FileBlobs, http: httpx2.AsyncClient) -> None:
    page = new_key("local", "cap_1", 1, "text/html")
    await blobs.write(page, _chunks(b"<script>"))
    link = blobs.link(page, MINUTE)
    assert link.startswith(f"/blobs/{page}?")
    got = await http.get(link)
    assert (got.content, got.headers["content-type"]) == (b"<script>", "text/html; charset=utf-8")
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["content-security-policy"].startswith("sandbox")
