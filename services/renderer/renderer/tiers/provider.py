"""The unblocker: any HTTP proxy provider, reached through the egress policy as one more judged destination."""

import ssl
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import ada_url
import httpx2

from contracts.errors import ErrorCode
from renderer.egress.client import ClientLimits
from runtime.dialing import Dial, DialLimits, Line, PinnedDial
from runtime.errors import ServiceError
from runtime.guarded import GuardedTransport
from runtime.netguard import AddressPolicy
from runtime.resolver import OwnResolver

_DEFAULT_PORT = {"http:": 80, "https:": 443}


@dataclass(frozen=True)
class Provider:
    """Where the provider listens and what one page through it costs."""

    scheme: str
    host: str
    port: int
    username: str
    password: str
    price: Decimal

    @classmethod
    def parse(cls, url: str, price: Decimal) -> "Provider":
        """Read `http://user:password@host:port`. Raises `ServiceError` when it is no such address."""
        try:
            parsed = ada_url.URL(url)
            default = _DEFAULT_PORT[parsed.protocol]
        except (ValueError, KeyError) as exc:
            # The text itself may hold a password: it is in no message.
            detail = "UNBLOCKER_PROXY_URL is not an address such as http://user:password@proxy.example:8000."
            raise ServiceError(ErrorCode.UNAVAILABLE, detail) from exc
        return cls(
            scheme=parsed.protocol.removesuffix(":"),
            host=parsed.hostname.strip("[]"),
            port=int(parsed.port) if parsed.port else default,
            username=unquote(parsed.username),
            password=unquote(parsed.password),
            price=price,
        )


def provider_client(
    provider: Provider, policy: AddressPolicy, limits: ClientLimits, authority: Path | None
) -> httpx2.AsyncClient:
    """Make a client whose requests go through `provider`; `authority` is a PEM file of its own certificates.

    The provider's address is resolved, judged and pinned like any other; only its port is allowed in addition.
    """
    only = AddressPolicy(private=policy.private, extra_ports=frozenset({provider.port}), own_ranges=policy.own_ranges)
    own = OwnResolver()
    trust = _trust(authority)
    host = f"[{provider.host}]" if ":" in provider.host else provider.host
    auth = (provider.username, provider.password) if provider.username else None
    own_tls = trust if provider.scheme == "https" else None
    transport = GuardedTransport(
        _ProviderDial(PinnedDial(only, own, DialLimits(limits.connect_s, limits.attempt_s))),
        job_id="unblocker",
        connections=limits.connections,
        close=own.aclose,
        trust=trust,
        through=httpx2.Proxy(f"{provider.scheme}://{host}:{provider.port}", auth=auth, ssl_context=own_tls),
    )
    return httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)


class _ProviderDial:
    """A provider that cannot be reached is not the site's failure."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial

    async def __call__(self, host: str, port: int, job_id: str) -> Line:
        try:
            return await self._dial(host, port, job_id)
        except ServiceError as exc:
            detail = "The unblocker's provider cannot be reached. Try again later."
            raise ServiceError(ErrorCode.UNAVAILABLE, detail, reason=f"{exc.code}: {exc.reason}") from exc


def _trust(authority: Path | None) -> ssl.SSLContext:
    context = httpx2.create_ssl_context(trust_env=False)
    if authority:
        context.load_verify_locations(cafile=str(authority))
    return context
