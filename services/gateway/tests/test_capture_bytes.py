"""`POST /v1/captures` as users of screenshot services call it: the bytes are the answer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest
from contracts.render import Warning as Lack
from gateway.captures import endpoints
from gateway.tables import jobs
from runtime.errors import ServiceError
from tests.fixtures.fleet import CONTENTS, JPEG
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"


@pytest.mark.parametrize(
    ("accept", "served", "made"),
    [
        ("image/*", "image/jpeg", JPEG),
        ("image/jpeg", "image/jpeg", JPEG),
        ("image/png", "image/png", JPEG),
        ("image/avif,image/webp,*/*;q=0.8", "image/webp", JPEG),
        ("text/html", "text/html; charset=utf-8", CONTENTS["html"]),
        ("text/markdown", "text/markdown; charset=utf-8", CONTENTS["markdown"]),
        ("text/plain, application/json;q=0.5", "text/plain; charset=utf-8", CONTENTS["text"]),
        ("application/pdf", "application/pdf", CONTENTS["pdf"]),
    ],
)
async def test_what_is_accepted_is_made_and_is_the_answer(
    working: Platform, accept: str, served: str, made: bytes
) -> None:
    answer = await working.http.post("/v1/captures", json={"url": URL}, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, served), answer.text
    assert answer.content == made
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    told = {name: answer.headers[f"x-{name}"] for name in ("final-url", "http-status", "tier", "cost-usd", "warnings")}
    assert told == {"final-url": URL, "http-status": "200", "tier": "browser", "cost-usd": "0", "warnings": ""}
    capture = (await working.http.get(answer.headers["location"])).json()
    (artifact,) = capture["result"]["artifacts"].values()
    assert (capture["status"], artifact["bytes"]) == ("succeeded", len(made))


async def test_a_format_that_is_left_open_follows_accept(working: Platform) -> None:
    body = {"url": URL, "outputs": [{"kind": "screenshot", "area": "full_page"}]}
    answer = await working.http.post("/v1/captures", json=body, headers={"accept": "image/png"})
    assert answer.headers["content-type"] == "image/png"
    assert 'filename="screenshot.png"' in answer.headers["content-disposition"]


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/json, text/plain, */*", "text/csv;q"])
async def test_all_others_get_json(working: Platform, accept: str) -> None:
    body = {"url": URL, "wait": 60}
    answer = await working.http.post("/v1/captures", json=body, headers={"accept": accept or "*/*"})
    if accept.startswith("text/csv"):
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
        return
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    ("outputs", "accept"),
    [
        ([{"kind": "screenshot", "format": "jpeg"}], "image/png"),
        ([{"kind": "pdf"}], "image/*"),
        ([{"kind": "screenshot"}, {"kind": "pdf"}], "image/*"),
        ([{"kind": "screenshot", "area": "tiles"}], "image/*"),
        ([{"kind": "links"}], "text/html"),
        ([{"kind": "screenshot"}], "application/json;q=0, */*"),
    ],
)
async def test_what_nobody_could_read_is_not_begun(
    platform: Platform, outputs: list[dict[str, object]], accept: str
) -> None:
    answer = await platform.http.post("/v1/captures", json={"url": URL, "outputs": outputs}, headers={"accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "application/json" in answer.json()["detail"]
    assert (await platform.http.get("/v1/captures")).json()["data"] == []


async def test_the_targets_error_is_the_answers(working: Platform) -> None:
    async def refuse(_: FetchRequest) -> None:
        raise ServiceError(ErrorCode.TARGET_TLS, "The certificate has expired.")

    working.fleet.before_fetch = refuse
    answer = await working.http.post("/v1/captures", json={"url": URL}, headers={"accept": "image/*"})
    assert (answer.status_code, answer.json()["code"]) == (422, "target_tls")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await working.http.get(answer.headers["location"])).json()["status"] == "failed"


async def test_a_page_that_gave_nothing_in_time_is_no_picture(working: Platform) -> None:
    working.fleet.change_fetch = {"artifacts": {}, "partial": True, "warnings": [Lack.PICTURES_MISSING]}
    answer = await working.http.post("/v1/captures", json={"url": URL}, headers={"accept": "image/*"})
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert "pictures_missing" in answer.json()["detail"]


def held() -> tuple[Callable[[FetchRequest], Awaitable[None]], asyncio.Event]:
    gate = asyncio.Event()

    async def hold(_: FetchRequest) -> None:
        await gate.wait()

    return hold, gate


async def test_who_names_no_wait_gets_504_and_where_it_goes_on(
    working: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "BARE_WAIT_S", 1)
    working.fleet.before_fetch, gate = held()
    answer = await working.http.post("/v1/captures", json={"url": URL}, headers={"accept": "image/*"})
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert int(answer.headers["retry-after"]) > 0
    gate.set()
    capture = (await working.http.get(answer.headers["location"], params={"wait": 60})).json()
    assert capture["status"] == "succeeded"
    picture = await working.http.get(capture["result"]["artifacts"]["screenshot"]["links"]["self"])
    assert picture.content == JPEG


async def test_who_names_a_wait_gets_202(working: Platform) -> None:
    working.fleet.before_fetch, gate = held()
    headers = {"accept": "image/*", "prefer": "wait=1"}
    answer = await working.http.post("/v1/captures", json={"url": URL}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (202, "application/json")
    assert answer.headers["location"] == answer.json()["links"]["self"]
    gate.set()
    assert (await working.http.get(answer.headers["location"], params={"wait": 60})).json()["status"] == "succeeded"


async def test_who_goes_away_takes_the_work_along(working: Platform) -> None:
    """Nobody else knows the id, so nobody would ever fetch the picture."""
    begun, aborted = asyncio.Event(), asyncio.Event()

    async def hold(_: FetchRequest) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            aborted.set()
            raise

    working.fleet.before_fetch = hold
    gone = asyncio.Event()
    call = asyncio.create_task(_raw_post(working, gone))
    await begun.wait()
    gone.set()
    await call
    async with asyncio.timeout(90):
        await aborted.wait()
    async with working.parts.db.read() as db:
        assert (await db.execute(select(jobs.c.state))).scalar_one() == "cancelled"


async def _raw_post(platform: Platform, gone: asyncio.Event) -> None:
    """Speak ASGI, as a server does whose client hangs up at a time of our choice."""
    body = b'{"url": "https://shop.test/"}'
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, object]:
        message = next(messages, None)
        if message is not None:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        """Nobody is there to read."""

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/captures",
        "raw_path": b"/v1/captures",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"accept", b"image/*"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await platform.app(scope, receive, send)
