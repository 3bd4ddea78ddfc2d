"""Names, and the way to an address of theirs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from typing import Final, TypeAlias

from aiohappyeyeballs import AddrInfoType, start_connection

HAPPY_EYEBALLS_SECONDS = 0.25
"""How long one address of a name is tried alone before the next one is, too (RFC 8305 §5)."""
_Asked: TypeAlias = tuple[asyncio.AbstractEventLoop, str, int]
_UNDER_WAY: Final[dict[_Asked, asyncio.Future[list[AddrInfoType]]]] = {}


async def look_up(host: str, port: int) -> list[AddrInfoType]:
    """The addresses of a host. An address is its own: nobody is asked, and no thread waits. Raises OSError.

    Who asks for a name that is looked up already waits for the same answer. The system's resolver takes a thread and cannot be
    called off: a name whose server is silent would take one for each login, and soon no other name could be looked up.
    """
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        return await asyncio.shield(_under_way(asyncio.get_running_loop(), host, port))


def _under_way(loop: asyncio.AbstractEventLoop, host: str, port: int) -> asyncio.Future[list[AddrInfoType]]:
    asked = loop, host, port
    if asked not in _UNDER_WAY:
        _UNDER_WAY[asked] = answer = loop.create_task(_answer(*asked))
        answer.add_done_callback(partial(_over, asked))
    return _UNDER_WAY[asked]


async def _answer(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[AddrInfoType]:
    return list(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _over(asked: _Asked, answer: asyncio.Future[list[AddrInfoType]]) -> None:
    """Everybody may have given up by now: then a failure is nobody's."""
    del _UNDER_WAY[asked]
    if not answer.cancelled():
        answer.exception()


async def reach(addresses: Sequence[AddrInfoType]) -> socket.socket:
    """A socket that is connected to one of them. Raises OSError.

    asyncio's own race between addresses loses a socket when it is given up just as one has connected.
    """
    return await start_connection(addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS, interleave=1)
