"""Which connections count, and which one makes room: also over TLS, and where several could."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp.web_protocol import MAX_MSG_QUEUE_SIZE

from gateway.web import rounds, server
from gateway.web.server import FULL_SECONDS, Connections, _Protocol
from tests.attacks.test_slow_and_flooding import ASK, Client, connect, slow_forms, two_at_work
from tests.flow.conftest import Worlds, certificates, worlds
from tests.flow.conftest import world as world  # noqa: PLC0414 (a fixture)
from tests.flow.test_reload import front_pair
from tests.flow.world import World

__all__ = ["certificates", "worlds"]


def connections_of(world: World) -> Connections:
    made = world.gateway._runners[0].server
    assert made is not None
    return made


@pytest.fixture
async def encrypted(worlds: Worlds) -> World:
    """Over TLS."""
    tls = {"certificate": "../certs/front.pem", "key": "../certs/front.key"}
    return await worlds(secrets=front_pair(), edit_gateway=lambda settings: settings["listen"].update(tls=tls))


async def connect_encrypted(world: World) -> Client:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return Client(*await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]), ssl=tls))


@contextlib.contextmanager
def faults() -> Iterator[list[dict[str, Any]]]:
    """What the loop would only have logged."""
    loop, told = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, fault: told.append(fault))
    yield told
    loop.set_exception_handler(None)


@pytest.mark.parametrize("rudely", [False, True])
async def test_a_connection_over_tls_that_ends_is_kept_nowhere(encrypted: World, *, rudely: bool) -> None:
    """Its socket is closed before its protocol is told."""
    connections = connections_of(encrypted)
    with faults() as told:
        client = await connect_encrypted(encrypted)
        assert b"404" in await client.ask()
        (connection,) = connections.open
        client.writer.transport.abort() if rudely else client.writer.close()
        async with asyncio.timeout(20):
            while connections.open or (connections.connections and not told):  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0)
        assert told == []
    assert connection.transport is None


async def test_who_does_not_end_tls_makes_room(encrypted: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else so many could keep everybody else out for half a minute each time."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 1)
    deaf = await connect_encrypted(encrypted)
    deaf.writer.transport.get_protocol()._transport.pause_reading()  # type: ignore[attr-defined]  # TLS itself reads nothing more
    await deaf.send(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    async with asyncio.timeout(20):
        while not any(connection._way is not None and connection._way.is_closing() for connection in connections_of(encrypted).open):  # noqa: ASYNC110
            await asyncio.sleep(0)
    late = await connect_encrypted(encrypted)
    async with asyncio.timeout(5):
        assert b"404" in await late.ask()
    assert len(connections_of(encrypted).open) == 1
    deaf.writer.transport.abort()
    late.writer.close()


async def test_no_more_are_ended_than_there_are_too_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was full, and all of them rest by the time that is looked at again."""
    clients = [await connect(world) for _ in range(5)]
    for client in clients:
        assert b"404" in await client.ask()
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 4)
    connections_of(world)._let_in_again()
    first, *others = clients
    assert await first.is_cut_off()
    for client in others:
        assert b"404" in await client.ask()
        client.writer.close()


async def test_a_form_of_which_the_rest_has_come_and_was_not_read_yet_makes_no_room(world: World) -> None:
    (client,) = await slow_forms(world, 1)
    (connection,) = connections_of(world).open
    assert connection.may_go()
    client.writer.write(b"x" * 50)
    assert not connection.may_go(), "in its turn it is read"
    client.writer.write(b"x" * 50)
    assert b"400" in await client.reader.readline()
    client.writer.close()


async def test_a_listener_that_is_watched_anew_while_it_is_full_is_left_alone_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio, out of file descriptors, stops to watch it, and goes on after a second."""
    loop, connections = asyncio.get_running_loop(), connections_of(world)
    assert isinstance(loop, rounds.Loop)
    async with two_at_work(world, monkeypatch):
        monkeypatch.setattr(_Protocol, "may_go", lambda _: False)
        late = [await connect(world)]
        async with asyncio.timeout(20):
            while len(connections.open) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
        (fd,) = connections.listening
        key = loop.turns.unregister(fd)
        loop.turns.register(fd, key.events, key.data)
        for _ in range(4):
            late.append(await connect(world))
            await asyncio.sleep(FULL_SECONDS)
        assert len(connections.open) == 4, "one more, which shows it"
    for client in late:
        assert b"404" in await client.ask()
        client.writer.close()


async def test_who_sends_many_requests_at_once_waits_for_its_turn_ever_after(world: World) -> None:
    """What is too many at once is not read for a while."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, rounds.Loop)
    client = await connect(world)
    await client.send(ASK * MAX_MSG_QUEUE_SIZE * 2)
    for _ in range(MAX_MSG_QUEUE_SIZE * 2):
        await asyncio.wait_for(client.reader.readuntil(b" 404 "), 20)
    (connection,) = connections_of(world).open
    assert connection._fd() in loop.turns._inner.get_map()
    client.writer.close()


async def test_who_goes_on_to_be_read_while_tls_is_closed_leaves_its_number_to_others(encrypted: World) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, rounds.Loop)
    client = await connect_encrypted(encrypted)
    assert b"404" in await client.ask()
    (connection,) = connections_of(encrypted).open
    fd, way = connection._fd(), connection._way
    assert way is not None
    way.abort()
    connection._resume_transport_reading()
    assert fd not in loop.turns._places
    client.writer.close()
