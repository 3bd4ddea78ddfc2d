"""Who was signed in for whom, in this process: enough for one replica.

A restart forgets all of it: then a logout finds nothing to end until the user has signed in anew, and `qlikgw revoke`, which
asks the nodes by the user's name, is the way that is left.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

from gateway.events import SignInDropped
from gateway.model import LogoutNotice, QlikUser, SignedIn
from gateway.ports import Clock, Journal

CAPACITY = 10_000
"""Entries held at most, the oldest goes first: about 30 MiB, most of it what the providers' logouts need."""

EACH = 200
"""Entries of one user in one virtual proxy at most, whose own oldest goes first: nobody pushes others out by signing in again and again."""

_Id = bytes
_Kept = tuple[SignedIn, tuple[_Id, ...]]
"""An entry with what it is found by."""


class MemorySessionIndex:
    """Bounded: by its capacity, and by each entry's own end."""

    def __init__(self, clock: Clock, *, journal: Journal | None = None, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._journal = journal
        self._capacity = capacity
        self._entries: OrderedDict[_Id, _Kept] = OrderedDict()
        self._found_by: dict[_Id, list[_Id]] = {}

    async def remember(self, entry: SignedIn) -> None:
        name = _name(entry)
        self._remove(name)
        keys = _keys(entry)
        self._entries[name] = entry, keys
        for key in keys:
            self._found_by.setdefault(key, []).append(name)
        of_user = self._found_by[keys[0]]
        if len(of_user) > EACH:
            self._remove(of_user[0])
        self._make_room()

    async def of_browser(self, browser: str) -> tuple[SignedIn, ...]:
        return self._live([_digest("browser", browser)])

    async def of_session(self, registration: str, notice: LogoutNotice) -> tuple[SignedIn, ...]:
        whose = (registration, notice.issuer)
        of_subject = [] if notice.subject is None else [_digest("subject", *whose, notice.subject)]
        if not notice.session_ids:
            return self._live(of_subject)
        sessions = self._live(_digest("session", *whose, session_id) for session_id in notice.session_ids)
        named = [entry for entry in sessions if notice.subject in {None, entry.session.subject}]
        nameless = [entry for entry in self._live(of_subject) if entry.session.session_id is None]
        return (*named, *nameless)

    async def of_user(self, virtual_proxy: str, user: QlikUser) -> tuple[SignedIn, ...]:
        return self._live([_user(virtual_proxy, user)])

    async def forget(self, entry: SignedIn) -> None:
        name = _name(entry)
        kept = self._entries.get(name)
        if kept is not None and kept[0] == entry:  # else the user has signed in anew meanwhile
            self._remove(name)

    def _live(self, keys: Iterable[_Id]) -> tuple[SignedIn, ...]:
        """The newest first."""
        now = self._clock.now()
        names = dict.fromkeys(name for key in keys for name in self._found_by.get(key, ()))
        return tuple(entry for name in reversed(names) if (entry := self._entries[name][0]).expires_at > now)

    def _make_room(self) -> None:
        now = self._clock.now()
        while self._entries:
            name, (oldest, _) = next(iter(self._entries.items()))
            live = oldest.expires_at > now
            if live and len(self._entries) <= self._capacity:
                return
            if live and self._journal is not None:
                self._journal.record(SignInDropped(virtual_proxy=oldest.virtual_proxy))
            self._remove(name)

    def _remove(self, name: _Id) -> None:
        kept = self._entries.pop(name, None)
        if kept is None:
            return
        for key in kept[1]:
            found = self._found_by[key]
            found.remove(name)
            if not found:
                del self._found_by[key]

    def __len__(self) -> int:
        return len(self._entries)


def _name(entry: SignedIn) -> _Id:
    session, user = entry.session, entry.user
    return _digest(
        "entry",
        entry.browser,
        entry.virtual_proxy,
        entry.registration,
        session.issuer,
        session.subject,
        session.session_id,
        user.directory,
        user.user_id,
    )


def _keys(entry: SignedIn) -> tuple[_Id, ...]:
    """What it is found by, its user first."""
    session, whose = entry.session, (entry.registration, entry.session.issuer)
    keys = (_user(entry.virtual_proxy, entry.user), _digest("browser", entry.browser), _digest("subject", *whose, session.subject))
    return keys if session.session_id is None else (*keys, _digest("session", *whose, session.session_id))


def _user(virtual_proxy: str, user: QlikUser) -> _Id:
    return _digest("user", virtual_proxy, user.directory.casefold(), user.user_id.casefold())


def _digest(*parts: str | None) -> _Id:
    return hashlib.blake2b(repr(parts).encode(errors="surrogatepass"), digest_size=16).digest()
