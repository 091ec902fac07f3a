"""What never reaches a route: too much, too slow, too deep, too many; and whose address counts."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.app import create_app
from gateway.edge import bodies
from gateway.edge.addresses import Proxies, networks
from gateway.limits.policy import network
from gateway.settings import GatewaySettings
from tests.fixtures.gateway import BASE, Platform

pytestmark = pytest.mark.anyio

URL = {"url": "https://shop.test/"}


def refused(answer: httpx2.Response) -> tuple[int, str]:
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == problem["request_id"]
    assert "x-process-time" in answer.headers
    return answer.status_code, problem["code"]


async def test_a_large_body_is_refused_by_its_announcement(platform: Platform) -> None:
    answer = await platform.http.post("/v1/analyses", content=b"x" * 1_048_577)
    assert refused(answer) == (413, "payload_too_large")
    assert answer.headers["connection"] == "close"


async def pieces(number: int, piece: bytes) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield piece


async def test_a_large_body_without_announcement_is_refused_while_it_streams(platform: Platform) -> None:
    answer = await platform.http.post("/v1/analyses", content=pieces(20, b"x" * 65_536))
    assert refused(answer) == (413, "payload_too_large")


async def test_uploads_have_a_limit_of_their_own(platform: Platform) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    small = await platform.http.post("/v1/analyses", content=pieces(30, b"x" * 65_536), headers=headers)
    assert small.status_code == 422
    large = b"x" * 12_582_913
    assert refused(await platform.http.post("/v1/analyses", content=large, headers=headers)) == (
        413,
        "payload_too_large",
    )


async def test_blob_uploads_keep_to_their_own_rules(platform: Platform) -> None:
    answer = await platform.http.put("/blobs/some/key?expires=1&sig=x", content=b"x" * 2_000_000)
    assert answer.status_code == 404, "the key is looked at, not the size"


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
async def test_deep_json_is_refused_before_anybody_reads_it(platform: Platform, opening: bytes) -> None:
    answer = await platform.http.post(
        "/v1/analyses", content=opening * 100_000, headers={"content-type": "application/json"}
    )
    assert refused(answer) == (422, "invalid_request")
    assert "deep" in answer.json()["detail"]


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


DOCUMENTS = st.recursive(
    st.text() | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(document=DOCUMENTS, more=st.integers(0, 80))
@example(document='"[{\\', more=64)
@example(document={'"[': "]"}, more=63)
def test_depth_is_counted_as_json_counts_it(document: object, more: int) -> None:
    for _ in range(more):
        document = [document]
    assert bodies.too_deep(json.dumps(document).encode()) == (depth(document) > bodies.DEEPEST)


async def test_long_addresses_and_heads_are_refused(platform: Platform) -> None:
    assert refused(await platform.http.get("/v1/analyses?cursor=" + "x" * 8_200)) == (414, "url_too_long")
    many = {f"x-{number}": "y" for number in range(101)}
    assert refused(await platform.http.get("/v1/analyses", headers=many)) == (431, "headers_too_large")
    assert refused(await platform.http.get("/v1/analyses", headers={"cookie": "x" * 33_000})) == (
        431,
        "headers_too_large",
    )


async def asked(app: Callable[..., Any], headers: list[tuple[bytes, bytes]], receive: Callable[..., Any]) -> int:
    """Send one POST as a server would; return the status."""
    started: list[int] = []

    async def send(message: Any) -> None:  # noqa: ANN401  # ASGI's own
        if message["type"] == "http.response.start":
            started.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/analyses",
        "raw_path": b"/v1/analyses",
        "query_string": b"",
        "headers": headers,
        "client": ("198.51.100.7", 1),
        "server": ("gateway.test", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    await app(scope, receive, send)
    return started[0] if started else 0


@pytest.mark.parametrize("kind", [b"application/json", b"multipart/form-data; boundary=b"])
async def test_a_body_that_stops_coming_is_given_up(settings: GatewaySettings, kind: bytes) -> None:
    app = create_app(settings.model_copy(update={"body_timeout_seconds": 0.05}))
    begun = b'{"url"' if kind == b"application/json" else b"--b\r\n"
    sent = iter([{"type": "http.request", "body": begun, "more_body": True}])

    async def stalls() -> object:
        for message in sent:
            return message
        return await asyncio.Event().wait()

    assert await asked(app, [(b"content-length", b"100"), (b"content-type", kind)], stalls) == 408
    await app.state.parts.db.aclose()


async def test_a_client_that_hangs_up_in_its_body_starts_nothing(platform: Platform) -> None:
    sent = iter([{"type": "http.request", "body": b'{"url"', "more_body": True}, {"type": "http.disconnect"}])

    async def hangs_up() -> object:
        return next(sent, {"type": "http.disconnect"})

    await asked(platform.app, [(b"content-length", b"100"), (b"content-type", b"application/json")], hangs_up)
    assert (await platform.http.get("/v1/analyses")).json()["data"] == []


async def test_above_its_concurrency_a_process_refuses_at_once_and_stays_alive(settings: GatewaySettings) -> None:
    app = create_app(settings.model_copy(update={"limit_concurrency": 1}))
    let_go = asyncio.Event()
    started = asyncio.Event()

    async def slow_body() -> object:
        started.set()
        await let_go.wait()
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE, trust_env=False) as http:
        first = asyncio.create_task(asked(app, [(b"content-length", b"2")], slow_body))
        await started.wait()
        answer = await http.get("/v1/analyses")
        assert refused(answer) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await http.get(path)).status_code == 200
        let_go.set()
        assert await first == 422
        assert (await http.get("/v1/analyses")).status_code == 200
    await app.state.parts.db.aclose()


TRUSTED = Proxies(networks("10.0.0.0/8, fd00::/8,192.0.2.1/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # Nobody speaks for a peer that is no proxy of ours.
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("127.0.0.1", ["203.0.113.9"], "127.0.0.1"),
        # One proxy, and two.
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 10.2.0.4"], "203.0.113.9"),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        # What the client wrote itself stands on the left, whatever it says.
        ("10.0.0.1", ["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.9.9.9, 203.0.113.9, 192.0.2.1"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        # Ports, brackets, mapped addresses.
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        # What cannot be read ends the search: nothing behind it is believed.
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, <script>, 10.2.0.4"], "10.2.0.4"),
        ("10.0.0.1", [""], "10.0.0.1"),
        # Only proxies: the furthest of them asks for itself.
        ("10.0.0.1", ["10.3.0.3, 10.2.0.4"], "10.3.0.3"),
    ],
)
def test_the_client_is_the_right_most_address_that_is_no_proxy(peer: str, forwarded: list[str], client: str) -> None:
    assert TRUSTED.client(peer, [line.encode() for line in forwarded]) == client


@given(forged=st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20), max_size=5))
def test_nothing_that_a_client_writes_moves_its_address(forged: list[str]) -> None:
    lines = [line.encode("latin-1") for line in [*forged, "203.0.113.9"]]
    assert TRUSTED.client("10.0.0.1", lines) == "203.0.113.9"


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("testclient", ""),
        ("", ""),
    ],
)
def test_a_customer_is_an_address_or_a_small_network(address: str, known: str) -> None:
    assert network(address) == known


@pytest.mark.parametrize(("setting", "grants"), [("", 0), ("192.0.2.0/24", 2)])
async def test_limits_are_by_the_real_client_and_shown_on_every_answer(
    settings: GatewaySettings, setting: str, grants: int
) -> None:
    """One proxy, two clients: named as trusted each has its own limit, otherwise they share the proxy's."""
    changes = {"trusted_proxies": setting, "rate_limit_address": "2/60/2"}
    app = create_app(GatewaySettings(**{**settings.model_dump(), **changes}))
    transport = httpx2.ASGITransport(app=app, client=("192.0.2.1", 4711))
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, trust_env=False) as http:
        for _ in range(2):
            answer = await http.get("/v1/analyses", headers={"x-forwarded-for": "203.0.113.9"})
        assert answer.headers["ratelimit-policy"] == '"address";q=2;w=60'
        assert answer.headers["ratelimit"] == '"address";r=0;t=60'
        over = await http.post("/v1/analyses", json=URL, headers={"x-forwarded-for": "203.0.113.9"})
        assert refused(over) == (429, "rate_limited")
        assert 1 <= int(over.headers["retry-after"]) <= 30
        assert over.headers["ratelimit"].startswith('"address";r=0;t=')
        others = [await http.get("/v1/analyses/no", headers={"x-forwarded-for": "203.0.113.10"}) for _ in range(2)]
        assert [other.status_code for other in others].count(404) == grants
        assert all("ratelimit" in other.headers for other in others)
    await app.state.parts.db.aclose()


async def test_loopback_has_no_limit_and_no_headers(platform: Platform) -> None:
    assert "ratelimit" not in (await platform.http.get("/v1/analyses")).headers


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/analyses/an_1%00", 404, "not_found"),
        ("/v1/captures/cap_1/artifacts/a%00b", 404, "not_found"),
        ("/status/%00", 404, "not_found"),
        ("/v1/analyses/an_1/compare?with=an_%002", 422, "invalid_request"),
    ],
)
async def test_nul_never_reaches_the_database(platform: Platform, path: str, status: int, code: str) -> None:
    assert refused(await platform.http.get(path)) == (status, code)
