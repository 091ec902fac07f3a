"""The route of usage."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from contracts.errors import ErrorCode, FieldError
from gateway.refusals import refusals
from gateway.usage import store
from gateway.usage.schemas import UsageRead, read
from gateway.wiring import Reading, TheCaller
from runtime.errors import ServiceError

router = APIRouter(prefix="/v1/usage", tags=["usage"])

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST_DAYS = 366
_USUAL = timedelta(days=29)


def _written_out(value: object) -> object:
    # A number would be read as seconds since 1970.
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("must be a day such as 2026-11-21")
    return value


Day = Annotated[date, BeforeValidator(_written_out)]


@router.get("", summary="Usage and cost by day and kind", responses=refusals(ErrorCode.INVALID_REQUEST))
async def index(
    db: Reading,
    caller: TheCaller,
    first: Annotated[Day | None, Query(alias="from", description="first day (UTC); 30 days in all without it")] = None,
    last: Annotated[Day | None, Query(alias="to", description="last day (UTC); today without it")] = None,
) -> UsageRead:
    """Count jobs and their cost in each day, at most 366 days at a time. Only what succeeded costs."""
    until = last or datetime.now(UTC).date()
    since = first or until - _USUAL
    if not timedelta(0) <= until - since < timedelta(days=_LONGEST_DAYS):
        text = f"from must not be after to, nor more than {_LONGEST_DAYS} days before it"
        raise ServiceError(ErrorCode.INVALID_REQUEST, text, errors=[FieldError(field="from", message=text)])
    return read(await store.days(db, caller.tenant_id, since, until))
