"""Where webhooks may go: judged when they are named, again before each attempt, and where the connection is opened."""

import ipaddress
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from contracts.errors import ErrorCode
from gateway.deliveries.sending import Attempt, Verdict, post
from gateway.deliveries.targets import checked
from runtime.addresses import IPAddress, judge
from runtime.dialing import DialLimits, PatientDial, PinnedDial
from runtime.errors import ServiceError
from runtime.guarded import GuardedTransport
from runtime.netguard import AddressPolicy
from tests.fixtures.receiver import Receiver, receiving

pytestmark = pytest.mark.anyio

PUBLIC = "93.184.215.14"
CLOSED = AddressPolicy()

FORBIDDEN = [
    "https://127.0.0.1/",
    "https://10.0.0.5/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://0.0.0.0/",
    "https://0177.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://①②⑦.0.0.1/",
    "https://127.0.0.1。/",
    "https://10.0.0.5./",
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:db8::1]/",
    "https://localhost/",
    "https://a.localhost/",
    "https://metadata.google.internal/",
    "https://kubernetes.default.svc/",
    "https://postgres/",
    "https://printer.local/",
    "https://hooks.test:22/",
    "https://hooks.test:5432/",
    "https://hooks.test:6379/",
    "http://hooks.test/",
    "HTTP://hooks.test/",
    "file:///etc/passwd",
    "gopher://hooks.test/",
    "javascript:alert(1)",
    "https://good.test@10.0.0.5/",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_what_is_not_on_the_public_internet_or_not_https_is_refused(url: str) -> None:
    with pytest.raises(ServiceError) as caught:
        checked(CLOSED, url)
    assert caught.value.code is ErrorCode.URL_FORBIDDEN


@pytest.mark.parametrize("url", ["https:///x", "https://good.test\\@10.0.0.5/", "//hooks.test/", "https://a b/", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ServiceError) as caught:
        checked(CLOSED, url)
    assert caught.value.code is ErrorCode.URL_INVALID


def test_https_on_the_public_internet_is_taken_in_canonical_form() -> None:
    assert checked(CLOSED, " HTTPS://Hooks.Test:443/a?b=c ") == "https://hooks.test/a?b=c"
    assert checked(CLOSED, "https://8.8.8.8/") == "https://8.8.8.8/"


def test_http_is_for_private_hosts_that_the_operator_named() -> None:
    named = AddressPolicy.from_setting("127.0.0.1:5678,n8n.internal")
    assert checked(named, "http://127.0.0.1:5678/webhook") == "http://127.0.0.1:5678/webhook"
    assert checked(named, "http://n8n.internal/webhook") == "http://n8n.internal/webhook"
    for url in ("http://127.0.0.1:5679/", "http://hooks.test/"):
        with pytest.raises(ServiceError):
            checked(named, url)


class Turns:
    """A resolver that answers each question with the next list; the last one stays."""

    def __init__(self, *turns: list[str]) -> None:
        self.turns = list(turns)
        self.asked = 0

    async def resolve(self, _: str) -> list[IPAddress]:
        self.asked += 1
        turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        return [ipaddress.ip_address(address) for address in turn]


@pytest.fixture
async def canary() -> AsyncIterator[Receiver]:
    """A service of ours on a private address, which no webhook may reach."""
    async with receiving() as running:
        yield running


async def _nothing() -> None:
    """Nothing to close."""


async def attempted(policy: AddressPolicy, resolver: Turns, port: int, times: int = 1) -> list[Attempt]:
    dial = PatientDial(PinnedDial(policy, resolver, DialLimits(attempt_s=0.2, connect_s=0.4)))
    transport = GuardedTransport(dial, job_id="shared-test", connections=2, close=_nothing)
    url = f"http://hooks.test:{port}/"
    found = [await post(transport, url, b"{}", {}, timedelta(seconds=2)) for _ in range(times)]
    await transport.aclose()
    return found


def policy_for(port: int, public: str = "") -> AddressPolicy:
    """The product's own table; `public` plays the internet, to show that an attack would land without its defence."""

    def play(address: IPAddress) -> str | None:
        return None if str(address) == public else judge(address)

    return AddressPolicy(extra_ports=frozenset({port}), judge=play)


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], ["::ffff:127.0.0.1"], ["::1", PUBLIC]],
)
async def test_a_name_that_leads_inside_is_never_dialled(canary: Receiver, answers: list[str]) -> None:
    (attempt,) = await attempted(policy_for(canary.port), Turns(answers), canary.port)
    assert (attempt.verdict, attempt.error) == (Verdict.FAILED, ErrorCode.URL_FORBIDDEN)
    assert "127.0.0.1" not in attempt.detail
    assert canary.got == []


async def test_a_name_that_turns_inside_after_it_was_registered_is_never_dialled(canary: Receiver) -> None:
    resolver = Turns(["127.0.0.2"], ["127.0.0.1"])
    attempts = await attempted(policy_for(canary.port, "127.0.0.2"), resolver, canary.port, times=2)
    # The first turn is public, and nobody listens there; the second is the canary.
    assert [attempt.error for attempt in attempts] == [ErrorCode.TARGET_REFUSED, ErrorCode.URL_FORBIDDEN]
    assert resolver.asked == 2, "one question for each connection: what was judged is what is dialled"
    assert canary.got == []


async def test_the_same_attack_lands_without_the_table(canary: Receiver) -> None:
    (attempt,) = await attempted(policy_for(canary.port, "127.0.0.1"), Turns(["127.0.0.1"]), canary.port)
    assert attempt.verdict is Verdict.DELIVERED
    assert len(canary.got) == 1
