"""The egress service over real sockets: who may use it, what it remembers of each job, how it ends."""

import asyncio
import base64
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from contracts.errors import ErrorCode
from renderer.egress import EgressLimits, EgressProxy, Refusal, Traffic
from renderer.egress.message import read_request
from renderer.egress.server import EgressServer, Jobs, control_app
from renderer.egress.settings import EgressSettings
from runtime.dialing import DialLimits
from runtime.errors import ServiceError
from runtime.guarded import guarded_transport
from runtime.netguard import AddressPolicy
from runtime.tunnels import ProxyAddress
from tests.fixtures.network import Client, Script, client, client_of, names, refusal_of, site

pytestmark = pytest.mark.anyio
HOST = "shop.test"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


def as_job(job: str) -> str:
    return f"Proxy-Authorization: Basic {base64.b64encode(f'{job}:'.encode()).decode()}"


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[tuple[EgressServer, httpx2.AsyncClient]]:  # noqa: ANN401  # any setting
    """Run the service with `HOST` on loopback; also give a client of its control port."""
    values = {"port": 0, "egress_control_port": 0, "egress_drain_s": 5, **settings}
    server = EgressServer(EgressSettings(**values), Script({HOST: [["127.0.0.2"]], "inside.example": [["10.0.0.5"]]}))
    transport = httpx2.ASGITransport(app=control_app(server))
    async with server.running(), httpx2.AsyncClient(transport=transport, base_url="http://control") as control:
        yield server, control


async def test_a_job_is_served_counted_and_told_of() -> None:
    async with site() as shop, serving(egress_allow_private=f"{HOST}:{shop.port}") as (server, control):
        for _ in range(2):
            async with client_of(server.port) as renderer:
                assert (await renderer.get(f"http://{HOST}:{shop.port}/", as_job("one"))).status == 200
        async with client_of(server.port) as renderer:
            assert (await renderer.get("http://10.0.0.5/", as_job("one"))).refused == "url_forbidden"
        async with client_of(server.port) as renderer:
            assert (await renderer.get("http://inside.example/", as_job("one"))).refused == "url_forbidden"
        told = (await control.get("/jobs/one")).json()
        assert (told["job"], told["requests"]) == ("one", 4)
        assert told["bytes_in"] > 0
        assert told["refused"] == [
            {"host": "10.0.0.5", "port": 80, "code": "url_forbidden"},
            {"host": "inside.example", "port": 80, "code": "url_forbidden"},
        ]
        assert (await control.get("/jobs/two")).status_code == 404
    assert b"authorization" not in shop.requests[0].lower()


async def test_health_and_metrics() -> None:
    async with serving() as (_, control):
        answers = [await control.get(path) for path in ("/livez", "/readyz", "/metrics")]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "cro_egress_connections_total" in answers[2].text


@pytest.mark.parametrize(
    "header", ["X: y", "Proxy-Authorization: Bearer x", "Proxy-Authorization: Basic !", as_job("")]
)
async def test_who_names_no_job_is_asked_to(header: str) -> None:
    async with (
        site() as shop,
        serving(egress_allow_private=f"{HOST}:{shop.port}") as (server, _),
        client_of(server.port) as stranger,
    ):
        answer = await stranger.get(f"http://{HOST}:{shop.port}/", header)
    assert (answer.status, answer.refused, shop.connections) == (407, "unauthenticated", 0)
    assert answer.headers["proxy-authenticate"].startswith("basic")


async def test_a_client_from_elsewhere_is_closed_unanswered() -> None:
    async with site() as shop:
        settings = {"egress_allow_private": f"{HOST}:{shop.port}", "egress_allowed_clients": "10.20.0.0/16"}
        async with serving(**settings) as (server, _), client_of(server.port) as stranger:
            with pytest.raises((OSError, EOFError)):
                await stranger.get(f"http://{HOST}:{shop.port}/", as_job("one"))
    assert shop.connections == 0


async def test_budgets_are_each_jobs_own() -> None:
    async with (
        site() as shop,
        serving(egress_allow_private=f"{HOST}:{shop.port}", egress_job_requests=2) as (server, _),
        client_of(server.port) as renderer,
    ):
        url = f"http://{HOST}:{shop.port}/"
        answers = [await renderer.get(url, as_job(job)) for job in ("one", "two", "one", "two", "one")]
    assert [answer.refused for answer in answers] == [None] * 4 + ["target_too_large"]


