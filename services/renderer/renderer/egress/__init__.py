"""The proxy that every byte of Chromium passes: resolve once, judge every address, dial the judged one."""

from renderer.egress.budget import EgressLimits, Refusal, Traffic
from renderer.egress.proxy import EgressProxy, Listener

__all__ = [
    "EgressLimits",
    "EgressProxy",
    "Listener",
    "Refusal",
    "Traffic",
]
