"""Wake-ups between processes, through Redis."""

import asyncio
from datetime import timedelta

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from gateway.broker import Broker, BrokerAwayError, send
from gateway.hints import DELIVERIES, QUEUE, LocalHints

log = structlog.get_logger(__name__)

_TOKENS = {QUEUE: "cro:wake", DELIVERIES: "cro:wake:deliveries"}
_EVENTS = "cro:events"
_MOST_TOKENS = 64
# Whoever waits looks at the database each second anyway: an older token would only wake somebody for nothing.
_TOKEN_LIFE_S = 5
_BLOCK_S = 2.0
# redis-py would raise, and retry in silence, when a blocking command takes as long as its socket's timeout.
_SOCKET_S = _BLOCK_S + 3
_MARGIN_S = 0.05
_LISTEN_S = 5.0
_RETRY_S = 0.5


class SharedHints:
    """Tokens in a list wake one idle worker a job, and one courier; one channel tells all processes all other topics.

    One channel and not one for each job: nobody can miss what happens between a look at the row and a subscription,
    and a process hears of a hundred jobs a second at no cost worth naming. Redis away means polling, and no error.
    """

    def __init__(self, url: str, broker: Broker) -> None:
        """Prepare; nothing is opened before the first wait."""
        self._broker = broker
        # A blocking command must have a connection, and a timeout, of its own.
        self._blocking = Redis.from_url(url, socket_timeout=_SOCKET_S, socket_connect_timeout=1)
        self._local = LocalHints()
        self._listener: asyncio.Task[None] | None = None

    async def notify(self, topic: str) -> None:
        """Wake one idle worker, or everybody who waits on another topic; takes 0.1 s at most and never fails."""
        if topic not in _TOKENS:
            # Those in this process hear it even while Redis is away.
            await self._local.notify(topic)
        try:
            await self._broker.ask(lambda redis: (_push if topic in _TOKENS else _publish)(redis, topic))
        except BrokerAwayError:
            return

    async def wait(self, topic: str, timeout: timedelta) -> None:
        """Return when `topic` was notified, or after `timeout`."""
        if topic in _TOKENS:
            await self._token(_TOKENS[topic], timeout.total_seconds())
            return
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        await self._local.wait(topic, timeout)

    async def _token(self, tokens: str, seconds: float) -> None:
        begun = asyncio.get_running_loop().time()
        # The server ends the wait: a cancelled command would cost the connection, and maybe a token.
        block_s = min(_BLOCK_S, seconds - _MARGIN_S)
        if block_s > 0 and not self._broker.away:
            try:
                # By name, or redis-py would take the connection away for what it calls a timeout.
                if await send(self._blocking, "BLPOP", tokens, f"{block_s:.3f}"):
                    return
            except (RedisError, OSError) as error:
                log.info("hints_interrupted", reason=repr(error))
        await asyncio.sleep(max(0.0, begun + seconds - asyncio.get_running_loop().time()))

    async def _listen(self) -> None:
        while True:
            try:
                async with self._blocking.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(_EVENTS)
                    await self._hear(channel)
            except (RedisError, OSError) as error:
                log.info("hints_interrupted", reason=repr(error))
            await asyncio.sleep(_RETRY_S)

    async def _hear(self, channel: PubSub) -> None:
        while True:
            message = await channel.get_message(timeout=_LISTEN_S)
            if message is not None:
                await self._local.notify(message["data"].decode())

    async def aclose(self) -> None:
        """Stop listening and close every connection."""
        while self._listener is not None and not self._listener.done():
            # Once is not enough: redis-py may take a cancellation while it connects for a failure to connect.
            self._listener.cancel()
            await asyncio.wait([self._listener], timeout=_RETRY_S)
        await self._blocking.aclose()


async def _push(redis: Redis, topic: str) -> None:
    async with redis.pipeline(transaction=False) as commands:
        commands.lpush(_TOKENS[topic], 1)
        commands.ltrim(_TOKENS[topic], 0, _MOST_TOKENS - 1)
        commands.expire(_TOKENS[topic], _TOKEN_LIFE_S)
        await commands.execute()


async def _publish(redis: Redis, topic: str) -> None:
    await send(redis, "PUBLISH", _EVENTS, topic)
