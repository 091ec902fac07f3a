"""What customers send and receive about keys."""

from datetime import datetime

from pydantic import ConfigDict, Field, JsonValue

from contracts.wire import PublicInput, Wire
from gateway.access.scopes import Scope
from gateway.keys.store import Record

_DAY_S = 86_400
_TEN_YEARS_S = 10 * 365 * _DAY_S
_LONGEST_GRACE_S = 30 * _DAY_S

_KEY: dict[str, JsonValue] = {
    "id": "key_0193f6b2c4d57a80b1c2d3e4f5a60718",
    "name": "n8n",
    "hint": "cro_live_4fT9…",
    "scopes": ["analyses:read", "analyses:write"],
    "active": True,
    "created_by": "operator",
    "created_at": "2026-11-21T12:00:00Z",
    "expires_at": "2027-02-19T12:00:00Z",
    "revoked_at": None,
    "last_used_at": "2026-11-21T12:03:10Z",
    "replaces": None,
}


class KeyCreate(PublicInput):
    """A key to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "n8n", "scopes": ["analyses:write", "analyses:read"], "expires_in_s": 7_776_000}]
        }
    )

    name: str = Field(
        min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="by which you know it again"
    )
    scopes: list[Scope] = Field(
        min_length=1, max_length=50, description="what it may do; no more than your own key may"
    )
    expires_in_s: int | None = Field(None, ge=60, le=_TEN_YEARS_S, description="seconds until it ends; none: never")


class KeyRotate(PublicInput):
    """How long the old key lives beside the new one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"grace_s": 3_600}]})

    grace_s: int = Field(_DAY_S, ge=0, le=_LONGEST_GRACE_S, description="seconds; 0: the old key ends at once")


class KeyRead(Wire):
    """A key without its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KEY]})

    id: str
    name: str
    hint: str = Field(description="how the key begins")
    scopes: list[Scope]
    active: bool
    created_by: str = Field(description="the key that made it, or `operator`")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="to within ten seconds")
    replaces: str | None = Field(description="the key from which it was rotated")


class KeyMade(KeyRead):
    """A key with its secret, which is shown this once and kept nowhere."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_KEY, "key": "cro_live_4fT9…"}]})

    key: str = Field(description="send it as `Authorization: Bearer …`")


class KeyPage(Wire):
    """Keys, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [_KEY], "next_cursor": None}]})

    data: list[KeyRead]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


def read(record: Record) -> KeyRead:
    """Show a key."""
    return KeyRead(
        id=record.id,
        name=record.name,
        hint=record.hint,
        scopes=sorted(record.scopes),
        active=record.alive,
        created_by=record.created_by,
        created_at=record.created_at,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
        last_used_at=record.last_used_at,
        replaces=record.replaces,
    )


def made(record: Record, key: str) -> KeyMade:
    """Show a key with its secret."""
    return KeyMade(**dict(read(record)), key=key)
