"""The gate: one place that judges a destination and opens the connection to the very address it judged."""

from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass

from contracts.errors import ErrorCode
from renderer.egress.budget import EgressLimits, Traffic
from renderer.egress.message import Request
from runtime.dialing import Dial
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy

# What Chromium itself calls while it idles; refused apart so that no job is charged or blamed for it.
BACKGROUND_HOSTS = frozenset(
    {
        "android.clients.google.com",
        "clients2.google.com",
        "clients2.googleusercontent.com",
        "clientservices.googleapis.com",
        "content-autofill.googleapis.com",
        "edgedl.me.gvt1.com",
        "mtalk.google.com",
        "optimizationguide-pa.googleapis.com",
        "passwordsleakcheck-pa.googleapis.com",
        "redirector.gvt1.com",
        "safebrowsing.googleapis.com",
        "safebrowsingohttpgateway.googleapis.com",
        "update.googleapis.com",
    }
)


class BackgroundCallError(Exception):
    """The browser called its maker; `refusal` is the answer it gets."""

    refusal = ServiceError(ErrorCode.URL_FORBIDDEN, "The browser's own calls are not carried.")


@dataclass(frozen=True)
class Upstream:
    """An open connection to a site."""

    host: str
    port: int
    reader: StreamReader
    writer: StreamWriter

    def serves(self, request: Request) -> bool:
        """Whether `request` is for the judged destination of this connection, which is still open."""
        same = (self.host, self.port) == (request.host, request.port)
        return same and not self.writer.is_closing() and not self.reader.at_eof()


@dataclass(frozen=True)
class Gate:
    """What a request has to pass: its job's budgets, and a dial that judges where it goes."""

    policy: AddressPolicy
    limits: EgressLimits
    dial: Dial

    def admit(self, request: Request, traffic: Traffic) -> None:
        """Charge `request` to its job. Raises `BackgroundCallError`, or `ServiceError` TARGET_TOO_LARGE."""
        if request.host.removesuffix(".") in BACKGROUND_HOSTS:
            raise BackgroundCallError
        traffic.admit()

    async def open(self, request: Request, traffic: Traffic) -> Upstream:
        """Open the connection that `request` asks for. Raises `ServiceError`."""
        host, port = request.host, request.port
        reader, writer = await self.dial(host, port, traffic.job_id)
        if self.policy.names(host, port):
            traffic.note_private(host, port)
        return Upstream(host, port, reader, writer)
