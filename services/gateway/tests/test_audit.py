"""The audit log: complete, free of secrets, and nothing in it can be changed."""

import asyncio

import pytest
from sqlalchemy import delete, exc, select, update

from gateway.audit.store import Entry
from gateway.audit.trail import Trail
from gateway.db import Database
from gateway.tables import audit_events
from tests.fixtures.accounts import Account, account
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = {"url": "https://shop.test/?token=hidden"}


async def entries(account: Account) -> list[dict[str, object]]:
    data: list[dict[str, object]] = (await account.http.get("/v1/audit?limit=100")).json()["data"]
    return data


async def test_every_mutating_call_is_written_with_who_what_and_outcome(guarded: Platform) -> None:
    a = await account(guarded, "ten_a")
    created = await a.http.post("/v1/analyses", json=URL)
    analysis = created.json()["id"]
    await a.http.post(f"/v1/analyses/{analysis}/cancel")
    await a.http.post("/v1/analyses/an_none/cancel")
    await a.http.post("/v1/analyses", json={"url": 7})
    made = (await a.http.post("/v1/keys", json={"name": "k", "scopes": ["usage:read"]})).json()
    await a.http.get("/v1/analyses")
    found = await entries(a)
    told = [(one["action"], one["target_id"], one["status"]) for one in found]
    assert told[:5] == [
        ("POST /v1/keys", made["id"], 201),
        ("POST /v1/analyses", "", 422),
        ("POST /v1/analyses/{analysis_id}/cancel", "an_none", 404),
        ("POST /v1/analyses/{analysis_id}/cancel", analysis, 200),
        ("POST /v1/analyses", analysis, 202),
    ]
    assert {one["actor"] for one in found[:5]} == {a.key_id}
    assert found[4]["request_id"] == created.headers["x-request-id"]
    assert all(one["address"] for one in found[:5])
    assert not any(secret in str(found) for secret in ("hidden", made["key"], a.key))


async def test_a_refused_change_of_keys_is_written_too(guarded: Platform) -> None:
    a = await account(guarded, "ten_a")
    await a.http.delete("/v1/keys/key_none")
    await a.http.delete(f"/v1/keys/{a.key_id}")
    async with guarded.parts.db.read() as db:
        rows = (await db.execute(select(audit_events).order_by(audit_events.c.id.desc()).limit(2))).all()
    assert [(row.target_id, row.status) for row in rows] == [(a.key_id, 204), ("key_none", 404)]


async def test_pages_of_the_log(guarded: Platform) -> None:
    a = await account(guarded, "ten_a")
    for _ in range(5):
        await a.http.post("/v1/analyses/an_none/cancel")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await a.http.get("/v1/audit?limit=2" + (f"&cursor={cursor}" if cursor else ""))).json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 6
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("verb", ["update", "delete"])
async def test_nothing_in_the_log_can_be_changed_or_removed(db: Database, verb: str) -> None:
    await Trail(db).record(Entry("t", "a", "POST /x"))
    statement = update(audit_events).values(actor="nobody") if verb == "update" else delete(audit_events)
    with pytest.raises(exc.DBAPIError, match="append-only"):
        async with db.begin() as connection:
            await connection.execute(statement)
    async with db.read() as connection:
        assert (await connection.execute(select(audit_events.c.actor))).scalar_one() == "a"


async def test_a_crowd_shares_its_commits(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = Trail(db)
    commits = 0
    write = trail._write

    async def counted(batch: list[Entry]) -> None:
        nonlocal commits
        commits += 1
        await write(batch)

    monkeypatch.setattr(trail, "_write", counted)
    await asyncio.gather(*(trail.record(Entry("t", "a", f"POST /{number}")) for number in range(100)))
    assert commits <= 3
    async with db.read() as connection:
        assert len((await connection.execute(select(audit_events.c.id))).all()) == 100


async def test_an_outage_keeps_no_answer_back() -> None:
    away = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    await Trail(away).record(Entry("t", "a", "POST /x"))
    await away.aclose()
