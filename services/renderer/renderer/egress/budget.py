"""What one job may use of the network, what it used, and what it was refused."""

import secrets
import time
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from prometheus_client import Counter, Gauge

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

CONNECTIONS = Counter("cro_egress_connections_total", "Connections that browsers opened to the egress proxy")
ACTIVE = Gauge("cro_egress_active_connections", "Connections of browsers that are open now")
BYTES = Counter("cro_egress_bytes_total", "Bytes that passed the egress proxy", ["direction"])
REFUSALS = Counter("cro_egress_refusals_total", "Requests that the egress proxy answered itself", ["code"])
BACKGROUND = Counter("cro_egress_background_total", "Refused calls of the browser itself, charged to no job")

_REMEMBERED = 1_000

PRIVATE_ALLOWED = "egress_private_allowed"
REFUSED = "egress_refused"


@dataclass(frozen=True)
class EgressLimits:
    """Budgets of one job (`bytes` both ways, `requests`, seconds) and waits of one connection, in seconds."""

    bytes: int = 100_000_000
    requests: int = 1_000
    job_s: float = 300
    idle_s: float = 30
    connect_s: float = 10
    attempt_s: float = 4


class Refusal(NamedTuple):
    """A request that the proxy answered itself: by policy, for a budget, or because the site was not reached."""

    host: str
    port: int
    code: ErrorCode


class Traffic:
    """One job's use of the network. Live: read it while the job runs or after."""

    def __init__(self, job_id: str, limits: EgressLimits) -> None:
        """Begin at nothing."""
        self.job_id = job_id
        # What an egress service of its own knows this job by: one try of it, so that each has its own budgets.
        self.token = f"{job_id}.{secrets.token_hex(4)}"
        self.ends = time.monotonic() + limits.job_s
        self.requests = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.background = 0
        self._limits = limits
        # An ordered set: a page may repeat one refused request a thousand times.
        self._refused: dict[Refusal, None] = {}
        self._private: set[tuple[str, int]] = set()

    @property
    def blocked(self) -> list[Refusal]:
        """Every distinct refusal, in order of its last occurrence; at most as many as requests are allowed."""
        return list(self._refused)

    def verdict(self, host: str, port: int | None = None) -> ErrorCode | None:
        """Return why `host` was last refused (brackets and case do not matter), or None."""
        wanted = host.strip("[]").lower()
        found = [r for r in self._refused if r.host == wanted and port in {None, r.port}]
        return found[-1].code if found else None

    def admit(self) -> None:
        """Charge one request. Raises `ServiceError` TARGET_TOO_LARGE or TARGET_TIMEOUT when a budget is spent."""
        self.check_time()
        if self.requests >= self._limits.requests:
            raise self._excess(f"{self._limits.requests:,} requests")
        self._check_bytes()
        self.requests += 1

    def left_s(self) -> float:
        """Return how long the job may go on; 0 when its time is over."""
        return max(0.0, self.ends - time.monotonic())

    def check_time(self) -> None:
        """Raise `ServiceError` TARGET_TIMEOUT when the job's time is over."""
        if time.monotonic() >= self.ends:
            detail = f"The page uses the network for longer than {self._limits.job_s:g} s."
            raise ServiceError(ErrorCode.TARGET_TIMEOUT, detail)

    def received(self, count: int) -> None:
        """Charge bytes from a site. Raises TARGET_TOO_LARGE when the budget is spent."""
        self.bytes_in += count
        self._check_bytes()

    def sent(self, count: int) -> None:
        """Charge bytes to a site. Raises TARGET_TOO_LARGE when the budget is spent."""
        self.bytes_out += count
        self._check_bytes()

    def refuse(self, host: str, port: int, error: ServiceError) -> None:
        """Remember, count and (the first time) log a refusal."""
        REFUSALS.labels(error.code.value).inc()
        refusal = Refusal(host, port, error.code)
        if refusal in self._refused:
            del self._refused[refusal]
        elif len(self._refused) >= min(self._limits.requests, _REMEMBERED):
            return
        else:
            log.info(REFUSED, job_id=self.job_id, host=host, port=port, code=error.code.value, reason=error.reason)
        self._refused[refusal] = None

    def refuse_background(self) -> None:
        """Count a call of the browser itself, which is nobody's refusal."""
        BACKGROUND.inc()
        self.background += 1

    def note_private(self, host: str, port: int) -> None:
        """Log, once per host and job, that a named private host is opened."""
        if (host, port) not in self._private:
            self._private.add((host, port))
            log.warning(PRIVATE_ALLOWED, job_id=self.job_id, host=host, port=port)

    def _check_bytes(self) -> None:
        if self.bytes_in + self.bytes_out > self._limits.bytes:
            raise self._excess(f"{self._limits.bytes:,} bytes")

    def _excess(self, limit: str) -> ServiceError:
        return ServiceError(ErrorCode.TARGET_TOO_LARGE, f"The page uses more than {limit} of network.")


NOBODY = Traffic("nobody", EgressLimits())
