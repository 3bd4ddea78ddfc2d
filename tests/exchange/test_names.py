"""Names that are looked up: a silent name server holds up nobody but those who need it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.exchange import look_up

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]


class Resolver:
    """The system's, by which `silent.example` has no answer until `speak`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.speak = threading.Event()
        self.fails = False
        self._real = socket.getaddrinfo

    def __call__(self, host: str, *more: Any, **options: Any) -> Any:
        if not host.endswith(".example") or "flags" in options:
            return self._real(host, *more, **options)
        self.asked.append(host)
        if host == "silent.example":
            self.speak.wait(30)
        if self.fails:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return FOUND


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.speak.set()


async def outcome(host: str, seconds: float) -> str:
    try:
        async with asyncio.timeout(seconds):
            await look_up(host, 443)
    except TimeoutError:
        return "given up"
    except OSError:
        return "failed"
    return "found"


async def test_a_silent_name_server_takes_one_thread_and_not_one_for_each_who_asks(resolver: Resolver) -> None:
    assert set(await asyncio.gather(*(outcome("silent.example", 0.05) for _ in range(100)))) == {"given up"}
    assert await outcome("other.example", 10) == "found"
    assert resolver.asked == ["silent.example", "other.example"]
    resolver.speak.set()


async def test_who_gives_up_takes_the_answer_from_nobody(resolver: Resolver) -> None:
    patient = asyncio.create_task(outcome("silent.example", 10))
    assert await outcome("silent.example", 0.05) == "given up"
    resolver.speak.set()
    assert await patient == "found"


async def test_each_answer_is_for_those_who_wait_for_it_alone(resolver: Resolver) -> None:
    resolver.speak.set()
    assert [await outcome("silent.example", 10) for _ in range(2)] == ["found", "found"]
    assert resolver.asked == ["silent.example", "silent.example"]


async def test_a_name_that_is_not_there_fails_for_all_and_is_asked_for_again(resolver: Resolver, caplog: pytest.LogCaptureFixture) -> None:
    resolver.fails = True
    waiting = asyncio.gather(*(outcome("silent.example", 10) for _ in range(3)), outcome("silent.example", 0.01))
    await asyncio.sleep(0.05)
    resolver.speak.set()
    assert await waiting == ["failed", "failed", "failed", "given up"]
    resolver.fails = False
    assert await outcome("silent.example", 10) == "found"
    assert not caplog.records


async def test_a_failure_that_nobody_waits_for_any_more_is_told_nowhere(resolver: Resolver, caplog: pytest.LogCaptureFixture) -> None:
    resolver.fails = True
    assert await outcome("silent.example", 0.01) == "given up"
    resolver.speak.set()
    async with asyncio.timeout(10):
        while await outcome("silent.example", 10) != "failed":
            pass
    assert not caplog.records


async def test_an_address_is_its_own_and_asks_nobody(resolver: Resolver) -> None:
    assert [address[4][:2] for address in await look_up("127.0.0.1", 8443)] == [("127.0.0.1", 8443)]
    assert resolver.asked == []
