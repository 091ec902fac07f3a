"""Which limits hold for a request."""

import functools
import ipaddress
from dataclasses import dataclass, replace

from gateway.limits.gcra import Limit
from gateway.rates import OFF, Rate


@dataclass(frozen=True)
class Asker:
    """Who asks. Empty parts have no limit; a tenant's plan may bring a rate of its own: requests a minute, at once."""

    address: str = ""
    tenant_id: str = ""
    key_id: str = ""
    per_minute: int | None = None
    burst: int | None = None


@dataclass(frozen=True)
class Rates:
    """What a key, a tenant and an address may ask."""

    key: Rate
    tenant: Rate
    address: Rate

    def limits(self, asker: Asker) -> list[Limit]:
        """Return the limits of one request, the narrowest circle first; a plan's rate goes before the usual one."""
        named = (
            ("key", self.key, asker.key_id),
            ("tenant", self.tenant, asker.tenant_id),
            ("address", self.address, network(asker.address)),
        )
        return [
            _of_plan(limit, asker) if name == "tenant" else limit
            for name, rate, whom in named
            if whom and rate != OFF
            for limit in [Limit(name, f"{name}:{whom}", rate.quota, rate.window_s, rate.burst)]
        ]


def _of_plan(usual: Limit, asker: Asker) -> Limit:
    if asker.per_minute is None:
        return usual
    return replace(usual, quota=asker.per_minute, window_s=60, burst=asker.burst or asker.per_minute)


@functools.lru_cache(10_000)
def network(address: str) -> str:
    """Return what one customer has of the net: an IPv4 address, an IPv6 /64. Empty for loopback and what is none.

    Loopback is a developer, or a proxy that TRUSTED_PROXIES does not name and everybody stands behind.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None) or found
    if mapped.is_loopback:
        return ""
    return str(ipaddress.ip_network((mapped, 64), strict=False)) if mapped.version == 6 else str(mapped)  # noqa: PLR2004  # its name
