"""What customers receive of the audit log."""

from datetime import datetime

from pydantic import Field

from contracts.wire import Wire
from gateway.audit.store import Record


class AuditRead(Wire):
    """One mutating call."""

    id: str
    at: datetime
    actor: str = Field(description="the key's id, `local` where there are no keys, or `operator`")
    action: str = Field(description="method and route", examples=["POST /v1/analyses"])
    target_id: str = Field(description="what was made or changed; empty where the call failed before")
    address: str = Field(description="where the call came from")
    request_id: str
    status: int = Field(description="the HTTP status of the answer")


class AuditPage(Wire):
    """Calls, newest first."""

    data: list[AuditRead]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


def read(record: Record) -> AuditRead:
    """Show an entry."""
    return AuditRead(**{name: value for name, value in vars(record).items() if name != "tenant_id"})
