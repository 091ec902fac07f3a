"""Where a request comes from: who really asks, behind proxies that are named."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from starlette.types import Scope

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def networks(setting: str) -> tuple[Network, ...]:
    """Parse `10.0.0.0/8,fd00::/8`. Raises `ValueError`."""
    return tuple(ipaddress.ip_network(part.strip()) for part in setting.split(",") if part.strip())


@dataclass(frozen=True)
class Proxies:
    """Networks whose word about the client is taken."""

    trusted: tuple[Network, ...]

    def trusts(self, address: Address | None) -> bool:
        """Say whether a proxy of ours stands at `address`."""
        return address is not None and any(address in network for network in self.trusted)

    def trusts_text(self, peer: str) -> bool:
        """Say so for an address as a socket names it."""
        return self.trusts(read(peer))

    def client(self, peer: str, forwarded: Sequence[bytes]) -> str:
        """Return the client's address: the right-most entry of `forwarded` that no proxy of ours wrote down for itself.

        Everything to the left of it is the client's own invention. What cannot be read ends the search: then the last
        address that could be believed counts.
        """
        believed = read(peer)
        if not self.trusts(believed):
            return peer
        for entry in reversed(b",".join(forwarded).split(b",")):
            address = read(entry.decode("latin-1").strip())
            if address is None:
                break
            believed = address
            if not self.trusts(address):
                break
        return str(believed)


def read(text: str) -> Address | None:
    """Read an address as proxies write it: bare, `[v6]`, with a port."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def address_of(scope: Scope) -> str:
    """Return the caller's address: what the doorway worked out from trusted proxies, where it did, else the peer's."""
    told = scope.get("state", {}).get("client_address")
    return str(told or (scope.get("client") or ("",))[0])
