"""A batch's results as lines: chunk by chunk out of the database, so that nothing grows with the batch."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.batches import store
from gateway.batches.store import Line
from gateway.db import Database
from gateway.jobs import briefs
from gateway.jobs.states import State

_CHUNK = 1_000
COLUMNS = (
    "url",
    "status",
    "tier",
    "reason",
    "cost",
    "http_status",
    "final_url",
    "title",
    "error",
    "detail",
    "id",
    "link",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def written(line: Line) -> str:
    """Return one URL's object as JSON text."""
    if line.brief is not None and line.state in {State.SUCCEEDED, State.FAILED}:
        return line.brief
    error = None
    if line.error_code and line.state in {State.FAILED, State.CANCELLED}:
        error = (line.error_code, line.error_detail or "")
    return briefs.ended(line.id, line.url, line.state, error)


def parsed(line: Line) -> dict[str, Any]:
    """Return one URL's object."""
    found: dict[str, Any] = json.loads(written(line))
    return found


async def ndjson(db: Database, tenant_id: str, batch_id: str, states: Sequence[State]) -> AsyncIterator[bytes]:
    """Give every URL's object on a line of its own, in the order of the request."""
    after: int | None = -1
    while after is not None:
        text, after = await _text(db, Part(tenant_id, batch_id, after, states))
        if text:
            yield text.encode()


@dataclass(frozen=True)
class Part:
    """Whose results, of which batch and in which states (none: all), behind which place."""

    tenant_id: str
    batch_id: str
    after: int
    states: Sequence[State]


async def _text(db: Database, part: Part) -> tuple[str, int | None]:
    """Return the next lines and the place of the last of them, None where there are no more.

    Where all are written the database puts them together: to make a row of each takes five times as long.
    """
    # A connection for each chunk: a slow reader must not keep one.
    async with db.read() as look:
        whole = await store.block(look, part.tenant_id, part.batch_id, _CHUNK, part.after, states=part.states)
        if whole is not None:
            return whole.text + "\n", whole.last
        rows = await store.lines(look, part.tenant_id, part.batch_id, _CHUNK, part.after, states=part.states)
    if not rows:
        return "", None
    return "\n".join(map(written, rows)) + "\n", rows[-1].seq


def as_page(rows: Sequence[Line], cursor: str | None) -> str:
    """Return a page of results as JSON text, put together of what is stored as such."""
    return f'{{"data":[{",".join(map(written, rows))}],"next_cursor":{json.dumps(cursor)}}}'


async def as_csv(db: Database, tenant_id: str, batch_id: str, states: Sequence[State]) -> AsyncIterator[bytes]:
    """Give every URL as a row under a heading; no cell can begin a formula in a spreadsheet."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    async for chunk in _chunks(db, tenant_id, batch_id, states):
        writer.writerows(_cells(parsed(line)) for line in chunk)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode()


async def _chunks(db: Database, tenant_id: str, batch_id: str, states: Sequence[State]) -> AsyncIterator[list[Line]]:
    after = -1
    while True:
        # A connection for each chunk: a slow reader must not keep one.
        async with db.read() as connection:
            found = await store.lines(connection, tenant_id, batch_id, _CHUNK, after, states=states)
        if not found:
            return
        yield found
        after = found[-1].seq


def _cells(document: dict[str, Any]) -> list[str]:
    error = document.get("error") or {}
    flat = {
        **document,
        "error": error.get("code", ""),
        "detail": error.get("detail", ""),
        "link": document["links"]["self"],
    }
    return [_harmless(flat.get(name)) for name in COLUMNS]


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
