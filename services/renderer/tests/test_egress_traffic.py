"""How bytes travel through the proxy: tunnels, bodies, budgets, broken sites, many at once."""

import asyncio
from asyncio import StreamReader, StreamWriter

import pytest
from prometheus_client import REGISTRY

from contracts.errors import ErrorCode
from renderer.egress import EgressLimits, Refusal
from runtime.addresses import IPAddress
from runtime.netguard import AddressPolicy
from tests.fixtures.network import client, names, policy, proxy, refusal_of, site

pytestmark = pytest.mark.anyio
HOST = "good.example"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


async def shout(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer in capitals, and say a last word after the other side has ended."""
    while data := await reader.read(65_536):
        writer.write(data.upper())
        await writer.drain()
    writer.write(b"BYE")
    writer.write_eof()


async def head_only(reader: StreamReader, writer: StreamWriter) -> None:
    """Promise a hundred bytes, send three, and break."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    await writer.drain()


async def test_a_tunnel_carries_both_ways_and_survives_a_half_close() -> None:
    async with site(shout) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            assert (await browser.connect(f"{HOST}:{inside.port}")).status == 200
            await browser.send(b"hello")
            assert await browser.reader.readexactly(5) == b"HELLO"
            browser.writer.write_eof()
            assert await browser.reader.read() == b"BYE"
    assert (traffic.requests, traffic.bytes_in, traffic.bytes_out, traffic.blocked) == (1, 8, 5, [])


async def test_a_megabyte_passes_unchanged_through_a_slow_reader() -> None:
    async with site(shout) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            await browser.connect(f"{HOST}:{inside.port}")
            sent = bytes(range(97, 123)) * 400_000
            sending = asyncio.create_task(browser.send(sent))
            assert await browser.reader.readexactly(len(sent)) == sent.upper()
            await sending


async def test_a_plain_websocket_is_upgraded_and_then_a_tunnel() -> None:
    seen: list[bytes] = []

    async def accept(reader: StreamReader, writer: StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        await shout(reader, writer)

    async with site(accept) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            headers = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: abc"
            await browser.send(f"GET http://{HOST}:{inside.port}/ws HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
            answer = await browser.head()
            assert (answer.status, answer.headers["upgrade"], answer.headers["connection"]) == (
                101,
                "websocket",
                "upgrade",
            )
            await browser.send(b"frame")
            assert await browser.reader.readexactly(5) == b"FRAME"
    assert b"Upgrade: websocket" in seen[0]
    assert b"Sec-WebSocket-Key: abc" in seen[0]


async def test_an_upgrade_that_nobody_asked_for_is_refused() -> None:
    async def upgrade(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        await reader.read()

    async with site(upgrade) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        listener.begin("job")
        assert await refusal_of(listener, f"http://{HOST}:{inside.port}/") == "target_refused"


async def test_bodies_of_every_framing_arrive_whole() -> None:
    replies = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n%x\r\n" % 100_000
        + b"d" * 100_000
        + b"\r\n0\r\nX-Trailer: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    ]

    async def scripted(reader: StreamReader, writer: StreamWriter) -> None:
        for reply in replies:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            await writer.drain()

    async with site(scripted) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        listener.begin("job")
        ask = f"GET http://{HOST}:{inside.port}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        async with client(listener) as browser:
            await browser.send(ask)
            head = await browser.head()
            assert (head.headers["transfer-encoding"], head.headers["connection"]) == ("chunked", "keep-alive")
            chunks = await browser.reader.readuntil(b"\r\n0\r\n\r\n")
            assert chunks == b"3\r\nabc\r\n186a0\r\n" + b"d" * 100_000 + b"\r\n0\r\n\r\n"
            await browser.send(ask)
            assert (await browser.answer()).body == b"abc"
            await browser.send(ask)
            assert [(await browser.head()).status, (await browser.head()).status] == [103, 204]
            await browser.send(ask)
            last = await browser.head()
            assert last.headers["connection"] == "close"
            assert await browser.reader.read() == b"until the end"
    assert inside.connections == 1


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Content-Length: 200000"])
async def test_request_bodies_arrive_whole(framing: str) -> None:
    got: list[bytes] = []

    async def take(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        got.append(await (reader.readuntil(b"0\r\n\r\n") if chunked else reader.readexactly(200_000)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    body = b"x" * 200_000
    chunked = framing.endswith("chunked")
    wire = b"30d40\r\n" + body + b"\r\n0\r\n\r\n" if chunked else body
    async with site(take) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            await browser.send(f"POST http://{HOST}:{inside.port}/ HTTP/1.1\r\n{framing}\r\n\r\n".encode() + wire)
            assert (await browser.answer()).status == 200
    assert got == [wire]


async def test_a_reset_in_mid_body_is_seen_as_one_and_remembered() -> None:
    async with site(head_only) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            with pytest.raises((EOFError, OSError)):
                await browser.get(f"http://{HOST}:{inside.port}/")
    assert traffic.blocked == [Refusal(HOST, inside.port, ErrorCode.TARGET_REFUSED)]


async def test_a_site_that_closes_a_kept_connection_costs_the_site_no_blame() -> None:
    closed = asyncio.Event()

    async def once(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        closed.set()

    async with site(once) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            await browser.get(f"http://{HOST}:{inside.port}/")
            with pytest.raises((EOFError, OSError)):
                await browser.get(f"http://{HOST}:{inside.port}/")
    assert closed.is_set()
    assert traffic.blocked == []


async def test_a_silent_site_times_out_and_an_idle_connection_is_closed() -> None:
    async def silent(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read()

    async with site(silent) as inside, proxy(policy(inside.port), names(HOST), EgressLimits(idle_s=0.3)) as listener:
        traffic = listener.begin("job")
        assert await refusal_of(listener, f"http://{HOST}:{inside.port}/") == "target_timeout"
        async with client(listener) as browser:
            await browser.connect(f"{HOST}:{inside.port}")
            with pytest.raises(ConnectionResetError):
                await browser.reader.readexactly(1)
        async with client(listener) as browser:
            assert await browser.reader.read() == b""
    assert traffic.blocked == [Refusal(HOST, inside.port, ErrorCode.TARGET_TIMEOUT)]


async def test_an_idle_tunnel_is_closed_without_blame() -> None:
    async with site(shout) as inside, proxy(policy(inside.port), names(HOST), EgressLimits(idle_s=0.3)) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            await browser.connect(f"{HOST}:{inside.port}")
            await browser.send(b"a")
            assert await browser.reader.readexactly(1) == b"A"
            with pytest.raises(ConnectionResetError):
                await browser.reader.readexactly(1)
    assert traffic.blocked == []


async def test_a_browser_that_leaves_costs_the_site_no_blame() -> None:
    left = asyncio.Event()

    async def endless(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        finally:
            left.set()

    async with site(endless) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            await browser.connect(f"{HOST}:{inside.port}")
            await browser.reader.readexactly(1)
            browser.writer.transport.abort()
            await left.wait()
    assert traffic.blocked == []


async def test_a_site_that_never_answers_is_dropped_when_the_browser_leaves() -> None:
    asked, dropped = asyncio.Event(), asyncio.Event()

    async def never(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        try:
            await reader.read()
        finally:
            dropped.set()

    async with site(never) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            await browser.send(f"GET http://{HOST}:{inside.port}/never HTTP/1.1\r\n\r\n".encode())
            await asked.wait()
        async with asyncio.timeout(5):  # far below the 30 s after which a silent site is dropped anyway
            await dropped.wait()
    assert traffic.blocked == []


async def test_a_dial_is_given_up_when_the_browser_leaves() -> None:
    asked, dropped = asyncio.Event(), asyncio.Event()

    class Silent:
        async def resolve(self, host: str) -> list[IPAddress]:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                dropped.set()
            raise AssertionError(host)

    async with proxy(policy(), Silent()) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            await browser.send(b"GET http://a.example/ HTTP/1.1\r\n\r\n")
            await asked.wait()
        async with asyncio.timeout(5):
            await dropped.wait()


async def test_the_time_budget_ends_what_is_open_and_what_follows() -> None:
    async def endless(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    limits = EgressLimits(job_s=0.3)
    async with site(endless) as inside, proxy(policy(inside.port), names(HOST), limits) as listener:
        traffic = listener.begin("job")
        url = f"http://{HOST}:{inside.port}/"
        async with client(listener) as browser:
            await browser.send(f"GET {url} HTTP/1.1\r\n\r\n".encode())
            with pytest.raises((EOFError, OSError)):
                await browser.reader.readexactly(1_000_000_000)
        assert await refusal_of(listener, url) == "target_timeout"
        assert inside.connections == 1
        assert traffic.blocked == [Refusal(HOST, inside.port, ErrorCode.TARGET_TIMEOUT)]


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
async def test_the_byte_budget_ends_a_download_and_what_follows(method: str) -> None:
    async def big(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
        await writer.drain()
        await reader.read()

    limits = EgressLimits(bytes=100_000)
    async with site(big) as inside, proxy(policy(inside.port), names(HOST), limits) as listener:
        traffic = listener.begin("job")
        url = f"http://{HOST}:{inside.port}/"
        async with client(listener) as browser:
            if method == "CONNECT":
                await browser.connect(f"{HOST}:{inside.port}")
            await browser.send(f"GET {url} HTTP/1.1\r\n\r\n".encode())
            with pytest.raises((EOFError, OSError)):
                await browser.reader.readexactly(1_000_000)
        assert traffic.verdict(HOST) is ErrorCode.TARGET_TOO_LARGE
        assert await refusal_of(listener, url) == "target_too_large"
        assert inside.connections == 1
        assert traffic.bytes_in < 100_000 + 2 * 65_536
        listener.begin("next")
        async with client(listener) as browser:
            await browser.send(f"GET {url} HTTP/1.1\r\n\r\n".encode())
            assert (await browser.head()).status == 200


async def test_the_byte_budget_covers_uploads() -> None:
    async def sink(reader: StreamReader, writer: StreamWriter) -> None:
        while await reader.read(65_536):
            pass

    async with site(sink) as inside, proxy(policy(inside.port), names(HOST), EgressLimits(bytes=100_000)) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            head = f"POST http://{HOST}:{inside.port}/ HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"
            browser.writer.write(head.encode() + b"x" * 300_000)
            assert (await browser.answer()).refused == "target_too_large"
    assert traffic.blocked == [Refusal(HOST, inside.port, ErrorCode.TARGET_TOO_LARGE)]


async def test_the_request_budget_is_per_job() -> None:
    async with site() as inside, proxy(policy(inside.port), names(HOST), EgressLimits(requests=3)) as listener:
        url = f"http://{HOST}:{inside.port}/"
        for job in ("one", "two"):
            traffic = listener.begin(job)
            assert [await refusal_of(listener, url) for _ in range(4)] == [None] * 3 + ["target_too_large"]
            assert traffic.requests == 3


async def test_a_new_job_drops_the_connections_of_the_one_before() -> None:
    async with site(shout) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        before = listener.begin("one")
        async with client(listener) as browser:
            await browser.connect(f"{HOST}:{inside.port}")
            after = listener.begin("two")
            with pytest.raises((EOFError, OSError)):
                await browser.reader.readexactly(1)
    assert (before.requests, after.requests, before.blocked) == (1, 0, [])


async def test_closing_drops_what_is_open() -> None:
    async with site(shout) as inside:
        async with proxy(policy(inside.port), names(HOST)) as listener:
            listener.begin("job")
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(f"CONNECT {HOST}:{inside.port} HTTP/1.1\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
        with pytest.raises((EOFError, OSError)):
            await reader.readexactly(1)
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", listener.port)


async def test_a_hundred_connections_at_once() -> None:
    arrived = 0
    everyone = asyncio.Event()

    async def meet(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal arrived
        arrived += 1
        if arrived == 100:
            everyone.set()
        await everyone.wait()
        await shout(reader, writer)

    async def visit(number: int) -> bytes:
        async with client(listener) as browser:
            await browser.connect(f"{HOST}:{inside.port}")
            await browser.send(b"visitor %03d" % number)
            return await browser.reader.readexactly(11)

    async with site(meet) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        traffic = listener.begin("job")
        heard = await asyncio.gather(*(visit(number) for number in range(100)))
    assert heard == [b"VISITOR %03d" % number for number in range(100)]
    assert (traffic.requests, traffic.bytes_in) == (100, 1_100)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_connections_bytes_and_refusals_are_counted() -> None:
    def read() -> list[float]:
        return [
            metric("cro_egress_connections_total"),
            metric("cro_egress_bytes_total", direction="in"),
            metric("cro_egress_bytes_total", direction="out"),
            metric("cro_egress_refusals_total", code="url_forbidden"),
            metric("cro_egress_background_total"),
        ]

    before = read()
    async with site(shout) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            await browser.connect(f"{HOST}:{inside.port}")
            await browser.send(b"abc")
            await browser.reader.readexactly(3)
        await refusal_of(listener, "http://10.0.0.5/")
        await refusal_of(listener, "http://update.googleapis.com/")
    assert [after - start for after, start in zip(read(), before, strict=True)] == [3, 3 + 3, 3, 1, 1]
    assert metric("cro_egress_active_connections") == 0


@pytest.mark.parametrize("body", [b"zz\r\nabc\r\n", b"3\r\nabcX\r\n", b"-1\r\n"])
async def test_broken_chunks_end_the_exchange(body: bytes) -> None:
    async def broken(reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        await reader.read()

    async with site(broken) as inside, proxy(policy(inside.port), names(HOST)) as listener:
        traffic = listener.begin("job")
        url = f"http://{HOST}:{inside.port}/"
        async with client(listener) as browser:
            await browser.send(f"GET {url} HTTP/1.1\r\n\r\n".encode())
            await browser.head()
            with pytest.raises(ConnectionResetError):
                await browser.reader.readuntil(b"0\r\n\r\n")
        async with client(listener) as browser:
            await browser.send(f"POST {url} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body)
            assert (await browser.answer()).refused == "invalid_request"
    assert [refusal.code for refusal in traffic.blocked] == [ErrorCode.TARGET_REFUSED, ErrorCode.INVALID_REQUEST]


async def test_what_is_remembered_of_refusals_is_bounded_and_distinct() -> None:
    async with proxy(policy(), limits=EgressLimits(requests=3)) as listener:
        traffic = listener.begin("job")
        for last in (1, 2, 1, 3, 4, 5):
            await refusal_of(listener, f"http://10.0.0.{last}/")
    assert [refusal.host for refusal in traffic.blocked] == ["10.0.0.2", "10.0.0.1", "10.0.0.3"]
    assert traffic.verdict("10.0.0.5") is None


async def test_without_a_resolver_the_systems_is_asked() -> None:
    async with site(address="127.0.0.1") as inside:
        named = AddressPolicy.from_setting(f"localhost:{inside.port}")
        async with proxy(named) as listener:
            listener.begin("job")
            assert await refusal_of(listener, f"http://localhost:{inside.port}/") is None
            assert await refusal_of(listener, "http://no-such-name.invalid/") == "target_dns"
    assert inside.connections == 1
