"""Who was signed in for whom, in a shared store: every replica finds what any of them has to end.

Nothing stands there in clear, and nobody can be known by it: entries are sealed, and what they are found by are keyed
digests. All keys carry one hash tag, so that in a cluster they lie on one node and each step is one script there: an
entry is in the index whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.errors import BrowserError
from gateway.model import IdpSession, LogoutNotice, QlikUser, SignedIn
from gateway.ports import Clock, Entropy
from gateway.sealing import NONCE_SIZE, Pseudonyms, Sealer
from gateway.stores.link import Link, Word

PURPOSE: Final = "sign-ins in a shared store"
CAPACITY: Final = 100_000
"""Entries at most, over all replicas; the one that ends first goes first. About 3 KB each, most of it what a provider's logout needs."""
EACH: Final = 200
"""Entries of one user in one virtual proxy at most, whose own oldest go first: nobody pushes others out by signing in again and again.

A browser, session or subject is found with as many, and beyond that with one of each user in each virtual proxy, which is enough to end
all sessions there: nobody keeps a session back by signing in elsewhere again and again.
"""
LONGEST: Final = 32 * 1024
"""Characters of a sealed entry."""
SLACK: Final = timedelta(seconds=60)
MILLISECOND: Final = timedelta(milliseconds=1)
_KEY: Final = "qlikgw:{sign-ins}:"
ENTRIES, ENDS, NUMBER = _KEY + "entries", _KEY + "ends", _KEY + "number"

