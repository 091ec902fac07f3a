"""What the proxy lets through and what it refuses, asked over real sockets."""

import asyncio
from asyncio import StreamReader, StreamWriter

import pytest
from structlog.testing import capture_logs

from contracts.errors import ErrorCode
from renderer.egress import EgressLimits, EgressProxy, Refusal
from runtime.addresses import IPAddress
from runtime.netguard import AddressPolicy
from tests.fixtures.network import Script, client, names, policy, proxy, refusal_of, site

pytestmark = pytest.mark.anyio
FORBIDDEN = ErrorCode.URL_FORBIDDEN


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


LITERALS = [
    *["127.0.0.1", "10.0.0.5", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.100.100.200"],
    *["168.63.129.16", "198.18.0.1", "224.0.0.1", "255.255.255.255", "2130706433", "0x7f.1", "127.1", "0177.0.0.1"],
    *["[::1]", "[::]", "[fd00:ec2::254]", "[fe80::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]"],
    *["[2002:7f00:1::1]", "localhost", "a.localhost", "printer", "db.internal", "kubernetes.default.svc"],
]


@pytest.mark.parametrize("host", LITERALS)
async def test_private_hosts_are_refused_without_a_lookup(host: str) -> None:
    resolver = Script({})
    async with proxy(AddressPolicy(), resolver) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            answer = await browser.get(f"http://{host}/")
        async with client(listener) as browser:
            tunnel = await browser.connect(f"{host}:443")
    assert (answer.status, answer.refused, tunnel.status, tunnel.refused) == (403, FORBIDDEN, 403, FORBIDDEN)
    assert b"public internet" in answer.body
    assert [refusal.port for refusal in traffic.blocked] == [80, 443]
    assert resolver.asked == []


async def test_a_public_answer_is_dialled_and_a_private_one_is_not() -> None:
    async with site() as inside:
        resolver = Script({"good.example": [["127.0.0.2"]], "bad.example": [["127.0.0.3"]]})
        async with proxy(policy(inside.port), resolver) as listener:
            traffic = listener.begin("job")
            assert await refusal_of(listener, f"http://good.example:{inside.port}/") is None
            assert inside.connections == 1
            assert await refusal_of(listener, f"http://bad.example:{inside.port}/") == FORBIDDEN
    assert traffic.verdict("bad.example") is FORBIDDEN
    assert traffic.verdict("BAD.example", inside.port) is FORBIDDEN
    assert traffic.verdict("bad.example", 443) is None
    assert traffic.verdict("good.example") is None


@pytest.mark.parametrize("private", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "::ffff:127.0.0.2"])
async def test_one_private_answer_refuses_all_and_is_not_told(private: str) -> None:
    async with (
        site() as canary,
        proxy(policy(canary.port), Script({"a.example": [["127.0.0.2", private]]})) as listener,
    ):
        traffic = listener.begin("job")
        async with client(listener) as browser:
            answer = await browser.get(f"http://a.example:{canary.port}/")
    assert (answer.status, answer.refused, canary.connections) == (403, FORBIDDEN, 0)
    assert private.encode() not in answer.body
    assert private not in repr(answer.headers) + repr(traffic.blocked)


async def test_each_connection_is_one_lookup_and_a_rebound_name_is_refused() -> None:
    async with site(address="127.0.0.1") as canary, site() as inside:
        resolver = Script({"turns.example": [["127.0.0.2"], ["127.0.0.1"]]})
        async with proxy(policy(canary.port, inside.port), resolver) as listener:
            listener.begin("job")
            assert await refusal_of(listener, f"http://turns.example:{inside.port}/") is None
            assert resolver.asked == ["turns.example"]
            assert await refusal_of(listener, f"http://turns.example:{canary.port}/") == FORBIDDEN
            assert resolver.asked == ["turns.example"] * 2
    assert (inside.connections, canary.connections) == (1, 0)


