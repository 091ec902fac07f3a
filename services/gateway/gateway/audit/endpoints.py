"""The route of the audit log."""

from typing import Annotated

from fastapi import APIRouter, Query

from contracts.errors import ErrorCode
from gateway.audit import store
from gateway.audit.schemas import AuditPage, read
from gateway.cursors import opened, paged
from gateway.refusals import refusals
from gateway.wiring import Reading, TheCaller, TheParts

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.get("", summary="List mutating calls, newest first", responses=refusals(ErrorCode.INVALID_REQUEST))
async def index(
    parts: TheParts,
    db: Reading,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=100, description="calls on a page")] = 20,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
) -> AuditPage:
    """List who changed what, refused calls included. Nothing is ever removed from this log, or changed in it."""
    before = opened(parts, caller, "aud", cursor)
    records = await store.page(db, caller.tenant_id, limit + 1, before)
    shown, following = paged(parts, caller, "aud", records, limit)
    return AuditPage(data=[read(record) for record in shown], next_cursor=following)
