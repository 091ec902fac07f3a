"""The routes of keys."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request

from contracts.errors import ErrorCode
from gateway.audit.recorder import entry_of
from gateway.cursors import opened, paged
from gateway.keys import service, store
from gateway.keys.schemas import KeyCreate, KeyMade, KeyPage, KeyRead, KeyRotate, made, read
from gateway.keys.service import Wanted
from gateway.refusals import refusals
from gateway.wiring import Reading, TheCaller, TheParts

router = APIRouter(prefix="/v1/keys", tags=["keys"])

KeyId = Annotated[str, Path(description="the id that was given at creation", examples=["key_0193…"], max_length=64)]


@router.post(
    "",
    summary="Make a key",
    status_code=201,
    responses=refusals(ErrorCode.INVALID_REQUEST, ErrorCode.FORBIDDEN, ErrorCode.CONFLICT),
)
async def create(request: Request, parts: TheParts, caller: TheCaller, body: KeyCreate) -> KeyMade:
    """Make a key with some of the scopes that yours has. The answer alone shows it: keep it."""
    lifetime = None if body.expires_in_s is None else timedelta(seconds=body.expires_in_s)
    wanted = Wanted(body.name, frozenset(body.scopes), lifetime)
    async with parts.db.begin() as db:
        record, key = await service.create(db, parts.keyring, entry_of(request), wanted, caller.scopes)
    return made(record, key)


@router.get("", summary="List keys, newest first", responses=refusals(ErrorCode.INVALID_REQUEST))
async def index(
    parts: TheParts,
    db: Reading,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=100, description="keys on a page")] = 20,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
) -> KeyPage:
    """List keys, those that have ended too. No answer but that of creation shows a key itself."""
    before = opened(parts, caller, "key", cursor)
    records = await store.page(db, caller.tenant_id, limit + 1, before)
    shown, following = paged(parts, caller, "key", records, limit)
    return KeyPage(data=[read(record) for record in shown], next_cursor=following)


@router.get("/{key_id}", summary="Read a key", responses=refusals(ErrorCode.NOT_FOUND))
async def show(db: Reading, caller: TheCaller, key_id: KeyId) -> KeyRead:
    """Read what a key may do, when it ends and when it was last used."""
    record = await store.get(db, caller.tenant_id, key_id)
    if record is None:
        raise service.missing()
    return read(record)


@router.delete(
    "/{key_id}",
    summary="Revoke a key",
    status_code=204,
    responses={204: {"description": "Revoked"}, **refusals(ErrorCode.NOT_FOUND)},
)
async def revoke(request: Request, parts: TheParts, _: TheCaller, key_id: KeyId) -> None:
    """End a key. Every process refuses it within five seconds (`KEY_CACHE_SECONDS`)."""
    async with parts.db.begin() as db:
        await service.revoke(db, parts.keyring, entry_of(request), key_id)
    parts.keyring.forget(key_id)


@router.post(
    "/{key_id}/rotate",
    summary="Rotate a key",
    status_code=201,
    responses=refusals(ErrorCode.INVALID_REQUEST, ErrorCode.FORBIDDEN, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
)
async def rotate(
    request: Request,
    parts: TheParts,
    caller: TheCaller,
    key_id: KeyId,
    body: Annotated[KeyRotate | None, Body()] = None,
) -> KeyMade:
    """Make a key with the same name, scopes and lifetime; the old one goes on for `grace_s` (a day)."""
    grace = timedelta(seconds=(body or KeyRotate()).grace_s)
    async with parts.db.begin() as db:
        record, key = await service.rotate(db, parts.keyring, entry_of(request), key_id, grace, caller.scopes)
    parts.keyring.forget(key_id)
    return made(record, key)
