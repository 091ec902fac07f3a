"""The proxy in the renderer's process: one loopback listener per browser slot, one job at a time on each."""

from collections.abc import Callable

from renderer.egress.budget import NOBODY, EgressLimits, Traffic
from renderer.egress.dial import Gate
from renderer.egress.doorway import Doorway
from renderer.egress.message import Request
from runtime.dialing import Dial, DialLimits, PatientDial, PinnedDial, Reach, reach_directly
from runtime.netguard import AddressPolicy
from runtime.resolver import OwnResolver, Resolver
from runtime.tunnels import JudgedElsewhere, ProxyAddress

_LOOPBACK = "127.0.0.1"
_DEFAULT_LIMITS = EgressLimits()


class Listener:
    """A proxy address for one browser. Until `begin` names a job, every connection is closed unanswered."""

    def __init__(self, gate: Gate, forget: Callable[["Listener"], None]) -> None:
        """Use `EgressProxy.listener`."""
        self._limits = gate.limits
        self._forget = forget
        self._traffic = NOBODY
        self._door = Doorway(gate, self._current, self._working)

    @property
    def port(self) -> int:
        """The loopback port; 0 before `start`."""
        return self._door.port

    @property
    def url(self) -> str:
        """What Chromium's `--proxy-server` takes."""
        return f"http://{_LOOPBACK}:{self.port}"

    def begin(self, job_id: str) -> Traffic:
        """Start a job with fresh budgets; the connections of the one before are dropped."""
        self._door.drop()
        self._traffic = Traffic(job_id, self._limits)
        return self._traffic

    async def start(self) -> None:
        """Listen on a free loopback port."""
        await self._door.start(_LOOPBACK, 0)

    async def aclose(self) -> None:
        """Stop listening and drop every connection."""
        self._forget(self)
        await self._door.aclose()

    def _current(self, _request: Request) -> Traffic:
        return self._traffic

    def _working(self, _peer: str) -> bool:
        return self._traffic is not NOBODY


class EgressProxy:
    """All listeners of one renderer, and the dial that they share, which the renderer's own requests use too."""

    def __init__(
        self,
        policy: AddressPolicy,
        limits: EgressLimits = _DEFAULT_LIMITS,
        resolver: Resolver | None = None,
        *,
        reach: Reach = reach_directly,
        service: ProxyAddress | None = None,
    ) -> None:
        """Enforce `policy`; without a `resolver` ask the system's, with a cache.

        With a `service`, that egress service resolves, judges and dials, and nothing goes past it when it is down.
        """
        self._own = OwnResolver()
        self._listeners: set[Listener] = set()
        self._ports: set[int] = set()
        waits = DialLimits(limits.connect_s, limits.attempt_s)
        pinned = PinnedDial(policy, resolver or self._own, waits, self._ports, reach)
        self.dial: Dial = PatientDial(JudgedElsewhere(service, policy, waits) if service else pinned)
        self._gate = Gate(policy, limits, self.dial)

    async def listener(self) -> Listener:
        """Open a proxy address for one more browser."""
        listener = Listener(self._gate, self._remove)
        await listener.start()
        self._listeners.add(listener)
        self._ports.add(listener.port)
        return listener

    async def aclose(self) -> None:
        """Close every listener and stop resolving."""
        for listener in list(self._listeners):
            await listener.aclose()
        await self._own.aclose()

    def _remove(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        self._ports.discard(listener.port)