async def test_a_kept_connection_stays_on_its_judged_address() -> None:
    resolver = Script({"turns.example": [["127.0.0.2"], ["127.0.0.1"]]})
    async with site() as inside, proxy(policy(inside.port), resolver) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            answers = [await browser.get(f"http://turns.example:{inside.port}/{n}") for n in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert (inside.connections, resolver.asked) == (1, ["turns.example"])


async def test_a_second_host_on_a_kept_connection_is_judged_anew() -> None:
    async with site() as inside, site(address="127.0.0.1") as canary:
        resolver = Script({"good.example": [["127.0.0.2"]], "bad.example": [["127.0.0.1"]]})
        async with proxy(policy(inside.port, canary.port), resolver) as listener:
            listener.begin("job")
            async with client(listener) as browser:
                first = await browser.get(f"http://good.example:{inside.port}/")
                second = await browser.get(f"http://bad.example:{canary.port}/")
    assert (first.status, second.status, second.refused, canary.connections) == (200, 403, FORBIDDEN, 0)


async def test_a_smuggled_second_request_is_judged() -> None:
    async with site() as inside, proxy(policy(inside.port), names("good.example")) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            both = f"GET http://good.example:{inside.port}/ HTTP/1.1\r\n\r\nGET http://10.0.0.5/ HTTP/1.1\r\n\r\n"
            await browser.send(both.encode())
            first, second = await browser.answer(), await browser.answer()
    assert (first.status, second.status) == (200, 403)
    assert len(inside.requests) == 1


@pytest.mark.parametrize(
    "head",
    [
        "GET /origin-form HTTP/1.1",
        "CONNECT a@b:443 HTTP/1.1",
        f"CONNECT {'a.' * 150}b:443 HTTP/1.1",
        "CONNECT good.example\x00:443 HTTP/1.1",
        "TRACE http://good.example/ HTTP/1.1",
        "POST http://good.example/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        "GET http://good.example/ HTTP/1.1\r\nX: " + "a" * 70_000,
    ],
    ids=range(7),
)
async def test_what_cannot_be_read_is_refused_unopened(head: str) -> None:
    resolver = names("good.example")
    async with proxy(policy(), resolver) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            await browser.send(head.encode() + b"\r\n\r\nGET http://good.example/ HTTP/1.1\r\n\r\n")
            answer = await browser.answer()
            assert (answer.status, answer.refused) == (400, "invalid_request")
            assert await browser.reader.read() == b""
    assert resolver.asked == []


async def test_a_redirect_is_passed_on_and_its_goal_judged() -> None:
    async def redirect(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with site(redirect) as inside, proxy(policy(inside.port), names("good.example")) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            first = await browser.get(f"http://good.example:{inside.port}/")
            second = await browser.get(first.headers["location"])
    assert (first.status, second.status, second.refused) == (302, 403, FORBIDDEN)
    assert traffic.blocked == [Refusal("169.254.169.254", 80, FORBIDDEN)]


@pytest.mark.parametrize("port", [22, 25, 6379, 5432, 9200, 10250, 2375])
async def test_other_ports_are_refused(port: int) -> None:
    async with proxy(policy(), names("good.example")) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            assert (await browser.connect(f"good.example:{port}")).status == 403


async def test_a_named_private_host_is_opened_and_logged_once_per_job() -> None:
    async with site(address="127.0.0.1") as shop:
        named = AddressPolicy.from_setting(f"127.0.0.1:{shop.port},shop.test:{shop.port}")
        async with proxy(named, Script({"shop.test": [["127.0.0.1"]]})) as listener:
            with capture_logs() as events:
                for job in ("one", "two"):
                    listener.begin(job)
                    urls = [f"http://{host}:{shop.port}/" for host in ("127.0.0.1", "shop.test", "shop.test")]
                    assert [await refusal_of(listener, url) for url in urls] == [None] * 3
                assert await refusal_of(listener, f"http://localhost:{shop.port}/") == FORBIDDEN
    uses = [(e["job_id"], e["host"]) for e in events if e["event"] == "egress_private_allowed"]
    assert uses == [("one", "127.0.0.1"), ("one", "shop.test"), ("two", "127.0.0.1"), ("two", "shop.test")]


async def test_the_proxy_does_not_connect_to_itself() -> None:
    hosts = ("127.0.0.1", "me.test", "six.test")
    named = AddressPolicy(frozenset((host, None) for host in hosts), frozenset(range(1024, 65536)))
    egress = EgressProxy(
        named, EgressLimits(), Script({"me.test": [["127.0.0.1"]], "six.test": [["::ffff:127.0.0.1"]]})
    )
    listener, other = await egress.listener(), await egress.listener()
    traffic = listener.begin("job")
    other.begin("another")
    urls = [f"http://{host}:{port}/" for host in hosts for port in (listener.port, other.port)]
    assert [await refusal_of(listener, url) for url in urls] == [FORBIDDEN] * 6
    assert len(traffic.blocked) == 6
    async with site(address="127.0.0.1") as shop:
        assert await refusal_of(listener, f"http://me.test:{shop.port}/") is None
    await egress.aclose()


async def test_calls_of_the_browser_itself_are_refused_apart() -> None:
    async with proxy(policy(), names("update.googleapis.com")) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            answer = await browser.connect("update.googleapis.com:443")
        async with client(listener) as browser:
            await browser.connect("clients2.google.com.:443")
    assert answer.status == 403
    assert (traffic.background, traffic.requests, traffic.blocked) == (2, 0, [])


async def test_nothing_passes_before_a_job() -> None:
    async with site() as inside, proxy(policy(inside.port), names("good.example")) as listener:
        async with client(listener) as browser:
            with pytest.raises((OSError, EOFError)):
                await browser.get(f"http://good.example:{inside.port}/")
        assert inside.connections == 0


async def test_an_unknown_or_silent_name_is_told_apart_from_a_refusal() -> None:
    async with site() as closed:
        pass
    async with proxy(policy(closed.port), names("closed.example")) as listener:
        traffic = listener.begin("job")
        async with client(listener) as browser:
            unknown = await browser.get("http://unknown.example/")
        async with client(listener) as browser:
            refused = await browser.connect(f"closed.example:{closed.port}")
    assert (unknown.status, unknown.refused) == (502, "target_dns")
    assert (refused.status, refused.refused) == (502, "target_refused")
    assert traffic.verdict("unknown.example") is ErrorCode.TARGET_DNS
    assert traffic.verdict("closed.example") is ErrorCode.TARGET_REFUSED


async def test_the_next_answer_is_tried_when_one_refuses() -> None:
    async with site() as inside:
        many = AddressPolicy(extra_ports=frozenset({inside.port}), judge=lambda _: None)
        async with proxy(many, Script({"two.example": [["::1", "127.0.0.9", "127.0.0.2"]]})) as listener:
            listener.begin("job")
            assert await refusal_of(listener, f"http://two.example:{inside.port}/") is None
    assert inside.connections == 1


async def test_a_resolver_that_never_answers_is_a_timeout() -> None:
    class Silent:
        async def resolve(self, host: str) -> list[IPAddress]:
            await asyncio.Event().wait()
            raise AssertionError(host)

    async with proxy(policy(), Silent(), EgressLimits(connect_s=0.05)) as listener:
        listener.begin("job")
        async with client(listener) as browser:
            answer = await browser.get("http://slow.example/")
    assert (answer.status, answer.refused) == (504, "target_timeout")
