"""Which limits hold for a request."""

import functools
import ipaddress
from dataclasses import dataclass

from gateway.limits.gcra import Limit
from gateway.rates import OFF, Rate


@dataclass(frozen=True)
class Asker:
    """Who asks. Empty parts have no limit; a plan may bring rates of its own."""

    address: str = ""
    tenant_id: str = ""
    key_id: str = ""


@dataclass(frozen=True)
class Rates:
    """What a key, a tenant and an address may ask."""

    key: Rate
    tenant: Rate
    address: Rate

    def limits(self, asker: Asker) -> list[Limit]:
        """Return the limits of one request, the narrowest circle first."""
        named = (
            ("key", self.key, asker.key_id),
            ("tenant", self.tenant, asker.tenant_id),
            ("address", self.address, network(asker.address)),
        )
        return [
            Limit(name, f"{name}:{whom}", rate.quota, rate.window_s, rate.burst)
            for name, rate, whom in named
            if whom and rate != OFF
        ]


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