async def test_the_clients_of_many_jobs_are_held_to_no_budget_of_one() -> None:
    async with (
        site() as shop,
        serving(egress_allow_private=f"{HOST}:{shop.port}", egress_job_requests=1) as (server, _),
        client_of(server.port) as renderer,
    ):
        url = f"http://{HOST}:{shop.port}/"
        assert [(await renderer.get(url, as_job("shared-fetch"))).status for _ in range(3)] == [200] * 3


def test_jobs_are_forgotten_when_they_were_not_seen_for_long() -> None:
    now = 0.0
    jobs = Jobs(EgressLimits(job_s=10), clock=lambda: now)

    def ask(job: str) -> Traffic:
        return jobs.identify(read_request(f"CONNECT a.example:443 HTTP/1.1\r\n{as_job(job)}\r\n\r\n".encode()))

    shared, one = ask("shared-fetch"), ask("one")
    now = 15
    assert ask("shared-fetch") is shared
    now = 21
    assert ask("two") is ask("two")
    with pytest.raises(ServiceError):
        jobs.find("one")
    assert ask("one") is not one
    assert ask("shared-fetch") is shared


async def test_a_jobs_time_runs_out() -> None:
    async with site() as shop, serving(egress_allow_private=f"{HOST}:{shop.port}", egress_job_s=0.2) as (server, _):
        async with client_of(server.port) as renderer:
            await renderer.send(f"CONNECT {HOST}:{shop.port} HTTP/1.1\r\n{as_job('one')}\r\n\r\n".encode())
            assert (await renderer.head()).status == 200
            with pytest.raises((OSError, EOFError)):
                await renderer.reader.readexactly(1)
        async with client_of(server.port) as renderer:
            late = await renderer.get(f"http://{HOST}:{shop.port}/", as_job("one"))
        assert late.refused == "target_timeout"
        assert server.jobs.find("one").verdict(HOST) is ErrorCode.TARGET_TIMEOUT


async def test_the_service_does_not_connect_to_itself() -> None:
    settings = {"egress_allow_private": "127.0.0.1", "egress_extra_ports": "9399", "port": 9399}
    async with serving(**settings) as (server, _), client_of(server.port) as renderer:
        answer = await renderer.get("http://127.0.0.1:9399/", as_job("one"))
    assert answer.refused == "url_forbidden"


async def test_it_ends_after_the_exchange_in_progress() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read()

    async def stop(running: Any) -> None:  # noqa: ANN401  # a context manager
        await running.__aexit__(None, None, None)

    async with site(slow) as shop:
        running = serving(egress_allow_private=f"{HOST}:{shop.port}")
        server, _ = await running.__aenter__()
        async with client_of(server.port) as idle, client_of(server.port) as busy:
            asking = asyncio.create_task(busy.get(f"http://{HOST}:{shop.port}/", as_job("one")))
            await asked.wait()
            stopping = asyncio.create_task(stop(running))
            assert await idle.reader.read() == b""
            go.set()
            assert (await asking).body == b"ok"
            await stopping
            assert await busy.reader.read() == b""


@asynccontextmanager
async def way_out(server_port: int, policy: AddressPolicy) -> AsyncIterator[tuple[Any, Client]]:
    """Give a browser's listener whose connections are the service's, its traffic and a client of it."""
    egress = EgressProxy(policy, EgressLimits(), service=ProxyAddress("127.0.0.1", server_port))
    listener = await egress.listener()
    traffic = listener.begin("job")
    async with client(listener) as browser:
        yield traffic, browser
    await egress.aclose()


async def test_a_renderers_listener_goes_through_it_and_keeps_its_verdicts() -> None:
    async with site() as shop, serving(egress_allow_private=f"{HOST}:{shop.port}") as (server, control):
        named = AddressPolicy.from_setting(f"{HOST}:{shop.port}")
        async with way_out(server.port, named) as (traffic, browser):
            assert (await browser.get(f"http://{HOST}:{shop.port}/")).status == 200
            told = (await control.get(f"/jobs/{traffic.token}")).json()
            assert (told["requests"], told["bytes_in"]) == (1, traffic.bytes_in)
        for url, code in (
            ("http://inside.example/", ErrorCode.URL_FORBIDDEN),
            ("http://unknown.example/", ErrorCode.TARGET_DNS),
        ):
            async with way_out(server.port, named) as (traffic, browser):
                answer = await browser.get(url)
                assert answer.refused == code
                assert traffic.blocked == [Refusal(url[7:-1], 80, code)]
                assert b"10.0.0.5" not in answer.body


