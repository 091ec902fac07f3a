"""The HTTP client of the fetch tier: what it may open is judged like what a page opens."""

import ssl
from dataclasses import dataclass

import httpx2

from runtime.dialing import DialLimits, PatientDial, PinnedDial
from runtime.guarded import GuardedTransport
from runtime.netguard import AddressPolicy
from runtime.resolver import OwnResolver, Resolver


@dataclass(frozen=True)
class ClientLimits:
    """Connections open at once, and the waits of one request in seconds; what a response may weigh is the caller's."""

    connections: int = 500
    connect_s: float = 10
    attempt_s: float = 4
    read_s: float = 15
    pool_s: float = 15


DEFAULT_LIMITS = ClientLimits()


def guarded_client(
    policy: AddressPolicy,
    limits: ClientLimits = DEFAULT_LIMITS,
    *,
    resolver: Resolver | None = None,
    trust: ssl.SSLContext | None = None,
) -> httpx2.AsyncClient:
    """Make a client that opens only what `policy` allows; redirects are the caller's to follow.

    `resolver` replaces the system's, `trust` the machine's certificate authorities. Calls raise `ServiceError` where no
    connection may be or can be had (URL_FORBIDDEN, TARGET_DNS, TARGET_REFUSED, TARGET_TIMEOUT, TARGET_TLS), and
    `httpx2.HTTPError` for what goes wrong on an open one.
    """
    own = OwnResolver()
    dial = PinnedDial(policy, resolver or own, DialLimits(limits.connect_s, limits.attempt_s))
    transport = GuardedTransport(
        PatientDial(dial), job_id="fetch", connections=limits.connections, close=own.aclose, trust=trust
    )
    waits = httpx2.Timeout(limits.read_s, connect=None, pool=limits.pool_s)
    return httpx2.AsyncClient(transport=transport, timeout=waits, trust_env=False, follow_redirects=False)
