"""Redis for short commands: what may be slow, full, read-only or away without anybody waiting for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from gateway import metrics
from gateway.breaker import Breaker

log = structlog.get_logger(__name__)

ANSWER_S = 0.1
"""Longest wait for one command: with three strikes a Redis that hangs costs a process 0.3 s before it is left alone."""

_CONNECTIONS = 64

Answer = TypeVar("Answer")
Command = Callable[[Redis], Awaitable[Answer]]


async def send(redis: Redis, *words: str | float) -> Any:  # noqa: ANN401  # an answer is what the command says
    """Send one command by its words. Raises what redis-py raises: translate with `Broker.ask`."""
    return await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # so it is


class BrokerAwayError(Exception):
    """No answer in time, or an error for an answer. What was asked may have been done."""


class Broker:
    """One Redis or Valkey, not a cluster: one script touches keys of several slots."""

    def __init__(self, url: str) -> None:
        """Prepare `url` (redis://, rediss:// or unix://); nothing is opened yet."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=ANSWER_S,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            # A restart leaves dead connections in the pool: each of them is replaced once, at once.
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self._redis = Redis.from_pool(pool)
        self._breaker = Breaker()

    @property
    def away(self) -> bool:
        """Whether it failed several times in a row."""
        return self._breaker.open

    async def ask(self, command: Command[Answer]) -> Answer:
        """Run a short command. Raises `BrokerAwayError` within 0.1 s, and at once while Redis is away."""
        if not self._breaker.admits():
            metrics.BROKER_FAILURES.labels("skipped").inc()
            raise BrokerAwayError
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await command(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            raise BrokerAwayError from error
        self._breaker.worked()
        return answer

    def _failed(self, error: Exception) -> None:
        was_away = self.away
        self._breaker.failed()
        metrics.BROKER_FAILURES.labels("failed").inc()
        if self.away and not was_away:
            log.warning("broker_away", reason=repr(error))

    async def ping(self) -> bool:
        """Say whether it answers."""
        try:
            await self.ask(_ping)
        except BrokerAwayError:
            return False
        return True

    async def aclose(self) -> None:
        """Close every connection."""
        await self._redis.aclose()


async def _ping(redis: Redis) -> None:
    await send(redis, "PING")
