"""Which addresses are on the public internet: our own table, because `ipaddress.is_global` differs by patch release."""

import ipaddress

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Sources: IANA special-purpose registries for IPv4 and IPv6; 168.63.129.16 is Azure's host agent.
_REFUSED_V4 = {
    "this network": "0.0.0.0/8",
    "private 10/8": "10.0.0.0/8",
    "carrier NAT": "100.64.0.0/10",
    "loopback": "127.0.0.0/8",
    "cloud host agent": "168.63.129.16/32",
    "link-local and metadata": "169.254.0.0/16",
    "private 172.16/12": "172.16.0.0/12",
    "protocol assignments": "192.0.0.0/24",
    "documentation 1": "192.0.2.0/24",
    "6to4 relays": "192.88.99.0/24",
    "private 192.168/16": "192.168.0.0/16",
    "benchmarking": "198.18.0.0/15",
    "documentation 2": "198.51.100.0/24",
    "documentation 3": "203.0.113.0/24",
    "multicast": "224.0.0.0/4",
    "reserved and broadcast": "240.0.0.0/4",
}
# Only 2000::/3 is allocated to hosts on the internet; mapped, compatible and NAT64 forms all lie outside it.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = {
    "protocol assignments, Teredo": "2001::/23",
    "documentation": "2001:db8::/32",
    "6to4": "2002::/16",
    "documentation 2": "3fff::/20",
}

_V4 = [(name, ipaddress.IPv4Network(network)) for name, network in _REFUSED_V4.items()]
_V6 = [(name, ipaddress.IPv6Network(network)) for name, network in _REFUSED_V6.items()]


def judge(address: IPAddress) -> str | None:
    """Return the name of the range for which `address` is refused, for the log; None when it is public."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((name for name, network in _V4 if address in network), None)
    if address.scope_id is not None:
        return "zone id"
    if address not in _UNICAST_V6:
        return "not global unicast"
    return next((name for name, network in _V6 if address in network), None)
