"""Rate limits that all processes share, in Redis."""

from collections.abc import Sequence

from redis.asyncio import Redis

from gateway import metrics
from gateway.broker import Broker, BrokerAwayError, send
from gateway.limits.gcra import Level, Limit, Verdict, taken
from gateway.limits.local import LocalLimiter

# One call for all limits of a request, by the server's own clock. In and out: whole microseconds, which a double holds
# exactly until the year 2255. Out: for each limit what is left, how long to wait, and when all is there again.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local levels, ahead, allowed = {}, {}, true
for i, key in ipairs(KEYS) do
  local interval, tolerance, increment = tonumber(ARGV[3*i-2]), tonumber(ARGV[3*i-1]), tonumber(ARGV[3*i])
  ahead[i] = math.max(0, (tonumber(redis.call('GET', key)) or 0) - now)
  local late = math.max(0, ahead[i] + increment - tolerance)
  levels[3*i-2], levels[3*i-1], levels[3*i] = math.floor((tolerance - ahead[i]) / interval), late, ahead[i]
  allowed = allowed and late == 0
end
if allowed then
  for i, key in ipairs(KEYS) do
    local after = ahead[i] + tonumber(ARGV[3*i])
    redis.call('SET', key, string.format('%.0f', now + after), 'PX', math.ceil(after / 1000) + 1)
  end
end
return levels
"""
_PREFIX = "cro:limit:"


class SharedLimiter:
    """Limits in Redis, with two nets below it.

    A process never grants more than a whole limit, so emptying Redis opens nothing. While Redis is away, each process
    grants the share that falls to it when `processes` of them run.
    """

    def __init__(self, broker: Broker, processes: int) -> None:
        """Begin with everything there."""
        self._broker = broker
        self._processes = processes
        self._floor = LocalLimiter()
        self._shares = LocalLimiter()

    async def take(self, limits: Sequence[Limit]) -> Verdict:
        """Take one request from all of `limits`, or from none."""
        floor = self._floor.take_now(limits)
        if not floor.allowed:
            return floor
        try:
            verdict = await self._broker.ask(lambda redis: _take(redis, limits))
        except BrokerAwayError:
            metrics.LIMIT_FALLBACKS.inc()
            verdict = self._shares.take_now([limit.share(self._processes) for limit in limits])
        if not verdict.allowed:
            self._floor.give_back(limits)
        return verdict


async def _take(redis: Redis, limits: Sequence[Limit]) -> Verdict:
    keys = [_PREFIX + limit.key for limit in limits]
    numbers = [n for limit in limits for n in (limit.interval_us, limit.tolerance_us, limit.increment_us)]
    answer = await send(redis, "EVAL", _SCRIPT, len(keys), *keys, *numbers)
    levels = [
        Level(limit, int(answer[3 * i]), int(answer[3 * i + 1]), int(answer[3 * i + 2]))
        for i, limit in enumerate(limits)
    ]
    verdict = Verdict(tuple(levels))
    return Verdict(tuple(map(taken, levels))) if verdict.allowed else verdict
