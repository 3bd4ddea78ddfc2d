"""How far behind the gateway is with its work: what tells overload from a busy minute.

One thread does all the work, so work that waits shows in a timer that comes late. A standing queue makes every beat late,
a hiccup (a pause of the machine, a large document) only one: hence the least of the last few counts, as in CoDel
(RFC 8289 §3.2). A beat that is long overdue says that the present round of work is too long already. Neither counts while
there are hardly any requests: then it is the machine that has no time for us, and turning people away would not help.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

BEAT = 0.02
"""Seconds between beats."""
STANDING = 3
"""Beats that must all be late."""
LEAST_REQUESTS = 8
"""Requests since the beat before, without which a late one has another cause than they."""


class Pressure:
    """Measures one event loop from `start` to `stop`; before and after, there is none."""

    def __init__(self) -> None:
        self.in_hand = 0
        """Requests that are being worked on."""
        self.arrived = 0
        """Requests since the last beat."""
        self._late: deque[float] = deque([0.0] * STANDING, maxlen=STANDING)
        self._due = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._await_beat(self._loop)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._loop = self._handle = None

    def standing(self) -> float:
        """Seconds that work has had to wait throughout the last beats."""
        return min(self._late)

    def overdue(self) -> float:
        """Seconds by which the present round of work is too long already."""
        if self._loop is None or self.arrived < LEAST_REQUESTS:
            return 0.0
        return max(0.0, self._loop.time() - self._due)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """One request in hand."""
        self.in_hand += 1
        try:
            yield
        finally:
            self.in_hand -= 1

    def _await_beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + BEAT
        self._handle = loop.call_at(self._due, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._late.append(max(0.0, loop.time() - self._due) if self.arrived >= LEAST_REQUESTS else 0.0)
        self.arrived = 0
        self._await_beat(loop)
