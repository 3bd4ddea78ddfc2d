"""One connection: one request, one answer, and again while the other side keeps it."""

from __future__ import annotations

import asyncio

from gateway.exchange.messages import Answer, AnswerReader, MalformedAnswer, OversizeAnswer
from gateway.model import HttpResponse


class BrokenOff(ConnectionError):
    """The connection ended before an answer began."""


class Connection(asyncio.Protocol):
    """A connection while it lasts. What comes unasked, or after an answer, ends it: it could pass for the next one."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._dropped = False
        self._lost = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._answer: asyncio.Future[Answer] | None = None

    @property
    def usable(self) -> bool:
        """Whether another request can be sent, as far as anybody knows."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def lasts(self) -> bool:
        """Whether nobody has ended it here, and its end has not come: `usable` before the next request tells more."""
        return self._transport is not None and not self._dropped

    async def exchange(self, message: bytes, limit: int) -> HttpResponse:
        """One answer, whose body may take `limit` bytes.

        Raises an OSError (`BrokenOff` is one) where none began, `MalformedAnswer` or `OversizeAnswer` where it is not as it should be.
        """
        if self._transport is None or self._transport.is_closing():  # nothing that is written would be sent
            raise BrokenOff
        self._reader = AnswerReader(limit)
        self._answer = asyncio.get_running_loop().create_future()
        kept = False
        try:
            self._transport.write(message)
            answer = await self._answer
            kept = answer.keeps
        finally:
            self._reader = self._answer = None
            if not kept:
                self.drop()
        return answer.response

    def drop(self) -> None:
        """End it at once."""
        self._dropped = True
        if self._transport is not None:
            self._transport.abort()

    async def gone(self) -> None:
        """Wait until it has ended."""
        if self._transport is not None:
            await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # what is opened for a Protocol reads and writes

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self.drop()
            return
        try:
            answer = self._reader.feed(data)
        except (MalformedAnswer, OversizeAnswer) as error:
            self._settle(error)
        else:
            if answer is not None:
                self._settle(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost.set()
        if self._reader is None:
            return
        if not self._reader.begun:
            self._settle(exc or BrokenOff())
            return
        try:
            answer = None if exc else self._reader.end()
        except (MalformedAnswer, OversizeAnswer) as error:
            self._settle(error)
        else:
            self._settle(answer or MalformedAnswer("an answer that breaks off"))

    def _settle(self, outcome: Answer | Exception) -> None:
        """Whatever comes from now on belongs to no exchange."""
        self._reader = None
        if self._answer is None or self._answer.done():
            return
        if isinstance(outcome, Answer):
            self._answer.set_result(outcome)
        else:
            self._answer.set_exception(outcome)