REMEMBER: Final = """
local entries, ends, name, lifetime = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[5])
local function drop(names)
  for _, gone in ipairs(names) do redis.call('HDEL', entries, gone) redis.call('ZREM', ends, gone) end
end
local function keep(key)
  if redis.call('PTTL', key) < lifetime then redis.call('PEXPIRE', key, lifetime) end
end
drop(redis.call('ZRANGEBYSCORE', ends, '-inf', ARGV[4], 'LIMIT', 0, 100))
redis.call('HSET', entries, name, ARGV[2])
redis.call('ZADD', ends, ARGV[3], name)
local surplus = redis.call('ZCARD', ends) - tonumber(ARGV[6])
if surplus > 0 then drop(redis.call('ZRANGE', ends, 0, surplus - 1)) end
local number = redis.call('INCR', KEYS[3])
for i = 4, #KEYS do
  for _, other in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
    if redis.call('HEXISTS', entries, other) == 0 then redis.call('ZREM', KEYS[i], other) end
  end
  redis.call('ZADD', KEYS[i], number, name)
  local many = redis.call('ZCARD', KEYS[i]) - tonumber(ARGV[7])
  if i == 5 and many > 0 then
    drop(redis.call('ZRANGE', KEYS[i], 0, many - 1))
    redis.call('ZREMRANGEBYRANK', KEYS[i], 0, many - 1)
  elseif many > 0 then
    for _, other in ipairs(redis.call('ZRANGE', KEYS[i], 0, -2)) do
      if many > 0 and redis.call('ZSCORE', KEYS[5], other) then many = many - redis.call('ZREM', KEYS[i], other) end
    end
  end
end
for _, key in ipairs(KEYS) do keep(key) end
return 1
"""
FIND: Final = """
local found = {}
for i = 2, #KEYS do
  for _, name in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
    local entry = redis.call('HGET', KEYS[1], name)
    if entry then found[#found + 1] = name found[#found + 1] = entry end
  end
end
return found
"""
FORGET: Final = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
"""


class RedisSessionIndex:
    """`ports.SessionIndex`. Made anew for each key ring; what was sealed with a key that is gone is not found any more."""

    def __init__(self, link: Link, *, ring: Sequence[bytes], clock: Clock, entropy: Entropy, capacity: int = CAPACITY) -> None:
        self._link, self._clock, self._entropy, self._capacity = link, clock, entropy, capacity
        self._sealer, self._names = Sealer(ring, purpose=PURPOSE, longest=LONGEST), Pseudonyms(ring, purpose=PURPOSE)

    async def remember(self, entry: SignedIn) -> None:
        now, (name, *_) = self._clock.now(), self._names.of(_name(entry))
        sealed = self._sealer.seal(_plain(entry), context=name, nonce=self._entropy.token(NONCE_SIZE))
        keys = [ENTRIES, ENDS, NUMBER, *(_KEY + self._names.of(way)[0] for way in _ways(entry))]
        lifetime = max(entry.expires_at - now, timedelta(0)) + SLACK
        arguments: list[Word] = [
            name,
            sealed,
            _milliseconds(entry.expires_at),
            _milliseconds(now),
            lifetime // MILLISECOND,
            self._capacity,
            EACH,
        ]
        await self._link.send("EVAL", REMEMBER, len(keys), *keys, *arguments)

    async def of_browser(self, browser: str) -> tuple[SignedIn, ...]:
        return await self._find([_way("browser", browser)])

    async def of_session(self, registration: str, notice: LogoutNotice) -> tuple[SignedIn, ...]:
        whose = (registration, notice.issuer)
        of_subject = () if notice.subject is None else await self._find([_way("subject", *whose, notice.subject)])
        if not notice.session_ids:
            return of_subject
        sessions = await self._find(_way("session", *whose, session_id) for session_id in notice.session_ids)
        named = [entry for entry in sessions if notice.subject in {None, entry.session.subject}]
        nameless = [entry for entry in of_subject if entry.session.session_id is None]
        return (*named, *nameless)

    async def of_user(self, virtual_proxy: str, user: QlikUser) -> tuple[SignedIn, ...]:
        return await self._find([_user(virtual_proxy, user)])

    async def forget(self, entry: SignedIn) -> None:
        """If the user has signed in anew meanwhile, another entry has its name and stays. What it was found by is tidied up later."""
        for name in self._names.of(_name(entry)):
            sealed = await self._link.send("HGET", ENTRIES, name)
            if sealed is not None and self._opened(name, sealed) == entry:
                await self._link.send("EVAL", FORGET, 2, ENTRIES, ENDS, name, sealed)

    async def _find(self, ways: Iterable[str]) -> tuple[SignedIn, ...]:
        """The newest first."""
        keys = [_KEY + name for way in ways for name in self._names.of(way)]
        flat = await self._link.send("EVAL", FIND, len(keys) + 1, ENTRIES, *keys)
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        entries = [self._opened(name.decode(), sealed) for name, sealed in reversed(found.items())]
        now = self._clock.now()
        return tuple(entry for entry in entries if entry is not None and entry.expires_at > now)

    def _opened(self, name: str, sealed: bytes) -> SignedIn | None:
        try:
            return _entry(self._sealer.open(sealed.decode("ascii"), context=name))
        except (BrowserError, ValueError, TypeError, LookupError):
            return None  # sealed with a key that is gone, or by another version


def _plain(entry: SignedIn) -> bytes:
    session, user = entry.session, entry.user
    fields = [
        entry.browser,
        entry.virtual_proxy,
        entry.idp,
        entry.registration,
        [session.issuer, session.subject, session.session_id],
        [user.directory, user.user_id],
        entry.memo,
        entry.signed_in_at.isoformat(),
        entry.expires_at.isoformat(),
    ]
    return json.dumps(fields, separators=(",", ":")).encode()


def _entry(plain: bytes) -> SignedIn:
    browser, virtual_proxy, idp, registration, (issuer, subject, session_id), (directory, user_id), memo, began, ends = json.loads(plain)
    return SignedIn(
        browser=browser,
        virtual_proxy=virtual_proxy,
        idp=idp,
        registration=registration,
        session=IdpSession(issuer=issuer, subject=subject, session_id=session_id),
        user=QlikUser(directory=directory, user_id=user_id),
        memo=memo,
        signed_in_at=datetime.fromisoformat(began),
        expires_at=datetime.fromisoformat(ends),
    )


def _name(entry: SignedIn) -> str:
    """The same for two sign-ins of which the later takes the place of the earlier."""
    session, user = entry.session, entry.user
    whose = (entry.browser, entry.virtual_proxy, entry.registration, session.issuer, session.subject, session.session_id)
    return _way("entry", *whose, user.directory, user.user_id)


def _ways(entry: SignedIn) -> list[str]:
    """What it is found by. `REMEMBER` takes the second for the user's."""
    session, whose = entry.session, (entry.registration, entry.session.issuer)
    ways = [_way("browser", entry.browser), _user(entry.virtual_proxy, entry.user), _way("subject", *whose, session.subject)]
    return ways if session.session_id is None else [*ways, _way("session", *whose, session.session_id)]


def _user(virtual_proxy: str, user: QlikUser) -> str:
    """Qlik Sense compares names without case."""
    return _way("user", virtual_proxy, user.directory.casefold(), user.user_id.casefold())


def _way(*parts: str | None) -> str:
    return json.dumps(parts)


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
