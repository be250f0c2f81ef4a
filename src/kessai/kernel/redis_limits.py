"""Rate limits that all processes share, counted in Redis by its own clock."""

from __future__ import annotations

from redis.asyncio import Redis

from kessai.kernel.limits import too_many
from kessai.kernel.redis_server import answer

_US = 1_000_000
# One number for a key: when its bucket is full again, in microseconds. It is gone when it is.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at = tonumber(redis.call('GET', KEYS[1])) or now
if full_at < now then full_at = now end
local next = full_at + ARGV[1]
local over = next - now - ARGV[2]
if over > 0 then return over end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
return 0
"""


class RedisRateLimit:
    """`requests` at once, then one each `period_s / requests`, whichever process is asked.

    Raises `Unknown("REDIS_UNAVAILABLE")` when Redis is down: nobody passes uncounted.
    """

    def __init__(
        self, client: Redis, name: str, *, requests: int, period_s: float, prefix: str = "kessai"
    ) -> None:
        self._take = client.register_script(_TAKE)
        self._prefix = f"{prefix}:limit:{name}:"
        self._period_us = round(period_s * _US)
        # Rounded down, so that as many as were promised pass.
        self._pace_us = max(1, self._period_us // requests)

    async def take(self, key: str) -> None:
        asked = self._take([f"{self._prefix}{key}"], [self._pace_us, self._period_us])
        over_us = int(await answer(asked))
        if over_us > 0:
            raise too_many(over_us / _US)
