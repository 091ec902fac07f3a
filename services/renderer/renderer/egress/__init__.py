"""The proxy that every byte of Chromium passes: resolve once, judge every address, dial the judged one."""

from renderer.egress.budget import EgressLimits, Refusal, Traffic
from renderer.egress.proxy import EgressProxy, Listener
from renderer.egress.resolver import CachingResolver, Resolver, SystemResolver

__all__ = [
    "CachingResolver",
    "EgressLimits",
    "EgressProxy",
    "Listener",
    "Refusal",
    "Resolver",
    "SystemResolver",
    "Traffic",
]
