"""Who was signed in for whom, in this process: enough for one replica.

A restart forgets all of it: then a logout finds nothing to end until the user has signed in anew, and `qlikgw revoke`, which
asks the nodes by the user's name, is the way that is left.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final, TypeAlias

from gateway.events import SignInDropped
from gateway.model import IdpSession, LogoutNotice, QlikUser, SignedIn
from gateway.ports import Clock, Journal
from gateway.stores.drawers import places

CAPACITY = 10_000
"""Entries held at most, the oldest goes first: about 5 MiB; 22 MiB where a provider's logout needs tokens of 1.2 KB."""

EACH = 200
"""Entries of one user in one virtual proxy at most, whose own oldest goes first: nobody pushes others out by signing in again and again."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DRAWER_BITS: Final = 12
_DRAWERS: Final = 1 << _DRAWER_BITS
_SIXTY_BITS: Final = (1 << 60) - 1
_WAYS: Final = 5
"""By which an entry is found, at most."""
_TAIL: Final = Struct(f">{_WAYS}QQ")
_END_BYTES: Final = 8
_MARK: Final = 6
_NUMBER: Final = 6
RECORD: Final = _MARK + _NUMBER
_Way: TypeAlias = tuple[str | None, ...]
_Plain: TypeAlias = tuple[str, str, str, str, str, str, str | None, str, str, str | None, int, int]
"""An entry as it is kept: packed, it takes a fifth."""


class MemorySessionIndex:
    """Bounded: by its capacity, and by each entry's own end.

    Entries are kept packed and by their running number. What leads to them lies in drawers, of which each is one text of bytes:
    a record is what of a way's hash does not say which drawer it lies in, and a number. What it leads to is looked at: two ways
    may share a hash.
    """

    def __init__(self, clock: Clock, *, journal: Journal | None = None, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._journal = journal
        self._capacity = capacity
        self._entries: dict[int, bytes] = {}
        self._drawers = [b""] * _DRAWERS
        self._oldest = self._next = 0

    async def remember(self, entry: SignedIn) -> None:
        plain = _plain(entry)
        ways = _ways(plain)
        for number in self._led_to(ways[0]):
            self._remove(number)
        hashes = [_hash(way) for way in ways]
        self._add(plain, hashes)
        numbers = self._numbers(hashes[1])
        if len(numbers) > EACH:
            self._remove(numbers[0])
        self._make_room()

    async def of_browser(self, browser: str) -> tuple[SignedIn, ...]:
        return self._live([("browser", browser)])

    async def of_session(self, registration: str, notice: LogoutNotice) -> tuple[SignedIn, ...]:
        whose = (registration, notice.issuer)
        of_subject = [] if notice.subject is None else [("subject", *whose, notice.subject)]
        if not notice.session_ids:
            return self._live(of_subject)
        sessions = self._live(("session", *whose, session_id) for session_id in notice.session_ids)
        named = [entry for entry in sessions if notice.subject in {None, entry.session.subject}]
        nameless = [entry for entry in self._live(of_subject) if entry.session.session_id is None]
        return (*named, *nameless)

    async def of_user(self, virtual_proxy: str, user: QlikUser) -> tuple[SignedIn, ...]:
        return self._live([_user(virtual_proxy, user.directory, user.user_id)])

    async def forget(self, entry: SignedIn) -> None:
        plain = _plain(entry)
        for number, kept in self._led_to(_name(plain)).items():
            if kept == plain:  # else the user has signed in anew meanwhile
                self._remove(number)

    def _live(self, ways: Iterable[_Way]) -> tuple[SignedIn, ...]:
        """The newest first."""
        now = self._clock.now()
        found = {number: plain for way in ways for number, plain in self._led_to(way).items()}
        entries = map(_entry, reversed(found.values()))
        return tuple(entry for entry in entries if entry.expires_at > now)

    def _led_to(self, way: _Way) -> dict[int, _Plain]:
        return {number: plain for number in self._numbers(_hash(way)) if way in _ways(plain := _unpacked(self._entries[number]))}

    def _numbers(self, hashed: int) -> list[int]:
        """Where ways with this hash lead to, the oldest first."""
        place, mark = _place(hashed)
        drawer = self._drawers[place]
        return [int.from_bytes(drawer[at + _MARK : at + RECORD]) for at in places(mark, drawer, RECORD)]

    def _add(self, plain: _Plain, hashes: Sequence[int]) -> None:
        number, self._next = self._next, self._next + 1
        self._entries[number] = _packed(plain, hashes)
        told = number.to_bytes(_NUMBER)
        for place, mark in map(_place, hashes):
            self._drawers[place] += mark + told

    def _make_room(self) -> None:
        now = _microseconds(self._clock.now())
        while self._entries:
            while self._oldest not in self._entries:
                self._oldest += 1
            packed = self._entries[self._oldest]
            live = _end(packed) > now
            if live and len(self._entries) <= self._capacity:
                return
            if live and self._journal is not None:
                self._journal.record(SignInDropped(virtual_proxy=_unpacked(packed)[1]))
            self._remove(self._oldest)

    def _remove(self, number: int) -> None:
        told = number.to_bytes(_NUMBER)
        for place, mark in map(_place, _hashes(self._entries.pop(number))):
            drawer = self._drawers[place]
            for at in places(mark + told, drawer, RECORD)[:1]:
                self._drawers[place] = drawer[:at] + drawer[at + RECORD :]

    def __len__(self) -> int:
        return len(self._entries)


def _plain(entry: SignedIn) -> _Plain:
    session, user = entry.session, entry.user
    return (
        entry.browser,
        entry.virtual_proxy,
        entry.idp,
        entry.registration,
        session.issuer,
        session.subject,
        session.session_id,
        user.directory,
        user.user_id,
        entry.memo,
        _microseconds(entry.signed_in_at),
        _microseconds(entry.expires_at),
    )


def _packed(plain: _Plain, hashes: Sequence[int]) -> bytes:
    """With what it takes to put it away behind it, to be told without unpacking: the hashes of its ways, and its end."""
    return marshal.dumps(plain) + _TAIL.pack(hashes[0], *hashes[-_WAYS + 1 :], plain[-1])


def _unpacked(packed: bytes) -> _Plain:
    plain: _Plain = marshal.loads(packed)  # noqa: S302 - bytes of this process; what comes behind is left alone
    return plain


def _end(packed: bytes) -> int:
    return int.from_bytes(packed[-_END_BYTES:])


def _hashes(packed: bytes) -> tuple[int, ...]:
    """One may come twice."""
    return _TAIL.unpack_from(packed, len(packed) - _TAIL.size)[:-1]


def _entry(plain: _Plain) -> SignedIn:
    browser, virtual_proxy, idp, registration, issuer, subject, session_id, directory, user_id, memo, began, ends = plain
    return SignedIn(
        browser=browser,
        virtual_proxy=virtual_proxy,
        idp=idp,
        registration=registration,
        session=IdpSession(issuer=issuer, subject=subject, session_id=session_id),
        user=QlikUser(directory=directory, user_id=user_id),
        memo=memo,
        signed_in_at=_EPOCH + began * _MICROSECOND,
        expires_at=_EPOCH + ends * _MICROSECOND,
    )


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _ways(plain: _Plain) -> tuple[_Way, ...]:
    """What an entry is found by: its name, its user, and what else."""
    browser, virtual_proxy, _, registration, issuer, subject, session_id, directory, user_id, *_ = plain
    ways = (
        _name(plain),
        _user(virtual_proxy, directory, user_id),
        ("browser", browser),
        ("subject", registration, issuer, subject),
    )
    return ways if session_id is None else (*ways, ("session", registration, issuer, session_id))


def _name(plain: _Plain) -> _Way:
    """The same for two sign-ins of which the later takes the place of the earlier."""
    browser, virtual_proxy, _, *names, _, _, _ = plain
    return ("entry", browser, virtual_proxy, *names)


def _user(virtual_proxy: str, directory: str, user_id: str) -> _Way:
    """Qlik Sense compares names without case."""
    return ("user", virtual_proxy, directory.casefold(), user_id.casefold())


def _hash(way: _Way) -> int:
    """Nobody outside can make two ways share one: Python draws a secret for its hashes at each start."""
    return hash(way) & _SIXTY_BITS


def _place(hashed: int) -> tuple[int, bytes]:
    """A drawer, and what its records begin with."""
    return hashed & (_DRAWERS - 1), (hashed >> _DRAWER_BITS).to_bytes(_MARK)
