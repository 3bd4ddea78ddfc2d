"""The users of the driver: browsers that go from a virtual proxy's redirect to the ticket, and as many of them at once as asked for."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode, urljoin, urlsplit

from tests.bench import wire
from tests.bench.identity_provider import IdentityProvider, Step

MOST_HOPS = 10
REDIRECTS = {301, 302, 303, 307}
NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "User-Agent": "bench",
}
ERROR_CODE = re.compile(rb"QGW-\d+")
FORM = re.compile(r'<form[^>]*action="([^"]*)"', re.IGNORECASE)
FIELD = re.compile(r'<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"', re.IGNORECASE)


class LoginFailed(Exception):
    """A login did not end where it should."""


class TurnedAway(LoginFailed):
    """For now: 503, and when to come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A login at one system. `start`: the first URL, with `{target}` for a fresh targetId; `ends`: what its last answer must say.

    `address`: where its origin is reached, whatever that is called. `inner`: redirects after the return that still belong to
    the login.
    """

    start: str
    ends: re.Pattern[str]
    address: tuple[str, int]
    inner: re.Pattern[str] | None = None


class Browser:
    """One user's browser: a connection that is kept, and a fresh cookie jar for every login.

    `connections`: those that rest, where many share them as behind a proxy. None: of its own.
    """

    def __init__(self, journey: Journey, provider: IdentityProvider, connections: list[wire.ClientSide] | None = None) -> None:
        self._journey, self._provider = journey, provider
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(journey.start))
        self.resting: list[wire.ClientSide] = [] if connections is None else connections
        """Connections that wait for their next request."""
        self._jar: dict[str, str] = {}

    async def login(self) -> None:
        """One whole login. Raises `LoginFailed`."""
        await self.come_back(await self.leave())

    async def leave(self) -> Step:
        """The first half: sent to the provider. What comes back from there."""
        self._jar.clear()
        step = Step(self._journey.start.replace("{target}", str(uuid.uuid4())))
        for _ in range(MOST_HOPS):
            if step.url.startswith(self._provider.issuer):
                return self._provider.continues(step)
            step = _next(step, await self._visit(step))
        raise LoginFailed("never sent to the provider")

    async def come_back(self, step: Step) -> None:
        """The second half."""
        inner = self._journey.inner
        for _ in range(MOST_HOPS):
            answer = await self._visit(step)
            if inner is None or not inner.search(answer.headers.get("location", "")):
                break
            step = _next(step, answer)
        said = "\n".join([answer.headers.get("location", ""), *answer.cookies])
        if answer.status not in REDIRECTS | {200} or not self._journey.ends.search(said):
            code = ERROR_CODE.search(answer.body)
            raise LoginFailed(f"ended with {answer.status}{f' {code[0].decode()}' if code else ''}")

    def close(self) -> None:
        """All connections that rest."""
        for connection in self.resting:
            connection.close()
        self.resting.clear()

    async def _visit(self, step: Step) -> wire.Message:
        if not step.url.startswith(self._origin):
            raise LoginFailed(f"sent to a stranger: {step.url[:100]}")
        headers = NAVIGATION | {"Host": self._origin.partition("://")[2]}
        if self._jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._jar.items())
        target = step.url.removeprefix(self._origin) or "/"
        if step.form is None:
            data = wire.request("GET", target, headers)
        else:
            data = wire.request("POST", target, headers | {"Content-Type": "application/x-www-form-urlencoded"}, step.form.encode())
        answer = await self._exchange(data)
        for line in answer.cookies:
            self._keep(line)
        return answer

    async def _exchange(self, data: bytes) -> wire.Message:
        """On a connection that rests; on a new one if the other side has closed that."""
        while self.resting:
            connection = self.resting.pop()
            if connection.open:
                with contextlib.suppress(ConnectionError):
                    return await self._on(connection, data)
        _, connection = await asyncio.get_running_loop().create_connection(wire.ClientSide, *self._journey.address)
        return await self._on(connection, data)

    async def _on(self, connection: wire.ClientSide, data: bytes) -> wire.Message:
        answer = await connection.exchange(data)
        self.resting.append(connection)
        return answer

    def _keep(self, line: str) -> None:
        pair, *attributes = line.split(";")
        name, _, value = pair.partition("=")
        if not value or any(attribute.strip().lower() == "max-age=0" for attribute in attributes):
            self._jar.pop(name, None)
        else:
            self._jar[name] = value


def _next(step: Step, answer: wire.Message) -> Step:
    """A redirect, or a form that submits itself."""
    if answer.status in REDIRECTS:
        return Step(urljoin(step.url, answer.headers["location"]))
    if answer.status == 503 and answer.headers.get("retry-after", "").isdigit():
        raise TurnedAway
    page = answer.body.decode(errors="replace")
    form = FORM.search(page) if answer.status == 200 else None
    if form is None:
        raise LoginFailed(f"{answer.status} on the way: {page[:200]}")
    fields = [(unescape(name), unescape(value)) for name, value in FIELD.findall(page)]
    return Step(urljoin(step.url, unescape(form[1])), urlencode(fields))


@dataclass(slots=True)
class Round:
    """How many logins went how: seconds of each that was good, and what was said of the others."""

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    wall: float = 0.0

    def quantile(self, share: float) -> float:
        """Milliseconds that this share of the logins took at most."""
        ranked = sorted(self.seconds)
        return ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1000 if ranked else float("nan")


async def drive(journey: Journey, provider: IdentityProvider, *, at_once: int, logins: int) -> Round:
    """Whole logins, `at_once` of them in hand all the time."""
    result, left = Round(), iter(range(logins))

    async def user() -> None:
        browser = Browser(journey, provider)
        for _ in left:
            began = time.perf_counter()
            try:
                await browser.login()
                result.seconds.append(time.perf_counter() - began)
            except (LoginFailed, OSError) as error:
                result.failures[f"{type(error).__name__}: {error}"] += 1
        browser.close()

    began = time.perf_counter()
    await asyncio.gather(*(user() for _ in range(at_once)))
    result.wall = time.perf_counter() - began
    return result
