"""A batch's results as lines: chunk by chunk out of the database, so that nothing grows with the batch."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from gateway.batches import store
from gateway.batches.store import Line
from gateway.db import Database
from gateway.jobs import briefs
from gateway.jobs.states import Kind, State

_CHUNK = 500
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
_PLURAL = {Kind.CAPTURE: "captures", Kind.ANALYSIS: "analyses"}


def written(line: Line) -> str:
    """Return one URL's object as JSON text."""
    if line.brief is not None and line.state == State.SUCCEEDED:
        return line.brief
    error = None
    if line.error_code and line.state in {State.FAILED, State.CANCELLED}:
        error = {"code": line.error_code, "detail": line.error_detail or ""}
    document = {
        "id": line.id,
        "url": line.url,
        "status": line.state,
        "tier": None,
        "reason": None,
        "cost": "0",
        "artifacts": {},
        "links": {"self": f"/v1/{_noun(line.id)}/{line.id}"},
        "error": error,
    }
    return briefs.written(document)


def _noun(job_id: str) -> str:
    return next(noun for kind, noun in _PLURAL.items() if job_id.startswith(f"{kind.id_prefix}_"))


def parsed(line: Line) -> dict[str, Any]:
    """Return one URL's object."""
    found: dict[str, Any] = json.loads(written(line))
    return found


async def ndjson(db: Database, tenant_id: str, batch_id: str, states: Sequence[State]) -> AsyncIterator[bytes]:
    """Give every URL's object on a line of its own, in the order of the request."""
    async for chunk in _chunks(db, tenant_id, batch_id, states):
        yield ("\n".join(map(written, chunk)) + "\n").encode()


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
