"""Host names to addresses: the system's resolver with a time limit, and a small cache in front of it."""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from contracts.errors import ErrorCode
from runtime.addresses import IPAddress
from runtime.errors import ServiceError


class Resolver(Protocol):
    """Anything that turns a name into addresses."""

    async def resolve(self, host: str) -> list[IPAddress]:
        """Return every address of `host`. Raises `ServiceError` TARGET_DNS when there is none."""


def _failure(host: str, reason: str) -> ServiceError:
    return ServiceError(ErrorCode.TARGET_DNS, f"The host name {host} has no address.", reason=f"{host}: {reason}")


def _lookup(host: str) -> list[IPAddress]:
    # AI_ADDRCONFIG: no IPv6 answers on a machine without IPv6.
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


class SystemResolver:
    """The system's resolver, in threads of its own: a slow name server must not hold up file or signal work."""

    def __init__(self, limit_s: float = 5, threads: int = 16) -> None:
        """Wait at most `limit_s` for an answer; look up at most `threads` names at a time."""
        self._limit_s = limit_s
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="resolve")

    async def resolve(self, host: str) -> list[IPAddress]:
        """Return every address of `host`. Raises `ServiceError` TARGET_DNS."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limit_s):
                return await loop.run_in_executor(self._pool, _lookup, host)
        except TimeoutError as exc:
            raise _failure(host, f"no answer in {self._limit_s} s") from exc
        except (OSError, UnicodeError, ValueError) as exc:
            raise _failure(host, repr(exc)) from exc

    def close(self) -> None:
        """Let the threads go; one that waits for a name server ends with its answer."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class _Answer:
    expires: float
    addresses: list[IPAddress]
    error: ServiceError | None


class CachingResolver:
    """Remembers answers, and failures for less long; asks once for all who wait for the same name.

    The system's resolver tells no TTL, so one figure serves as floor and ceiling. Every use of an answer is
    judged anew, so a remembered one weakens nothing.
    """

    def __init__(
        self,
        resolver: Resolver,
        *,
        keep_s: float = 30,
        keep_failure_s: float = 10,
        size: int = 1_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Put a cache of `size` names in front of `resolver`."""
        self._resolver = resolver
        self._keep_s = keep_s
        self._keep_failure_s = keep_failure_s
        self._size = size
        self._clock = clock
        self._answers: dict[str, _Answer] = {}
        self._asking: dict[str, asyncio.Task[_Answer]] = {}

    async def resolve(self, host: str) -> list[IPAddress]:
        """Return every address of `host`. Raises `ServiceError` TARGET_DNS."""
        answer = self._answers.get(host)
        if answer is None or answer.expires <= self._clock():
            answer = await self._ask(host)
        if answer.error:
            raise ServiceError(answer.error.code, answer.error.detail, reason=answer.error.reason)
        return list(answer.addresses)

    async def aclose(self) -> None:
        """Stop asking."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, host: str) -> _Answer:
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = asyncio.create_task(self._fetch(host))
            task.add_done_callback(lambda _: self._asking.pop(host, None))
        # Shielded: the one who asked first may be cancelled while others wait for the same answer.
        return await asyncio.shield(task)

    async def _fetch(self, host: str) -> _Answer:
        try:
            addresses = await self._resolver.resolve(host)
        except ServiceError as exc:
            answer = _Answer(self._clock() + self._keep_failure_s, [], exc)
        else:
            answer = _Answer(self._clock() + self._keep_s, addresses, None)
        self._answers.pop(host, None)
        while len(self._answers) >= self._size:
            del self._answers[next(iter(self._answers))]
        self._answers[host] = answer
        return answer


class OwnResolver:
    """The system's resolver with a cache in front, closed together."""

    def __init__(self) -> None:
        """Threads start with the first question."""
        self._system = SystemResolver()
        self._cache = CachingResolver(self._system)

    async def resolve(self, host: str) -> list[IPAddress]:
        """Return every address of `host`. Raises `ServiceError` TARGET_DNS."""
        return await self._cache.resolve(host)

    async def aclose(self) -> None:
        """Stop asking, and let the threads go."""
        await self._cache.aclose()
        self._system.close()
