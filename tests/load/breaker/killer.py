"""Whoever ends a process at random, and starts it again."""

import asyncio
import random
import signal
from collections import Counter
from contextlib import suppress

import psutil

from tests.load.breaker.cluster import Cluster
from tests.load.breaker.members import Member, a_browser

_REDIS, _BROWSER = "redis", "browser"
_KILL, _STOP, _TERM = "SIGKILL", "SIGSTOP", "SIGTERM"
_WEIGHTS = {_KILL: 6, _STOP: 1, _TERM: 1}


class Killer:
    """Ends one every few seconds. `done` counts the deeds, `troubles` holds what did not come back as it should."""

    def __init__(self, cluster: Cluster, every_s: float, stop_s: tuple[float, float]) -> None:
        """Wait `every_s` between two; who is stopped stands still for between `stop_s` seconds."""
        self._cluster = cluster
        self._every_s = every_s
        self._stop_s = stop_s
        self._luck = random.Random()
        self.done: Counter[str] = Counter()
        self.troubles: list[str] = []

    async def run(self) -> None:
        """Go on until cancelled; whoever is down then is still started again."""
        async with asyncio.TaskGroup() as group:
            deeds: list[asyncio.Task[None]] = []
            with suppress(asyncio.CancelledError):
                while True:
                    await asyncio.sleep(self._every_s)
                    deeds.append(group.create_task(self._strike()))

    async def _strike(self) -> None:
        # One at a time: where the last of two is killed while the other still starts, nobody is there to answer.
        down = {one.role for one in self._cluster.members if one.busy.locked()}
        standing = [one for one in self._cluster.members if one.role not in down]
        victim = self._luck.choice([*standing, _BROWSER, _REDIS])
        if victim == _REDIS:
            self.done["redis killed"] += 1
            await asyncio.to_thread(self._cluster.servers.redis.restart)
        elif victim == _BROWSER:
            self._end_a_browser()
        elif isinstance(victim, Member):
            (way,) = self._luck.choices([*_WEIGHTS], [*_WEIGHTS.values()])
            await asyncio.to_thread(self._end, victim, way)

    def _end_a_browser(self) -> None:
        if kill := a_browser(self._luck.choice(self._cluster.of("renderer"))):
            with suppress(psutil.NoSuchProcess):
                kill()
            self.done["browser killed"] += 1

    def _end(self, victim: Member, way: str) -> None:
        with victim.busy:
            self.done[f"{victim.role} {way}"] += 1
            if way == _STOP:
                victim.freeze(self._luck.uniform(*self._stop_s))
                return
            status = victim.end(signal.Signals[way])
            if way == _TERM and status != 0:
                self.troubles.append(f"{victim.name} ended with {status} after SIGTERM")
            victim.start()
