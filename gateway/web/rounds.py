"""The event loop's rounds, kept short however much arrives.

asyncio works off all that has arrived before it looks again. Two thousand requests at once make one round of half a second, and
what ends a login, which takes a dozen rounds, waits for six. Here what comes from browsers is given to the loop a few at a time,
in the order in which it came, and everything else in between: answers of nodes and providers, new connections, timers.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap, deque
from collections.abc import Coroutine, Mapping
from selectors import EVENT_READ, BaseSelector, DefaultSelector, SelectorKey
from typing import Any, Final, TypeVar, cast

Result = TypeVar("Result")
Ready = list[tuple[SelectorKey, int]]

AT_ONCE: Final = 64
"""Of those that wait for their turn, in a round."""


class Turns(BaseSelector):
    """Three selectors in one: for what is told at once, for what waits for its turn, and for what is not looked at for a while."""

    def __init__(self) -> None:
        self._outer, self._inner, self._parked = DefaultSelector(), DefaultSelector(), DefaultSelector()
        self._bell = self._outer.register(self._inner.fileno(), EVENT_READ)
        self._places: dict[int, BaseSelector] = {}
        """Of file descriptors that are not in the outer one, or shall not be."""
        self._left: deque[tuple[SelectorKey, int]] = deque()
        """What the inner one has told and the loop has not been given."""
        maps = (cast("dict[Any, SelectorKey]", one.get_map()) for one in (self._inner, self._outer, self._parked))
        self._watched = ChainMap(*maps)

    def let_wait(self, fd: int) -> None:
        """From now on it waits for its turn, until it is watched no more."""
        self._move(fd, self._inner)

    def forget(self, fd: int) -> None:
        """One that shall wait, that nobody watches, and whose number is the next one's. What is closed already (-1) was let go before."""
        if fd >= 0 and self._watched.get(fd) is None:
            self._places.pop(fd, None)

    def park(self, fd: int) -> None:
        """Leave what arrives there to the system for now, if it is watched."""
        if self._watched.get(fd) is not None:
            self._move(fd, self._parked)

    def look_again(self, fd: int) -> None:
        """At one that was parked and is still watched."""
        if self._places.get(fd) is self._parked:
            self._move(fd, self._outer)

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:  # noqa: ANN401
        return self._of(fileobj).register(fileobj, events, data)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:  # noqa: ANN401
        return self._of(fileobj).modify(fileobj, events, data)

    def unregister(self, fileobj: Any) -> SelectorKey:  # noqa: ANN401
        key = self._of(fileobj).unregister(fileobj)
        self._places.pop(key.fd, None)
        return key

    def get_key(self, fileobj: Any) -> SelectorKey:  # noqa: ANN401
        return self._of(fileobj).get_key(fileobj)

    def get_map(self) -> Mapping[Any, SelectorKey]:
        return self._watched

    def select(self, timeout: float | None = None) -> Ready:
        """As any selector. What was left and is watched otherwise by now is left out: the system tells it again."""
        ready = self._outer.select(0 if self._left else timeout)
        told = [one for one in ready if one[0] is not self._bell]
        if len(told) < len(ready) and not self._left:
            self._left.extend(self._inner.select(0))
        watched = self._inner.get_map()
        few = [self._left.popleft() for _ in range(min(AT_ONCE, len(self._left)))]
        return told + [one for one in few if watched.get(one[0].fd) is one[0]]

    def close(self) -> None:
        for one in (self._inner, self._parked, self._outer):
            one.close()

    def _of(self, fileobj: Any) -> BaseSelector:  # noqa: ANN401
        return self._places.get(fileobj, self._outer)

    def _move(self, fd: int, to: BaseSelector) -> None:
        key = self._watched.get(fd)
        if key is not None:
            self._of(fd).unregister(fd)
            to.register(fd, key.events, key.data)
        self._places[fd] = to


class Loop(asyncio.SelectorEventLoop):
    """asyncio's, in short rounds."""

    def __init__(self) -> None:
        self.turns = Turns()
        super().__init__(self.turns)


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` with it."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main)


class NoTurns:
    """Of a loop that is not ours: nothing waits there, and nothing is parked."""

    def _nothing(self, fd: int) -> None:
        """Whatever is asked."""

    let_wait = forget = park = look_again = _nothing


def turns() -> Turns | NoTurns:
    """Those of the running loop."""
    loop = asyncio.get_running_loop()
    return loop.turns if isinstance(loop, Loop) else NoTurns()