async def test_our_own_requests_go_through_it_as_well() -> None:
    async with site() as shop, serving(egress_allow_private=f"{HOST}:{shop.port}") as (server, control):
        service = ProxyAddress("127.0.0.1", server.port)
        transport = guarded_transport(
            AddressPolicy.from_setting(f"{HOST}:{shop.port}"),
            DialLimits(),
            job_id="shared-webhooks",
            connections=5,
            service=service,
        )
        async with httpx2.AsyncClient(transport=transport) as sender:
            assert (await sender.post(f"http://{HOST}:{shop.port}/hook")).status_code == 200
            with pytest.raises(ServiceError) as caught:
                await sender.post("http://inside.example/hook")
        assert caught.value.code is ErrorCode.URL_FORBIDDEN
        assert "10.0.0.5" not in caught.value.detail + caught.value.reason
        told = (await control.get("/jobs/shared-webhooks")).json()
        assert (told["requests"], [refused["host"] for refused in told["refused"]]) == (2, ["inside.example"])


async def test_when_it_is_down_nothing_goes_past_it() -> None:
    async with serving() as (server, _):
        port = server.port
    async with site() as shop:
        async with way_out(port, AddressPolicy.from_setting(f"127.0.0.2:{shop.port}")) as (traffic, browser):
            answer = await browser.get(f"http://127.0.0.2:{shop.port}/")
        assert (answer.status, answer.refused) == (503, "unavailable")
        assert traffic.blocked == [Refusal("127.0.0.2", shop.port, ErrorCode.UNAVAILABLE)]
    assert shop.connections == 0


async def test_a_proxy_that_is_not_ours_is_not_taken_for_a_verdict() -> None:
    async def other(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with site(other, "127.0.0.1") as squid, way_out(squid.port, AddressPolicy()) as (_, browser):
        assert (await browser.get("http://a.example/")).refused == "unavailable"


@asynccontextmanager
async def corporate(answer: bytes) -> AsyncIterator[tuple[list[bytes], int]]:
    """An operator's proxy that notes what it is asked and answers as told; then it echoes in capitals."""
    asked: list[bytes] = []

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        while data := await reader.read(65_536):
            writer.write(data.upper())

    async with site(serve, "127.0.0.1") as proxy:
        yield asked, proxy.port


async def test_an_upstream_proxy_is_told_judged_addresses_only() -> None:
    async with corporate(b"HTTP/1.1 200 OK\r\n\r\n") as (asked, port):
        settings = EgressSettings(egress_upstream_proxy=SecretStr(f"http://us%40x:p%3Aw@127.0.0.1:{port}"))
        resolver = Script({"good.example": [["93.184.216.34"]], "bad.example": [["93.184.216.34", "10.0.0.5"]]})
        egress = EgressProxy(settings.policy(), settings.limits(), resolver, reach=settings.reach())
        listener = await egress.listener()
        listener.begin("job")
        async with client(listener) as browser:
            assert (await browser.connect("good.example:443")).status == 200
            await browser.send(b"hello")
            assert await browser.reader.readexactly(5) == b"HELLO"
        assert await refusal_of(listener, "http://bad.example/") == "url_forbidden"
        await egress.aclose()
    credentials = base64.b64encode(b"us@x:p:w")
    assert len(asked) == 1
    assert asked[0].startswith(b"CONNECT 93.184.216.34:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + credentials in asked[0]


@pytest.mark.parametrize(("status", "code"), [(502, "target_refused"), (403, "target_refused"), (407, "unavailable")])
async def test_an_upstream_proxys_refusal_is_typed(status: int, code: str) -> None:
    async with corporate(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status) as (_, port):
        settings = EgressSettings(egress_upstream_proxy=SecretStr(f"http://127.0.0.1:{port}"))
        egress = EgressProxy(AddressPolicy(judge=lambda _: None), resolver=names("a.example"), reach=settings.reach())
        listener = await egress.listener()
        listener.begin("job")
        assert await refusal_of(listener, "http://a.example/") == code
        await egress.aclose()


@pytest.mark.parametrize(
    "setting",
    [
        {"egress_upstream_proxy": "https://secret:hush@proxy:1"},
        {"egress_upstream_proxy": "proxy"},
        {"egress_extra_ports": "http"},
        {"egress_own_ranges": "1.2.3"},
        {"egress_allowed_clients": "everyone"},
        {"egress_allow_private": "a b"},
    ],
)
def test_settings_that_cannot_be_read_are_refused_without_their_secret(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 validation error") as caught:
        EgressSettings(**setting)
    assert "hush" not in str(caught.value)
