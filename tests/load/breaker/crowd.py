"""A crowd of customers on the cluster profile, while somebody kills one process after another (F1 to F34 at once)."""

import asyncio
import statistics
import time
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

from cro_analyzer import AsyncClient
from tests.load.bounds import Report, p95
from tests.load.breaker.books import Books
from tests.load.breaker.cluster import LEASE_S, Cluster, cluster
from tests.load.breaker.killer import Killer
from tests.load.breaker.ledger import Ledger
from tests.load.breaker.logs import complaints
from tests.load.breaker.orphans import Strays, adopting, settled, survivors
from tests.load.breaker.pages import Pages
from tests.load.breaker.slots import stuck
from tests.load.breaker.users import Customer

MEMORY = 0.20
ENOUGH_FOR_MEMORY_S = 600.0
_GROWN_UP_S = 45.0
_SHOWN = 12


@dataclass(frozen=True)
class Plan:
    """How many customers, for how long, and how often somebody is killed; seconds."""

    for_s: float
    users: int = 100
    every_s: float = 20.0
    lease_s: float = LEASE_S
    stop_s: tuple[float, float] = (3.0, 15.0)


@dataclass
class Memory:
    """What each role holds (PSS, MiB), of processes that have been up for a while."""

    seen: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def watch(self, here: Cluster) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(10)
            for one in here.members:
                if one.program is not None and time.monotonic() - one.born > _GROWN_UP_S:
                    self.seen[one.role].append(await asyncio.to_thread(one.pss_mb))

    def judge(self, report: Report, plan: Plan) -> None:
        """Compare the last third with the first."""
        for role, seen in sorted(self.seen.items()):
            third = max(1, len(seen) // 3)
            first, last = statistics.median(seen[:third]), statistics.median(seen[-third:])
            value = f"{first:.0f} to {last:.0f} MiB, {max(seen):.0f} at most, {len(seen)} looks"
            if plan.for_s >= ENOUGH_FOR_MEMORY_S:
                report.bound(f"PSS of {role}", value, "≤ +20 %", last <= first * (1 + MEMORY))
            else:
                report.note(f"PSS of {role}", value)


async def breaker(minutes: float) -> Report:
    """Run it at full size for so many minutes."""
    return await broken(Plan(60.0 * minutes))


async def broken(plan: Plan) -> Report:
    """Run it, then look at what is left. Raises OSError where a server cannot be had."""
    report = Report(f"Breaker: {plan.users} users for {plan.for_s:.0f} s, one killed every {plan.every_s:g} s")
    ledger, memory = Ledger(), Memory()
    async with AsyncExitStack() as stack:
        stack.enter_context(adopting())
        here = await stack.enter_async_context(cluster(plan.lease_s))
        strays, killer = Strays(), Killer(here, plan.every_s, plan.stop_s)
        await _lived(here, plan, ledger, killer, memory)
        books = Books(here, ledger)
        stack.push_async_callback(books.aclose)
        await _judged(report, here, ledger, books, strays)
        memory.judge(report, plan)
        _faults(report, "errors at SIGTERM or start", killer.troubles)
        for text in complaints(here):
            report.note("logged", text)
    report.note("killed", ", ".join(f"{count} × {what}" for what, count in sorted(killer.done.items())))
    return report


async def _lived(here: Cluster, plan: Plan, ledger: Ledger, killer: Killer, memory: Memory) -> None:
    """Let the crowd in, with the killer among it; come back when the last one has got what it asked for."""
    pages = Pages(here.servers.site)
    async with AsyncClient("", here.api) as owner:
        await owner.webhooks.create(here.servers.receiver.url)
    until = time.monotonic() + plan.for_s
    watching = asyncio.create_task(memory.watch(here))
    killing = asyncio.create_task(killer.run())
    try:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(AsyncClient("", here.api)) for _ in range(plan.users)]
            crowd = [asyncio.create_task(Customer(client, pages, ledger).live(until)) for client in clients]
            await asyncio.sleep(max(0.0, until - time.monotonic()))
            killing.cancel()
            await asyncio.gather(*crowd)
            # Whoever it has just killed is started again first.
            await killing
    finally:
        for task in (killing, watching):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _judged(report: Report, here: Cluster, ledger: Ledger, books: Books, strays: Strays) -> None:
    report.note("done", ", ".join(f"{count} × {what}" for what, count in ledger.done.most_common()))
    report.note("accepted", f"{len(ledger.accepted)} jobs, {len(ledger.batches)} batches")
    report.note("p95 of one deed", f"{p95(ledger.seconds):.0f} s")
    report.note("refused with Retry-After", ", ".join(f"{n} × {what}" for what, n in ledger.refused.items()) or "0")
    report.note("marked as less than whole", ", ".join(f"{n} × {what}" for what, n in ledger.degraded.items()) or "0")
    left = await books.quiet()
    _faults(report, "still under way", [f"{count} {name}" for name, count in left.items()])
    found = await books.faults()
    _faults(report, "accepted jobs lost", sorted({*ledger.lost, *found["lost"]}))
    _faults(report, "done twice, or not told", found["twice"])
    _faults(report, "accounts that differ", found["books"])
    stored = await books.corrupted()
    report.note("read again", f"{stored.count} artifacts, {stored.size / 2**20:.0f} MiB")
    _faults(report, "results corrupted", ledger.corrupted + stored.faults)
    _faults(report, "errors that customers saw", ledger.wrong)
    _faults(report, "slots that are stuck", await stuck(here))
    await books.quiet()
    _faults(report, "objects of no job", await books.orphans())
    _faults(report, "processes of the killed", await strays.gone(here) + survivors(here))
    scratch, temporary = here.servers.folder / "scratch", here.servers.folder / "tmp"
    renderers = len(here.of("renderer"))
    folders = await settled(scratch, renderers)
    _faults(report, "folders of killed renderers", folders[renderers:])
    _faults(report, "temporary files of the killed", await settled(temporary, 0))
    await here.end()
    _faults(report, "files left in the end", await settled(temporary, 0) + await settled(scratch, 0))
    _faults(report, "processes left in the end", await strays.gone(here) + survivors(here))


def _faults(report: Report, what: str, found: list[str]) -> None:
    """Add a row that promises none, and the first few that there are for who looks into it."""
    report.bound(what, str(len(found)), "0", not found)
    for text in found[:_SHOWN]:
        print(f"{what}: {text}", flush=True)
