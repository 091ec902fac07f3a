"""Pictures that customers send: what is taken, what is refused, what it may cost; on both databases."""

import asyncio
import hashlib
import io
import struct
import sys
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image
from sqlalchemy import select

from contracts.analyze import AnalyzeRequest
from contracts.errors import ErrorCode
from gateway.housekeeping import Housekeeper
from gateway.jobs import intake
from gateway.tables import jobs, renders
from gateway.uploads import bounds, decoding
from gateway.uploads.decoding import Decoder
from gateway.uploads.form import MAX_FILE_BYTES
from runtime.errors import ServiceError
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def painted(kind: str = "PNG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **options: Any) -> bytes:  # noqa: ANN401  # Pillow's own
    out = io.BytesIO()
    Image.new(mode, size, "red" if mode != "L" else 7).save(out, kind, **options)
    return out.getvalue()


async def send(platform: Platform, data: bytes, file_name: str = "page.png", **fields: str) -> httpx2.Response:
    files = {"image": (file_name, data, "application/octet-stream")}
    return await platform.http.post("/v1/analyses", files=files, data=fields)


async def count(platform: Platform) -> int:
    async with platform.parts.db.read() as db:
        return len((await db.execute(select(jobs.c.id))).all())


def stored(platform: Platform) -> list[bytes]:
    return [path.read_bytes() for path in platform.parts.blobs.root.rglob("*.jpg")]


async def test_a_picture_is_analysed_without_a_render(working: Platform) -> None:
    answer = await send(working, painted(), preset="fast", wait="60")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["status"], found["url"], found["preset"]) == ("succeeded", "upload:page.png", "fast")
    assert not working.fleet.renders
    (order,) = working.fleet.analyses
    assert (order.render.source, order.analysis_id) == ("upload", found["id"])
    artifact = order.render.artifacts["upload"]
    assert (artifact.width, artifact.height, artifact.content_type) == (60, 40, "image/jpeg")
    assert set(order.downloads) == set(order.asset_keys) == {"upload"}
    (data,) = stored(working)
    assert hashlib.sha256(data).hexdigest() == artifact.sha256
    assert Image.open(io.BytesIO(data)).format == "JPEG"
    assert (await working.http.get(found["links"]["report"])).status_code == 200
    assert (await working.http.delete(found["links"]["self"])).status_code == 204
    assert stored(working) == []


async def test_it_survives_a_failed_analysis(working: Platform) -> None:
    failures = iter([True])

    async def fail_once(_: AnalyzeRequest) -> None:
        if next(failures, False):
            raise ServiceError(ErrorCode.INTERNAL, "Not now.")

    working.fleet.before_analysis = fail_once
    found = (await send(working, painted(), wait="60")).json()
    assert (found["status"], found["attempt"]) == ("succeeded", 2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
async def test_what_people_have_is_taken(kind: str, mode: str) -> None:
    if kind == "JPEG" and mode in {"RGBA", "P"}:
        pytest.skip("JPEG has no such mode")
    made = await Decoder().decode(painted(kind, mode=mode))
    assert (made.width, made.height) == (60, 40)
    image = Image.open(io.BytesIO(made.data))
    assert (image.format, image.mode) == ("JPEG", "RGB")


async def test_what_is_seen_through_is_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")
    made = await Decoder().decode(out.getvalue())
    assert Image.open(io.BytesIO(made.data)).getpixel((5, 5)) == (255, 255, 255)


async def test_what_a_camera_wrote_is_left_behind_and_its_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    exif[0x010F] = "Maker"
    made = await Decoder().decode(painted("JPEG", exif=exif.tobytes()))
    assert (made.width, made.height) == (40, 60)
    assert b"Maker" not in made.data
    assert not Image.open(io.BytesIO(made.data)).getexif()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int, depth: int = 8) -> bytes:
    """A PNG whose header promises any number of pixels, in a few kilobytes."""
    head = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def moving(kind: str) -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "blue", "green")]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()


REFUSED = {
    "nothing": b"",
    "text": b"hello",
    "html": b"<html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "gif": b"GIF89a" + bytes(100),
    "pdf": b"%PDF-1.7",
    "tiff": b"II*\x00" + bytes(100),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "only a mark": b"\x89PNG\r\n\x1a\n",
    "only a jpeg's mark": b"\xff\xd8\xff\xe0",
    "half a picture": painted("JPEG", (300, 300))[:400],
    "damaged": painted()[:40] + bytes(20) + painted()[60:],
    "too many pixels": bomb(20_000, 20_000),
    "far too many pixels": bomb(2**31 - 1, 2**31 - 1),
    "too long": bomb(bounds.MAX_SIDE + 1, 10),
    "a moving png": moving("PNG"),
    "a moving webp": moving("WEBP"),
    "webp's mark on nonsense": b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(50),
}


@ONE
@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_picture_is_refused(platform: Platform, name: str) -> None:
    answer = await send(platform, REFUSED[name])
    assert (answer.status_code, answer.json()["code"]) == (422, "image_rejected"), answer.text
    assert "reason" not in answer.text
    assert await count(platform) == 0
    assert stored(platform) == []


async def test_a_decoder_that_dies_is_a_picture_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\nkill -9 $$\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    with pytest.raises(ServiceError) as caught:
        await Decoder().decode(painted())
    assert caught.value.code is ErrorCode.IMAGE_REJECTED


