"""Our own HTTP requests: judged like a page's, over real sockets."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter

import httpx2
import pytest
import trustme

from contracts.errors import ErrorCode
from renderer.egress import EgressProxy
from renderer.egress.client import ClientLimits, guarded_client
from runtime.addresses import IPAddress
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy
from tests.fixtures.network import Script, names, policy, site

pytestmark = pytest.mark.anyio
HOST = "good.example"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


async def refusal(client: httpx2.AsyncClient, url: str) -> ErrorCode:
    with pytest.raises(ServiceError) as caught:
        await client.get(url)
    return caught.value.code


async def test_it_fetches_keeps_connections_and_does_not_follow() -> None:
    async def redirect(reader: StreamReader, writer: StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.5/\r\nContent-Length: 2\r\n\r\nok")

    async with site(redirect) as inside, guarded_client(policy(inside.port), resolver=names(HOST)) as client:
        answers = [await client.get(f"http://{HOST}:{inside.port}/{n}") for n in range(3)]
        assert [(answer.status_code, answer.content) for answer in answers] == [(302, b"ok")] * 3
        assert await refusal(client, answers[0].headers["location"]) is ErrorCode.URL_FORBIDDEN
    assert inside.connections == 1


@pytest.mark.parametrize(
    "url",
    [
        *["http://127.0.0.1/", "http://169.254.169.254/", "http://[::ffff:10.0.0.5]/", "http://localhost/"],
        *["http://2130706433/", "https://10.0.0.5/", f"http://{HOST}:22/", "http://mixed.example/"],
    ],
)
async def test_what_a_page_may_not_open_it_does_not(url: str) -> None:
    resolver = Script({HOST: [["127.0.0.2"]], "mixed.example": [["127.0.0.2", "10.0.0.5"]]})
    async with guarded_client(policy(), resolver=resolver) as client:
        assert await refusal(client, url) is ErrorCode.URL_FORBIDDEN


async def test_failures_have_their_codes() -> None:
    async with site() as closed:
        pass
    async with guarded_client(policy(closed.port), resolver=names(HOST)) as client:
        assert await refusal(client, "http://unknown.example/") is ErrorCode.TARGET_DNS
        assert await refusal(client, f"http://{HOST}:{closed.port}/") is ErrorCode.TARGET_REFUSED


async def test_a_silent_name_server_is_a_timeout_and_is_asked_once() -> None:
    class Silent(Script):
        async def resolve(self, host: str) -> list[IPAddress]:
            self.asked.append(host)
            await asyncio.Event().wait()
            return []

    silent = Silent({})
    async with guarded_client(policy(), ClientLimits(connect_s=0.05), resolver=silent) as client:
        for _ in range(2):
            assert await refusal(client, "http://slow.example/") is ErrorCode.TARGET_TIMEOUT
    assert silent.asked == ["slow.example"]


async def test_a_name_that_turns_private_is_refused_at_the_next_connection() -> None:
    async def once(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    resolver = Script({HOST: [["127.0.0.2"], ["127.0.0.1"]]})
    async with site(once) as inside, guarded_client(policy(inside.port), resolver=resolver) as client:
        assert (await client.get(f"http://{HOST}:{inside.port}/")).status_code == 200
        assert await refusal(client, f"http://{HOST}:{inside.port}/") is ErrorCode.URL_FORBIDDEN
    assert inside.connections == 1


async def test_a_site_that_breaks_off_is_the_librarys_error() -> None:
    async def broken(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        await writer.drain()

    async with site(broken) as inside, guarded_client(policy(inside.port), resolver=names(HOST)) as client:
        with pytest.raises(httpx2.HTTPError):
            await client.get(f"http://{HOST}:{inside.port}/")


async def test_a_silent_site_is_the_librarys_timeout() -> None:
    async def silent(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read()
        writer.close()

    limits = ClientLimits(read_s=0.05)
    async with site(silent) as inside, guarded_client(policy(inside.port), limits, resolver=names(HOST)) as client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.get(f"http://{HOST}:{inside.port}/")


async def test_tls_is_checked_against_the_name_and_carries_large_bodies() -> None:
    authority = trustme.CA()
    server, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(HOST).configure_cert(server)
    authority.configure_trust(trust)
    body = bytes(range(256)) * 8_000

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()

    async with site(serve, tls=server) as inside:
        both, urls = names(HOST, "other.example"), [f"https://{h}:{inside.port}/" for h in (HOST, "other.example")]
        async with guarded_client(policy(inside.port), resolver=both, trust=trust) as client:
            assert [(await client.get(urls[0])).content == body for _ in range(2)] == [True, True]
            assert await refusal(client, urls[1]) is ErrorCode.TARGET_TLS
        async with guarded_client(policy(inside.port), resolver=both) as stranger:
            assert await refusal(stranger, urls[0]) is ErrorCode.TARGET_TLS


async def test_it_can_leave_by_the_way_out_that_pages_use() -> None:
    async with site() as inside:
        egress = EgressProxy(policy(inside.port), resolver=names(HOST))
        async with guarded_client(policy(inside.port), dial=egress.dial) as client:
            assert (await client.get(f"http://{HOST}:{inside.port}/")).status_code == 200
            assert await refusal(client, "http://10.0.0.5/") is ErrorCode.URL_FORBIDDEN
        await egress.aclose()


async def test_without_a_resolver_the_systems_is_asked() -> None:
    async with site(address="127.0.0.1") as inside:
        named = AddressPolicy.from_setting(f"localhost:{inside.port}")
        async with guarded_client(named) as client:
            assert (await client.get(f"http://localhost:{inside.port}/")).status_code == 200
            assert await refusal(client, "http://no-such-name.invalid/") is ErrorCode.TARGET_DNS
