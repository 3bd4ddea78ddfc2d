"""Pooled connections that tell a new one from one that lay idle: only the latter may be found dead, and be tried once more.

aiohttp's own traces tell it, too, at several times the cost of looking the connection up.
"""

from __future__ import annotations

from contextvars import ContextVar

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

_OPENED: ContextVar[bool] = ContextVar("this task's exchange opened a connection", default=False)


class NotingConnector(aiohttp.TCPConnector):
    """A pool. Between two calls of `begin_exchange`, `was_reused` says how this task's exchange came to its connection."""

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 (aiohttp's own signature)
    ) -> ResponseHandler:
        _OPENED.set(True)
        return await super()._create_connection(req, traces, timeout)


def begin_exchange() -> None:
    """Nothing is opened so far."""
    _OPENED.set(False)


def was_reused() -> bool:
    """Whether no connection had to be opened since."""
    return not _OPENED.get()
