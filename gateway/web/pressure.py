"""How far behind the gateway is with its work, and how many logins may begin meanwhile.

One thread does all the work, so work that waits shows in a timer that comes late: a beat. A standing queue makes every
beat late, a hiccup (a pause of the machine, a large document) only one: hence the least of the last few counts, as in
CoDel (RFC 8289 §3.2). A beat that is long overdue says that the present round of work is too long already. Neither
counts while there are hardly any requests: then it is the machine that has no time for us.

Logins begin at a pace: so many a beat, more while beats are in time, half as many after one that was late (AIMD, as in
TCP). So rounds of work stay short, and what ends a login, which takes a dozen rounds, is not held up by what begins one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from aiohttp import StreamReader

BEAT = 0.02
"""Seconds between beats."""
STANDING = 3
"""Beats that must all be late."""
LATE = 0.03
"""Seconds that a round of work may be longer than a beat before logins begin more slowly."""
LEAST_REQUESTS = 8
"""Requests since the beat before, without which a late one has another cause than they."""
MEMORY = 0.5
"""Seconds over which the speed is averaged."""
LONGEST_WAIT = 1.2
"""Seconds after which somebody who waits is turned away."""
LEAST_PACE, FIRST_PACE, MOST_PACE = 8, 50, 200
"""Logins that may begin within a beat."""


class _Waiting(NamedTuple):
    since: float
    turn: asyncio.Future[bool]
    gone: Callable[[], bool]


class _Whole:
    """Any request whose body is here, counted within a block."""

    __slots__ = ("_pressure",)

    def __init__(self, pressure: Pressure) -> None:
        self._pressure = pressure

    def __enter__(self) -> None:
        self._pressure.in_hand += 1

    def __exit__(self, *_: object) -> None:
        self._pressure.in_hand -= 1


class _InHand:
    """One request, counted within a block from the moment that its body is here."""

    __slots__ = ("_body", "_here", "_over", "_pressure")

    def __init__(self, pressure: Pressure, body: StreamReader) -> None:
        self._pressure, self._body = pressure, body
        self._here = self._over = False

    def __enter__(self) -> None:
        self._body.on_eof(self._begin)

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._pressure.in_hand -= self._here

    def _begin(self) -> None:
        self._here = not self._over
        self._pressure.in_hand += self._here


class Pressure:
    """Measures one event loop from `start` to `stop`; before and after, there is none, and logins begin as they come."""

    def __init__(self) -> None:
        self.in_hand = 0
        """Requests that are being worked on."""
        self.arrived = 0
        """Requests since the last beat."""
        self._whole = _Whole(self)
        self._late: deque[float] = deque([0.0] * STANDING, maxlen=STANDING)
        self._due = 0.0
        self._pace, self._begun = FIRST_PACE, 0
        self._speed = FIRST_PACE / BEAT
        """Logins that may begin in a second, as it was of late."""
        self._waiting: deque[_Waiting] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._await_beat(self._loop)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._loop = self._handle = None
        self._let_in(self._begun + len(self._waiting), 0.0)

    def standing(self) -> float:
        """Seconds that work has had to wait throughout the last beats."""
        return min(self._late)

    def overdue(self) -> float:
        """Seconds by which the present round of work is too long already."""
        if self._loop is None or self.arrived < LEAST_REQUESTS:
            return 0.0
        return max(0.0, self._loop.time() - self._due)

    def queue(self) -> float:
        """Seconds that somebody will wait for a turn to begin a login, at the speed of the last beats."""
        return len(self._waiting) / self._speed

    def begins(self) -> bool:
        """Whether a login may begin without waiting; then it has begun."""
        at_once = self._loop is None or (not self._waiting and self._begun < self._pace)
        self._begun += at_once
        return at_once

    async def turn(self, gone: Callable[[], bool] = bool) -> bool:
        """Wait until a login may begin. False: it took too long, because things went more slowly than they did when it came.

        `gone`: whether its browser has gone away meanwhile; then it is False, too.
        """
        if self.begins() or self._loop is None:
            return True
        turn: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append(_Waiting(self._loop.time(), turn, gone))
        return await turn

    def counted(self, body: StreamReader) -> AbstractContextManager[None]:
        """One request in hand, from when its body is here: nobody works on it before, and who sends it may be slow on purpose."""
        return self._whole if body.is_eof() else _InHand(self, body)

    def _await_beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + BEAT
        self._handle = loop.call_at(self._due, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        passed = BEAT + max(0.0, loop.time() - self._due)
        late = passed - BEAT if self.arrived >= LEAST_REQUESTS else 0.0
        self._late.append(late)
        self._speed += min(1.0, passed / MEMORY) * (self._pace / passed - self._speed)
        if late > LATE:
            self._pace = max(LEAST_PACE, self._pace // 2)
        elif self._begun >= self._pace:
            self._pace = min(MOST_PACE, self._pace + 1)
        self.arrived = self._begun = 0
        self._let_in(self._pace, loop.time())
        self._await_beat(loop)

    def _let_in(self, count: int, now: float) -> None:
        """The first ones in the queue; those whose browser is gone take nobody's turn."""
        while self._waiting and count > self._begun:
            since, turn, gone = self._waiting.popleft()
            if not turn.done():
                begins = now - since < LONGEST_WAIT and not gone()
                turn.set_result(begins)
                self._begun += begins
