"""How far behind the gateway is with its work, and how many logins may begin meanwhile.

One thread does all the work, so what arrives waits until all that arrived before has had its turn. How long shows in a
beat: a byte that we send to ourselves, and that waits like everybody's. A standing queue makes every beat late, a hiccup
(a pause of the machine, a large document) only one: hence the least of the last few counts, as in CoDel (RFC 8289 §3.2).
A beat that is long overdue says that the present wait is too long already. Neither counts while there are hardly any
requests: then it is the machine that has no time for us.

Logins begin at a pace: so many a beat, more while beats are in time, half as many after one that was late (AIMD, as in
TCP). So waits stay short, and what ends a login, which takes several turns, is not held up by what begins one. But a user
takes seconds or minutes at the provider, and what was begun lightly has to be ended then: so in the long run no more begin
than could be ended as well, by what requests have cost of late, and a quarter less while those ends are still to come.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from socket import socket, socketpair
from typing import NamedTuple

from aiohttp import StreamReader

from gateway.web import rounds

BEAT = 0.02
"""Seconds between beats."""
STANDING = 3
"""Beats that must all be late."""
LATE = 0.03
"""Seconds that a beat may be late before logins begin more slowly."""
LEAST_REQUESTS = 8
"""Requests since the beat before, without which a late one has another cause than they."""
MEMORY = 0.5
"""Seconds over which the speed is averaged."""
LONGEST_WAIT = 1.0
"""Seconds after which somebody who waits is turned away."""
LEAST_PACE, FIRST_PACE = 8, 50
"""Logins that may begin within a beat."""
COST_OF_END, COST_OF_OTHER = 4.0, 0.5
"""What the end of a login and any other request cost, where the beginning of one costs 1 (measured: 3.1 to 4.0 with OpenID Connect and
SAML's own engine, 3.6 and more with both opinions; 0.5 for somebody who is turned away)."""
ENOUGH_WORK = 100.0
"""Beginnings, or as much as they cost, that tell what one costs."""
SHORTEST_COUNT, LONGEST_COUNT = 0.25, 1.0
"""Seconds of a count. If there was not enough work in it, too much of what was spent had nothing to do with requests."""
FEW_OTHERS, BUSY = 0.3, 0.3
"""When it is learned: so few others beside logins, by what they cost, and so much of a core in use: else much of that is for nobody."""
RESERVED = 1.25
"""Time kept for others, by what they have taken: they come unevenly."""
UNSEEN = 1.4
"""By how much those ends of logins are reckoned dearer that are still to come: when they do, all else will be dearer, too."""
LEARNING = 0.3
"""Weight of a count by which logins cost more than before. One by which they cost less counts at once, so that more may begin."""
FIRST_CAPACITY, LEAST_CAPACITY = 500.0, 100.0
"""Whole logins in a second that there is time for, while nobody has shown what they cost, and in any case."""
RESERVE = 0.3
"""Seconds of beginnings that may be made up for."""


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
        self.ended = 0
        """Logins that ended with a ticket since then: nothing that only looks like a return makes them seem cheap."""
        self._whole = _Whole(self)
        self._late: deque[float] = deque([0.0] * STANDING, maxlen=STANDING)
        self._due = 0.0
        self._pace, self._begun = FIRST_PACE, 0
        self._may_begin = FIRST_PACE
        """Within this beat."""
        self._capacity = FIRST_CAPACITY
        """Whole logins in a second that there is time for."""
        self._cost = 1 / ((1 + COST_OF_END) * self._capacity)
        """Seconds of CPU time that a beginning takes, and as many times that as was said for the rest."""
        self._credit = self._capacity * RESERVE
        """Logins that may begin now, were it for the capacity alone."""
        self._logins = self._others = self._ends_seen = self._count_began = self._spent_before = 0.0
        self._speed = FIRST_PACE / BEAT
        """Logins that may begin in a second, as it was of late."""
        self._waiting: deque[_Waiting] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._ends: tuple[socket, socket] | None = None
        self._send: Callable[[], object] = bool

    def start(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._ends = near, far = socketpair()
        self._send = partial(near.send, b" ")
        rounds.turns().let_wait(far.fileno())
        loop.add_reader(far.fileno(), self._receive, far, loop)
        self._await_beat(loop)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._loop is not None and self._ends is not None:
            self._loop.remove_reader(self._ends[1].fileno())
            for end in self._ends:
                end.close()
        self._loop = self._handle = self._ends = None
        self._let_in(self._begun + len(self._waiting), 0.0)

    def standing(self) -> float:
        """Seconds that work has had to wait throughout the last beats."""
        return min(self._late)

    def overdue(self) -> float:
        """Seconds that the present beat is late already."""
        if self._loop is None or self.arrived < LEAST_REQUESTS:
            return 0.0
        return max(0.0, self._loop.time() - self._due)

    def queue(self) -> float:
        """Seconds that somebody will wait for a turn to begin a login, at the speed of the last beats."""
        return len(self._waiting) / self._speed

    def begins(self) -> bool:
        """Whether a login may begin without waiting; then it has begun."""
        at_once = self._loop is None or (not self._waiting and self._begun < self._may_begin)
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
        self._handle = loop.call_at(self._due, self._send)

    def _receive(self, far: socket, loop: asyncio.AbstractEventLoop) -> None:
        far.recv(1)
        self._beat(loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        passed = BEAT + max(0.0, loop.time() - self._due)
        late = passed - BEAT if self.arrived >= LEAST_REQUESTS else 0.0
        self._late.append(late)
        self._speed += min(1.0, passed / MEMORY) * (self._may_begin / passed - self._speed)
        if late > LATE:
            self._pace = max(LEAST_PACE, self._pace // 2)
        elif self._begun >= self._pace:
            self._pace += 1
        self._reckon(loop.time())
        self._credit = min(self._capacity * RESERVE, max(0.0, self._credit - self._begun) + self._capacity * passed)
        self._may_begin = max(1, min(self._pace, int(self._credit)))
        self.arrived = self.ended = self._begun = 0
        self._let_in(self._may_begin, loop.time())
        self._await_beat(loop)

    def _reckon(self, now: float) -> None:
        """How many whole logins a second there is time for, beside everything else that has taken time of late.

        What a login costs is learned while there is little else; what is spent beyond that goes to others.
        """
        self._logins += self._begun + COST_OF_END * self.ended
        self._ends_seen += self.ended
        self._others += COST_OF_OTHER * (self.arrived - self._begun - self.ended)
        seconds = now - self._count_began
        if seconds < (SHORTEST_COUNT if self._logins + self._others >= ENOUGH_WORK else LONGEST_COUNT):
            return
        spent = time.process_time()
        took = max(1e-6, spent - self._spent_before)
        if self._logins >= ENOUGH_WORK and self._others < FEW_OTHERS * self._logins and took > BUSY * seconds:
            cost = took / (self._logins + self._others)
            self._cost += min(0.0, cost - self._cost) or LEARNING * (cost - self._cost)
        elsewhere = max(0.0, took - self._logins * self._cost) / seconds
        self._capacity = max(LEAST_CAPACITY, _whole_logins((1 - RESERVED * elsewhere) / self._cost, self._ends_seen / seconds))
        self._logins, self._others, self._ends_seen, self._count_began, self._spent_before = 0.0, 0.0, 0.0, now, spent

    def _let_in(self, count: int, now: float) -> None:
        """The first ones in the queue; those whose browser is gone take nobody's turn."""
        while self._waiting and count > self._begun:
            since, turn, gone = self._waiting.popleft()
            if not turn.done():
                begins = now - since < LONGEST_WAIT and not gone()
                turn.set_result(begins)
                self._begun += begins


def _whole_logins(time_for: float, ends: float) -> float:
    """A second, where there is time for so many beginnings, or as much as they cost, and so many logins end now."""
    as_seen = time_for / (1 + COST_OF_END)
    return min(as_seen, (time_for + (UNSEEN - 1) * COST_OF_END * ends) / (1 + UNSEEN * COST_OF_END))
