"""What customers receive of the audit log."""

from datetime import datetime

from pydantic import ConfigDict, Field, JsonValue

from contracts.wire import Wire
from gateway.audit.store import Record

_CALL: dict[str, JsonValue] = {
    "id": "aud_0193f6b2c4d57a80b1c2d3e4f5a60718",
    "at": "2026-11-21T12:00:00Z",
    "actor": "key_0193f6b2c4d57a80b1c2d3e4f5a60718",
    "action": "POST /v1/analyses",
    "target_id": "an_0193f6b2c4d57a80b1c2d3e4f5a60719",
    "address": "203.0.113.7",
    "request_id": "0193f6b2c4d57a80b1c2d3e4f5a60718",
    "status": 202,
}


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

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [_CALL], "next_cursor": None}]})

    data: list[AuditRead]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


def read(record: Record) -> AuditRead:
    """Show an entry."""
    return AuditRead(**{name: value for name, value in vars(record).items() if name != "tenant_id"})
