"""The egress service: the proxy on a network port, jobs told apart by their credentials, and what it tells of them."""

import ipaddress
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from prometheus_client import Counter

from contracts.errors import ErrorCode
from contracts.wire import Wire
from renderer.egress.budget import EgressLimits, Traffic
from renderer.egress.dial import Gate
from renderer.egress.doorway import Doorway
from renderer.egress.message import Request
from renderer.egress.settings import EgressSettings
from runtime.addresses import IPNetwork
from runtime.dialing import DialLimits, PatientDial, PinnedDial
from runtime.errors import ServiceError
from runtime.resolver import OwnResolver, Resolver
from runtime.web import service_app

log = structlog.get_logger(__name__)

STRANGERS = Counter("cro_egress_strangers_total", "Connections from clients that are not allowed")
STRANGER = "egress_client_not_allowed"
STARTED = "egress_started"

# A client whose connections serve many jobs is held to no budget of one: it caps each response itself.
SHARED = "shared-"
_MAX_USER = 200
_MAX_JOBS = 10_000
_UNBOUNDED = 1 << 62


class Jobs:
    """The traffic of each job that was seen lately, by its token."""

    def __init__(self, limits: EgressLimits, clock: Callable[[], float] = time.monotonic) -> None:
        """Hold each job to `limits`."""
        self._limits = limits
        self._clock = clock
        # In order of last use.
        self._known: dict[str, tuple[Traffic, float]] = {}

    def identify(self, request: Request) -> Traffic:
        """Return the traffic that `request` is charged to. Raises `ServiceError` UNAUTHENTICATED without a token."""
        token = request.user
        if not token or len(token) > _MAX_USER:
            detail = "Name the job in the proxy credentials: http://JOB:@host:port."
            raise ServiceError(ErrorCode.UNAUTHENTICATED, detail)
        known = self._known.pop(token, None)
        traffic = known[0] if known else self._begin(token)
        self._known[token] = traffic, self._clock()
        return traffic

    def find(self, token: str) -> Traffic:
        """Return a job's traffic. Raises `ServiceError` NOT_FOUND."""
        if token not in self._known:
            raise ServiceError(ErrorCode.NOT_FOUND, "No such job was seen lately.")
        return self._known[token][0]

    def _begin(self, token: str) -> Traffic:
        while self._known and (len(self._known) >= _MAX_JOBS or self._oldest_is_over()):
            del self._known[next(iter(self._known))]
        return Traffic(token, self._shared() if token.startswith(SHARED) else self._limits)

    def _oldest_is_over(self) -> bool:
        # Kept twice as long as a job may last: one that comes back too late is told so, not given fresh budgets.
        _, used = next(iter(self._known.values()))
        return used + 2 * self._limits.job_s < self._clock()

    def _shared(self) -> EgressLimits:
        return EgressLimits(bytes=_UNBOUNDED, requests=_UNBOUNDED, job_s=_UNBOUNDED)


class RefusedHost(Wire):
    """A host that a job could not open, and why."""

    host: str
    port: int
    code: ErrorCode


class JobTraffic(Wire):
    """What a job has used and what it was refused."""

    job: str
    requests: int
    bytes_in: int
    bytes_out: int
    refused: list[RefusedHost]


class EgressServer:
    """The proxy's network port."""

    def __init__(self, settings: EgressSettings, resolver: Resolver | None = None) -> None:
        """Nothing listens before `running`. `resolver` replaces the system's."""
        self._settings = settings
        self._own = OwnResolver()
        self._clients = settings.clients()
        self._ports: set[int] = {settings.egress_control_port} - {0}
        limits, policy = settings.limits(), settings.policy()
        self.jobs = Jobs(limits)
        waits = DialLimits(limits.connect_s, limits.attempt_s)
        dial = PinnedDial(policy, resolver or self._own, waits, self._ports, settings.reach())
        gate = Gate(policy, limits, PatientDial(dial))
        self._door = Doorway(gate, self.jobs.identify, self._welcome, room=settings.egress_connections)
        self._told: set[str] = set()

    @property
    def port(self) -> int:
        """The proxy's port; 0 before it listens."""
        return self._door.port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen; at the end let open connections finish. Raises `ServiceError` when the port cannot be had."""
        host, port = self._settings.host, self._settings.port
        try:
            await self._door.start(host, port)
        except OSError as exc:
            detail = f"Cannot listen on {host} port {port}: {exc.strerror or exc}. Choose another with PORT=…"
            raise ServiceError(ErrorCode.UNAVAILABLE, detail) from exc
        self._ports.add(self.port)
        if self._settings.egress_allow_private:
            log.warning("private_hosts_allowed", hosts=self._settings.egress_allow_private)
        log.info(STARTED, host=host, port=self.port)
        try:
            yield
        finally:
            await self._door.drain(self._settings.egress_drain_s)
            await self._door.aclose()
            await self._own.aclose()

    def _welcome(self, peer: str) -> bool:
        if _among(peer, self._clients):
            return True
        STRANGERS.inc()
        if peer not in self._told and len(self._told) < _MAX_JOBS:
            self._told.add(peer)
            log.warning(STRANGER, peer=peer, remedy="name its network in EGRESS_ALLOWED_CLIENTS")
        return False


def _among(peer: str, networks: Collection[IPNetwork]) -> bool:
    address = ipaddress.ip_address(peer.partition("%")[0])
    # A socket that listens on :: shows IPv4 clients in their mapped form.
    plain = (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
    return any(plain in network for network in networks)


def control_app(server: EgressServer) -> FastAPI:
    """Make the application on the control port; its lifespan runs the proxy."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with server.running():
            yield

    async def ready() -> None:
        if not server.port:
            raise ServiceError(ErrorCode.UNAVAILABLE, "The proxy does not listen yet.", retry_after_s=1)

    app = service_app("egress", ready=ready, lifespan=lifespan, title="CRO Analyzer egress", version="0.1.0")

    @app.get("/jobs/{token}", summary="What a job has used of the network, and what it was refused")
    async def job(token: str) -> JobTraffic:
        traffic = server.jobs.find(token)
        refused = [RefusedHost(host=r.host, port=r.port, code=r.code) for r in traffic.blocked]
        return JobTraffic(
            job=token,
            requests=traffic.requests,
            bytes_in=traffic.bytes_in,
            bytes_out=traffic.bytes_out,
            refused=refused,
        )

    return app
