"""Fakes of the ports, written by hand. Nothing here sleeps, waits for the real clock or touches a network."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import shake_256
from typing import TypeAlias

from gateway.errors import GatewayError, ProviderUnreachable
from gateway.events import Event
from gateway.model import HttpRequest, HttpResponse

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

Answer: TypeAlias = HttpResponse | GatewayError | Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]


@dataclass
class FixedClock:
    """`Clock`: stands still until it is set or advanced."""

    time: datetime = NOON

    def now(self) -> datetime:
        return self.time

    def set(self, time: datetime) -> None:
        self.time = time

    def advance(self, by: timedelta | float) -> None:
        """Go on by a duration, or by that many seconds."""
        self.time += by if isinstance(by, timedelta) else timedelta(seconds=by)


@dataclass
class CountingEntropy:
    """`Entropy`: the same bytes in every run, never the same bytes twice in one."""

    calls: int = 0

    def token(self, size: int) -> bytes:
        self.calls += 1
        return shake_256(b"entropy %d" % self.calls).digest(size)


@dataclass
class MemoryJournal:
    """`Journal`: keeps every event in `events`."""

    events: list[Event] = field(default_factory=list)

    def record(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Event]:
        """The events of one class."""
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class ScriptedHttp:
    """`HttpClient`: answers by (method, url) and records every request.

    An answer is a response, an error to raise, or a callable (plain or async) that takes the request. What nobody
    scripted is unreachable, as on a real network.
    """

    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    requests: list[HttpRequest] = field(default_factory=list)

    def on(self, method: str, url: str, answer: Answer) -> None:
        self.answers[method, url] = answer

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        answer = self.answers.get((request.method, request.url))
        if answer is None:
            raise ProviderUnreachable(f"nobody answers {request.method} {request.url}")
        if isinstance(answer, GatewayError):
            raise answer
        if isinstance(answer, HttpResponse):
            return answer
        reply = answer(request)
        return await reply if inspect.isawaitable(reply) else reply

    def sent(self, url: str) -> list[HttpRequest]:
        """The requests that went to one URL."""
        return [request for request in self.requests if request.url == url]


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An answer whose body is `value` as JSON."""
    body = json.dumps(value).encode()
    return HttpResponse(status=status, headers={"content-type": "application/json", **(headers or {})}, body=body)
