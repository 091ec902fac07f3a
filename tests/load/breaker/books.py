"""The service's own books, held against the customers' when everything is quiet."""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, select

from gateway.blobs.base import BlobStore
from gateway.blobs.opening import open_store
from gateway.db import Database
from gateway.settings import GatewaySettings
from gateway.tables import (
    ai_reservations,
    job_secrets,
    jobs,
    removals,
    renders,
    results,
    usage,
    usage_days,
    webhook_deliveries,
    webhook_events,
)
from runtime.errors import ServiceError
from tests.load.breaker.cluster import Cluster
from tests.load.breaker.ledger import Ledger
from tests.load.breaker.pages import looks_like

_FINAL = ("succeeded", "failed", "cancelled")
_UNTOLD = ("pending", "sending")
_QUIET_S = 180.0
_AT_ONCE = 8
_SEVERAL = 500


@dataclass(frozen=True)
class Stored:
    """What there is of artifacts: how many, their bytes, and what is wrong with them."""

    count: int
    size: int
    faults: list[str]


class Books:
    """Reads the database and the store, past every process that was killed."""

    def __init__(self, cluster: Cluster, ledger: Ledger) -> None:
        """Open both."""
        settings = GatewaySettings.model_validate(
            {name.lower(): value for name, value in cluster.servers.settings.items()}
        )
        self._db = Database(settings.database_url)
        self.blobs: BlobStore = open_store(settings)
        self._ledger = ledger
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def aclose(self) -> None:
        """Close both."""
        await self.blobs.aclose()
        await self._db.aclose()

    async def _rows(self, table: Table) -> list[Any]:
        async with self._db.read() as db:
            return list((await db.execute(select(table))).all())

    async def _count(self, table: Table, *where: Any) -> int:  # noqa: ANN401  # conditions
        async with self._db.read() as db:
            return int((await db.execute(select(func.count()).select_from(table).where(*where))).scalar_one())

    async def quiet(self) -> dict[str, int]:
        """Wait until nothing is under way any more; return what still is."""
        give_up = time.monotonic() + _QUIET_S
        while (left := await self._under_way()) and time.monotonic() < give_up:
            await asyncio.sleep(0.5)
        return left

    async def _under_way(self) -> dict[str, int]:
        open_jobs = select(jobs.c.id).where(jobs.c.state.not_in(_FINAL))
        tried = webhook_deliveries.c.attempt > 0
        found = {
            # A model that was away is asked again later; until then the rules' result has its reservation.
            "jobs": await self._count(jobs, jobs.c.state.not_in(_FINAL), jobs.c.kind != "enrichment"),
            # One that has failed is tried again minutes later, by the schedule.
            "deliveries": await self._count(webhook_deliveries, webhook_deliveries.c.state.in_(_UNTOLD), ~tried),
            "secrets": await self._count(job_secrets),
            "reservations": await self._count(ai_reservations, ai_reservations.c.job_id.not_in(open_jobs)),
            "removals": await self._count(removals),
        }
        return {name: count for name, count in found.items() if count}

    async def faults(self) -> dict[str, list[str]]:
        """Return what was lost, what was done twice, and what does not add up."""
        rows = {row.id: row for row in await self._rows(jobs) if row.kind in {"analysis", "capture"}}
        lost = [
            f"{job_id}: {rows[job_id].state if job_id in rows else 'unknown'}"
            for job_id in self._ledger.accepted
            if job_id not in self._ledger.removed | self._ledger.cancelled
            and (job_id not in rows or rows[job_id].state != "succeeded")
        ]
        urls = Counter(row.url for row in rows.values())
        twice = [f"{count} jobs for {url}" for url, count in urls.items() if count > 1]
        twice += [f"{job} told {count} ends in one stream" for job, count in self._ledger.ends.items() if count > 1]
        twice += await self._announced_twice(rows)
        return {"lost": lost, "twice": twice, "books": await self._unbalanced(rows)}

    async def _announced_twice(self, rows: dict[str, Any]) -> list[str]:
        """Each job that a customer made by itself has ended once, for the webhooks too."""
        ends: Counter[str] = Counter()
        for row in await self._rows(webhook_events):
            event = json.loads(row.document)
            if row.type.rpartition(".")[2] in _FINAL and row.type.partition(".")[0] != "batch":
                ends[event["id"]] += 1
        single = {job_id for job_id, row in rows.items() if row.batch_id is None and row.state in _FINAL}
        wrong = [f"{job_id} was announced {count} times" for job_id, count in ends.items() if count > 1]
        return wrong + [f"{job_id} was never announced" for job_id in single - set(ends)]

    async def _unbalanced(self, rows: dict[str, Any]) -> list[str]:
        """Compare the accounts with the jobs; removed ones were done as well, and stay booked."""
        booked: Counter[str] = Counter()
        held: Counter[str] = Counter()
        for day in await self._rows(usage_days):
            booked[day.kind] += day.succeeded
            held[day.kind] += day.held
        used = Counter(row.kind for row in await self._rows(usage))
        done = Counter(row.kind for row in rows.values() if row.state == "succeeded")
        for job_id in self._ledger.removed - set(rows):
            done["analysis" if job_id.startswith("an_") else "capture"] += 1
        wrong = []
        for kind, count in done.items():
            if not count == booked[kind] == used[kind] == held[kind]:
                wrong.append(
                    f"{kind}: {count} succeeded, {booked[kind]} booked, {used[kind]} in usage, {held[kind]} held"
                )
        return wrong

    async def corrupted(self) -> Stored:
        """Read every stored artifact of the customers' jobs, and look for those that are not what they should be."""
        numbers = {job_id: page.number for job_id, page in self._ledger.accepted.items()}
        wanted = [one for one in await self._stored() if one[0] in numbers]
        faults = await asyncio.gather(*(self._fault(numbers[job_id], key, about) for job_id, key, about in wanted))
        return Stored(len(wanted), sum(about["bytes"] for _, _, about in wanted), [fault for fault in faults if fault])

    async def _stored(self) -> list[tuple[str, str, dict[str, Any]]]:
        found: list[tuple[str, str, dict[str, Any]]] = []
        for table in (renders, results):
            for row in await self._rows(table):
                documents = dict(_artifacts(row.document))
                keys = (row.blob_keys or {}).items()
                found += [(row.job_id, key, documents[name]) for name, key in keys if name in documents]
        return list({key: (job, key, document) for job, key, document in found}.values())

    async def _fault(self, number: int, key: str, document: dict[str, Any]) -> str:
        async with self._turns:
            try:
                content = await self.blobs.read(key)
            except ServiceError as error:
                return f"{key}: {error.code.value}"
        if hashlib.sha256(content).hexdigest() != document["sha256"] or len(content) != document["bytes"]:
            return f"{key}: not what its hash says"
        if not document["content_type"].startswith("image/") or "section" in key:
            return ""
        fault = await asyncio.to_thread(looks_like, number, content, _size(document))
        return f"{key}: {fault}" if fault else ""

    async def orphans(self) -> list[str]:
        """Return the folders of the store that belong to no job."""
        known = {row.id for row in await self._rows(jobs)}
        after, found = "", list[str]()
        while page := await self.blobs.jobs(after, _SEVERAL):
            found += [f"{tenant}/{job}" for tenant, job in page if job not in known]
            after = "/".join(page[-1])
        return found


def _artifacts(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    made = document.get("artifacts", {})
    yield from made.items() if isinstance(made, dict) else ((one["name"], one) for one in made)


def _size(document: dict[str, Any]) -> tuple[int, int] | None:
    return (document["width"], document["height"]) if document.get("width") else None
