import asyncio
from datetime import timedelta

import httpx2
import pytest

from contracts.errors import ErrorCode
from contracts.render import TransferSlot
from renderer.uploads import Upload, Uploads
from runtime.errors import ServiceError

SECOND = timedelta(seconds=1)


def slot(url: str) -> dict[str, TransferSlot]:
    return {"shot": TransferSlot(url=url)}


@pytest.mark.parametrize(
    "url",
    [
        "https://blobs.test.evil.test/x",
        "https://blobs.test@evil.test/x",
        "http://blobs.test/x",
        "https://blobs.test:8443/x",
        "file:///etc/passwd",
        "/x",
    ],
)
def test_other_origins_are_refused(url: str) -> None:
    uploads = Uploads("https://blobs.test, http://127.0.0.1:9000")
    with pytest.raises(ServiceError) as caught:
        uploads.check(slot(url))
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert caught.value.errors[0].field == "uploads.shot"
    asyncio.run(uploads.__aexit__(None, None, None))


def test_named_origins_are_taken() -> None:
    uploads = Uploads("https://blobs.test, http://127.0.0.1:9000")
    uploads.check(slot("https://BLOBS.test:443/x?sig=1"))
    uploads.check(slot("http://127.0.0.1:9000/x"))
    asyncio.run(uploads.__aexit__(None, None, None))


def test_a_get_slot_is_no_upload() -> None:
    uploads = Uploads("https://blobs.test")
    with pytest.raises(ServiceError):
        uploads.check({"shot": TransferSlot(url="https://blobs.test/x", method="GET")})
    asyncio.run(uploads.__aexit__(None, None, None))


def put(transport: httpx2.AsyncBaseTransport, within: timedelta = SECOND) -> None:
    async def test() -> None:
        async with Uploads("", transport) as uploads:
            uploads.check(slot("http://store/x"))
            await uploads.put([Upload("shot", TransferSlot(url="http://store/x"), "image/png", b"1")], within)

    asyncio.run(test())


def test_in_one_process_the_transport_is_the_store() -> None:
    seen: list[httpx2.Request] = []

    def store(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    put(httpx2.MockTransport(store))
    assert seen[0].method == "PUT"
    assert seen[0].headers["content-type"] == "image/png"
    assert seen[0].content == b"1"


class Flaky:
    """A store that answers with these statuses, one after the other; 0: the connection is lost."""

    def __init__(self, *statuses: int) -> None:
        self.left = list(statuses)
        self.seen: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        status = self.left.pop(0)
        if status == 0:
            raise httpx2.ReadError("reset")
        return httpx2.Response(status)


@pytest.mark.parametrize("statuses", [(503, 200), (0, 200), (500, 502, 201), (0, 412), (503, 409)])
def test_a_passing_trouble_is_outlived(statuses: tuple[int, ...]) -> None:
    store = Flaky(*statuses)
    put(httpx2.MockTransport(store))
    assert len(store.seen) == len(statuses)
    # An object that is there after a lost answer is ours.
    assert {one.headers["content-md5"] for one in store.seen} == {"xMpCOKC5I4INzFCab3WEmw=="}


@pytest.mark.parametrize("statuses", [(503, 503, 503), (0, 0, 0), (412,), (409,), (400,), (503, 403)])
def test_a_lasting_trouble_is_told(statuses: tuple[int, ...]) -> None:
    store = Flaky(*statuses)
    with pytest.raises(ServiceError) as caught:
        put(httpx2.MockTransport(store))
    assert caught.value.code is ErrorCode.STORAGE_FAILED
    assert store.left == []


@pytest.mark.parametrize("status", [301, 403, 500])
def test_whatever_is_not_success_is_storage_failed(status: int) -> None:
    answer = httpx2.Response(status, headers={"location": "http://elsewhere/"})
    with pytest.raises(ServiceError) as caught:
        put(httpx2.MockTransport(lambda _request: answer))
    assert caught.value.code is ErrorCode.STORAGE_FAILED


def test_a_store_that_does_not_answer_is_storage_failed() -> None:
    async def silent(_request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(ServiceError) as caught:
        put(httpx2.MockTransport(silent), timedelta(milliseconds=20))
    assert caught.value.code is ErrorCode.STORAGE_FAILED