async def test_a_decoder_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\nexec sleep 600\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    monkeypatch.setattr(decoding, "WALL_S", 0.2)
    with pytest.raises(ServiceError, match="too long"):
        await Decoder().decode(painted())


async def limited(body: str) -> tuple[int, bytes]:
    """Run `body` after the decoder has given up its rights."""
    script = f"from gateway.uploads import decoder\ndecoder._give_up_rights()\n{body}"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", script, stdout=pipe, stderr=pipe)
    _, err = await process.communicate()
    return process.returncode or 0, err


async def test_the_decoder_has_no_more_than_it_needs() -> None:
    status, err = await limited(f"bytes({bounds.MEMORY_BYTES})")
    assert (status, b"MemoryError" in err) == (1, True)
    status, err = await limited("open('/tmp/cro-decoder-test', 'wb', buffering=0).write(b'x')")
    assert status != 0
    status, err = await limited("import resource; print(resource.getrlimit(resource.RLIMIT_CPU)); exit(7)")
    assert status == 7


async def test_the_largest_picture_fits() -> None:
    made = await Decoder().decode(painted("PNG", (2_500, 16_000), mode="RGBA"))
    assert (made.width, made.height) == (2_500, 16_000)


@ONE
async def test_a_file_has_a_size(platform: Platform) -> None:
    answer = await send(platform, painted() + bytes(MAX_FILE_BYTES))
    assert answer.status_code in {413, 422}
    answer = await send(platform, painted() + bytes(MAX_FILE_BYTES + 100_000))
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")

    async def endless() -> Any:  # noqa: ANN401  # an iterator
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(1_000):
            yield bytes(100_000)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await platform.http.post("/v1/analyses", content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


@ONE
async def test_json_has_a_size_too(platform: Platform) -> None:
    answer = await platform.http.post("/v1/analyses", json={"url": "https://shop.test/", "name": "x" * 100_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


@ONE
@pytest.mark.parametrize(
    ("fields", "files", "field"),
    [
        ({}, {"picture": ("a.png", painted())}, "image"),
        ({"image": "text"}, {"other": ("a.png", painted())}, "image"),
        ({"preset": "best"}, {"image": ("a.png", painted())}, "preset"),
        ({"wait": "long"}, {"image": ("a.png", painted())}, "wait"),
        ({"url": "https://shop.test/"}, {"image": ("a.png", painted())}, "url"),
        ({"max_age": "-1"}, {"image": ("a.png", painted())}, "max_age"),
        ({"name": "x" * 201}, {"image": ("a.png", painted())}, "name"),
        ({"preset": ["fast", "deep"]}, {"image": ("a.png", painted())}, "form"),
    ],
)
async def test_a_bad_field_is_named(platform: Platform, fields: Any, files: Any, field: str) -> None:  # noqa: ANN401  # the client's own
    answer = await platform.http.post("/v1/analyses", data=fields, files=files)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request"), answer.text
    assert field in [error["field"] for error in problem["errors"]]
    assert await count(platform) == 0


@ONE
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"nonsense"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nno name\r\n--x--\r\n"),
        ("application/x-www-form-urlencoded", b"url=https://shop.test/"),
        ("text/plain", b"https://shop.test/"),
    ],
)
async def test_a_body_that_is_none_is_refused(platform: Platform, content_type: str, body: bytes) -> None:
    answer = await platform.http.post("/v1/analyses", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@ONE
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\shots\\a.png", "a.png"),
        ("a\x00b\n.png", "ab.png"),
        ("x" * 180, "x" * 100),
        ("", hashlib.sha256(painted()).hexdigest()[:12]),
    ],
)
async def test_a_name_is_only_a_name(platform: Platform, name: str, shown: str) -> None:
    answer = await send(platform, painted(), "/", **({"name": name} if name else {}))
    assert answer.json()["url"] == f"upload:{shown}"


async def test_the_same_picture_is_decoded_and_analysed_once(
    working: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await send(working, painted(), wait="60")
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    again = await send(working, painted(), "other.png")
    assert (again.json()["id"], again.headers["x-cache"]) == (first.json()["id"], "hit")


async def test_a_picture_takes_an_idempotency_key(platform: Platform) -> None:
    async def keyed(data: bytes, **fields: str) -> httpx2.Response:
        headers = {"idempotency-key": "one"}
        files = {"image": ("a.png", data)}
        return await platform.http.post("/v1/analyses", files=files, data=fields, headers=headers)

    answers = await asyncio.gather(*(keyed(painted()) for _ in range(5)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(stored(platform)) == 1, "those that came too late took theirs away again"
    assert (await keyed(painted(size=(61, 40)))).json()["code"] == "idempotency_mismatch"
    assert (await keyed(painted(), preset="deep")).json()["code"] == "idempotency_mismatch"


async def test_nothing_is_left_when_the_row_cannot_be_written(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> str:
        raise ServiceError(ErrorCode.UNAVAILABLE, "The database cannot be reached.", retry_after_s=2)

    monkeypatch.setattr(intake, "enqueue", fail)
    assert (await send(platform, painted())).status_code == 503
    async with platform.parts.db.read() as db:
        assert (await db.execute(select(renders.c.job_id))).all() == []
    # Whether the commit took place is not always known, so the object is left to the sweep.
    await Housekeeper(platform.parts.db, platform.parts.blobs, platform.parts.settings).tick(timedelta(hours=25))
    assert stored(platform) == []
