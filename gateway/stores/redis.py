"""One-time marks and counts in a shared store (Redis 6.2 or later, Valkey).

Keys are digests: nothing that came from a browser or a provider stands there in clear. Times are given as durations, so
that our clock and the server's may differ; the server counts them down by its own.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Final

from gateway.errors import StoreError
from gateway.ports import Clock, Counter, Entropy, Tally
from gateway.stores.link import Link

OWNER_BYTES: Final = 16
SLACK: Final = timedelta(seconds=60)
"""A mark outlives its time by this: the clocks of the replicas, and the server's in the meantime, may be that far apart."""
MILLISECOND: Final = timedelta(milliseconds=1)

TAKE: Final = """
local most, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = redis.call('PTTL', KEYS[1])
local previous, current = 0, 0
if left <= 0 or left > 2 * window then
  left = 2 * window
else
  local counts = string.gmatch(redis.call('GET', KEYS[1]), '%d+')
  previous, current = tonumber(counts()), tonumber(counts())
  if left <= window then previous, current, left = current, 0, left + window end
end
local taken = previous * (left - window) / window + current < most
if taken then
  current = current + 1
  redis.call('SET', KEYS[1], previous .. ' ' .. current, 'PX', left)
end
return {taken and 1 or 0, previous, current, left - window}
"""
"""A count lives for two windows from the beginning of its own, so what is left of its life tells where in which of them it is.

One that has longer to live than that was written before the server's clock was set back: it would lock out for too long.
"""


class RedisReplayStore:
    """`ports.ReplayStore`. A mark holds the owner of the claim, drawn for each.

    A command whose answer was lost is sent again, and then finds a mark. Its owner tells whether that is its own.
    """

    def __init__(self, link: Link, *, clock: Clock, entropy: Entropy) -> None:
        self._link, self._clock, self._entropy = link, clock, entropy

    async def claim(self, key: str, until: datetime) -> bool:
        name, owner = stored_key("mark", key), base64.urlsafe_b64encode(self._entropy.token(OWNER_BYTES))
        lifetime = max(until - self._clock.now(), timedelta(0)) + SLACK
        if await self._link.send("SET", name, owner, "NX", "PX", lifetime // MILLISECOND):
            return True
        return bool(await self._link.send("GET", name) == owner)


class RedisCounter:
    """`ports.Counter`. While the store is down, each replica counts for itself."""

    def __init__(self, link: Link, *, local: Counter) -> None:
        self._link, self._local = link, local

    async def take(self, key: str, most: int, window: timedelta) -> Tally:
        if self._link.health.up is False:
            return await self._local.take(key, most, window)
        try:
            answer = await self._link.send("EVAL", TAKE, 1, stored_key("count", key), most, window // MILLISECOND)
        except StoreError:
            return await self._local.take(key, most, window)
        taken, previous, current, rest = map(int, answer)
        return Tally(taken=bool(taken), previous=previous, current=current, rest=rest / 1000)


def stored_key(kind: str, key: str) -> str:
    """How a key is called in the store."""
    return f"qlikgw:{kind}:{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"
