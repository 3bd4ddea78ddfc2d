"""Clients that are slow on purpose, and clients that send too much: cut off, whatever the configuration says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.web import browser, server
from gateway.web.pressure import FIRST_PACE
from gateway.web.server import FULL_SECONDS, _Protocol
from tests.attacks.test_hostile_requests import raw
from tests.flow.conftest import certificates, world, worlds
from tests.flow.world import World

__all__ = ["certificates", "world", "worlds"]

ASK = b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
START = b"GET /vp/sales/login HTTP/1.1\r\nHost: a\r\n\r\n"
FORM = b"POST /idp/entra/callback HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def is_cut_off(self) -> bool:
        """With no more than what it has got already."""
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(self.reader.read(), 20)
        self.writer.close()
        return True

    async def flood(self, *parts: bytes) -> None:
        """Send until the other side has had enough."""
        for part in parts:
            await self.send(part)
            await asyncio.sleep(0)

    async def ask(self) -> bytes:
        self.writer.write(ASK)
        return await asyncio.wait_for(self.reader.readuntil(b" 404 "), 20)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


async def connect(world: World) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2])))


async def test_who_says_nothing_is_cut_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "FIRST_HEAD_SECONDS", 0.05)
    assert await (await connect(world)).is_cut_off()


async def test_a_head_that_comes_drop_by_drop_is_cut_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every drop is in time, the whole is not (Slowloris)."""
    monkeypatch.setattr(server, "FIRST_HEAD_SECONDS", 0.2)
    client = await connect(world)
    cut_off = asyncio.create_task(client.is_cut_off())
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    drops = 0
    while not (await asyncio.wait([cut_off], timeout=0.02))[0]:
        client.writer.write(b"X: y\r\n")
        drops += 1
    assert drops > 2


async def test_a_head_that_never_ends_is_cut_off_and_not_kept(world: World) -> None:
    client = await connect(world)
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    with pytest.raises(ConnectionError):
        await client.flood(*[b"X-Flood: " + b"y" * 8_000 + b"\r\n"] * 2_000)
    client.writer.close()


@pytest.mark.parametrize("lines", [200, 20_000])
async def test_a_flood_of_header_fields_is_no_request(world: World, lines: int) -> None:
    answer = await raw(world, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Y: z\r\n" * lines + b"\r\n")
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"QGW-118" in answer


async def test_a_body_that_is_said_to_be_too_large_is_not_waited_for(world: World) -> None:
    answer = await raw(world, FORM + b"Content-Length: 900000000\r\n\r\nstate=x")
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert b"QGW-115" in answer


async def test_a_body_that_does_not_end_is_cut_off_at_its_limit(world: World) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    answer = await raw(world, FORM + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 20)
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert b"QGW-115" in answer


async def test_beyond_so_many_connections_the_oldest_that_rests_makes_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    first, *others = [await connect(world) for _ in range(3)]
    for client in (first, *others):
        assert b"404" in await client.ask()
    late = await connect(world)
    assert b"404" in await late.ask()
    assert await first.is_cut_off()
    for client in (*others, late):
        client.writer.close()


@contextlib.asynccontextmanager
async def two_at_work(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """As many connections as there may be, each with a request that waits for the gateway; afterwards all are answered."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    pressure = world.gateway.pressure
    monkeypatch.setattr(pressure, "_let_in", lambda *_: None)
    waiting = [asyncio.create_task(pressure.turn()) for _ in range(FIRST_PACE + 1)]
    await asyncio.sleep(0)
    working = [await connect(world) for _ in range(2)]
    for client in working:
        await client.send(START)
    async with asyncio.timeout(20):
        while pressure.in_hand < 2:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)
    yield
    monkeypatch.undo()
    for client in working:
        assert b"HTTP/1.1 " in await client.reader.readline()
        client.writer.close()
    await asyncio.gather(*waiting)


async def test_connections_whose_requests_are_in_hand_are_never_pushed_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes then waits outside until there is room, and nobody is cut off."""
    async with two_at_work(world, monkeypatch):
        late = [await connect(world) for _ in range(3)]
        asked = [asyncio.create_task(client.ask()) for client in late]
        await asyncio.wait(asked, timeout=FULL_SECONDS * 5)
    assert all([await one for one in asked])
    for client in late:
        client.writer.close()


async def test_while_nobody_can_make_room_new_connections_are_left_to_the_system(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more was let in before that was known."""
    async with two_at_work(world, monkeypatch):
        monkeypatch.setattr(_Protocol, "may_go", lambda _: False)
        inside = await connect(world)
        assert b"404" in await inside.ask()
        outside = [await connect(world) for _ in range(5)]
        asked = [asyncio.create_task(client.ask()) for client in outside]
        await asyncio.wait(asked, timeout=FULL_SECONDS * 5)
        assert not any(one.done() for one in asked)
        assert len(world.gateway._runners[0].server.open) == 3  # type: ignore[union-attr]
    assert all([await one for one in asked])
    for client in (inside, *outside):
        client.writer.close()


async def test_a_request_that_has_arrived_and_was_not_read_yet_is_not_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """To look at, its connection rests."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    first, second = [await connect(world) for _ in range(2)]
    for client in (first, second):
        assert b"404" in await client.ask()
    opened = list(world.gateway._runners[0].server.open)  # type: ignore[union-attr]
    assert all(connection.may_go() for connection in opened)
    first.writer.write(ASK)  # not waited for: nothing else runs until it is looked at
    assert [connection.may_go() for connection in opened] == [False, True]
    assert b"404" in await first.reader.readuntil(b" 404 ")
    for client in (first, second):
        client.writer.close()


async def test_the_connection_that_has_rested_for_longest_makes_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the one that was opened first: its user may have come back just now."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    first, second = [await connect(world) for _ in range(2)]
    for client in (first, second, first):
        assert b"404" in await client.ask()
    late = await connect(world)
    assert b"404" in await late.ask()
    assert await second.is_cut_off()
    assert b"404" in await first.ask()
    for client in (first, late):
        client.writer.close()


async def test_where_all_are_at_work_a_new_connection_costs_no_look_at_each_of_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a flood would be dearest when there is least time for it."""
    looks, look = 0, _Protocol.is_idle

    def counted(connection: _Protocol) -> bool:
        nonlocal looks
        looks += 1
        return look(connection)

    async with two_at_work(world, monkeypatch):
        monkeypatch.setattr(server, "LOOK_SECONDS", 1_000)
        monkeypatch.setattr(_Protocol, "is_idle", counted)
        late = [await connect(world) for _ in range(20)]
        await asyncio.sleep(FULL_SECONDS * 5)
        assert looks <= 6
        for client in late:
            client.writer.close()


async def slow_forms(world: World, number: int) -> list[Client]:
    """So many, each begun and not ended, in the order in which they came."""
    clients = [await connect(world) for _ in range(number)]
    for client in clients:
        await client.send(FORM + b"Content-Length: 100\r\n\r\nstate=")
    async with asyncio.timeout(20):
        while sum(map(_Protocol.is_sending, world.gateway._runners[0].server.open)) < number:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0)
    return clients


async def test_forms_that_come_slowly_keep_no_login_from_beginning(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any of a few hundred would be one more request in hand, for ten seconds and a hundred bytes each."""
    monkeypatch.setattr(browser, "FORM_SECONDS", 0.5)
    clients = await slow_forms(world, 5)
    assert world.gateway.pressure.in_hand == 0
    for client in clients:
        assert b"400" in await client.reader.readline()
        client.writer.close()
    assert world.gateway.pressure.in_hand == 0


async def test_where_all_are_at_it_the_form_that_takes_longest_makes_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    first, second = await slow_forms(world, 2)
    late = await connect(world)
    assert b"404" in await late.ask()
    assert await first.is_cut_off()
    await second.send(b"x" * 100)
    assert b"400" in await second.reader.readline()
    for client in (second, late):
        client.writer.close()


async def test_who_never_reads_what_it_was_answered_makes_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else so many that do not read would keep everybody else out for ever."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 1)
    loop, deaf = asyncio.get_running_loop(), socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    await loop.sock_connect(deaf, ("127.0.0.1", int(world.url.rpartition(":")[2])))
    await loop.sock_sendall(deaf, ASK)
    connections = world.gateway._runners[0].server.open  # type: ignore[union-attr]
    async with asyncio.timeout(20):
        while not any(connection.spoke for connection in connections):  # noqa: ASYNC110
            await asyncio.sleep(0)
        (connection,) = connections
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        flood = asyncio.create_task(loop.sock_sendall(deaf, ASK * 300))
        while not connection.writing_paused:  # noqa: ASYNC110
            await asyncio.sleep(0)
    late = await connect(world)
    assert b"404" in await late.ask()
    assert connection not in connections
    flood.cancel()
    late.writer.close()
    deaf.close()


async def test_large_forms_on_their_way_are_bounded_and_the_one_that_takes_longest_goes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every connection could hold 600 KiB."""
    monkeypatch.setattr(server, "MOST_LARGE_FORMS", 2)
    monkeypatch.setattr(browser, "FORM_SECONDS", 1.0)
    small, *large = [await connect(world) for _ in range(4)]
    await small.send(FORM + b"Content-Length: 100\r\n\r\nstate=")
    for client in large:
        await client.send(FORM + b"Transfer-Encoding: chunked\r\n\r\n" + b"10001\r\n" + b"x" * 0x10001 + b"\r\n")
        assert not client.reader.at_eof()
        await until_taken(world, client)
    assert await large[0].is_cut_off()
    for client in (small, *large[1:]):
        assert b"HTTP/1.1 4" in await client.reader.readline()
        client.writer.close()


async def until_taken(world: World, client: Client) -> None:
    """What it has sent was counted."""
    port = client.writer.get_extra_info("sockname")[1]
    connections = world.gateway._runners[0].server.open  # type: ignore[union-attr]
    async with asyncio.timeout(20):
        while not any(_has_taken(connection, port) for connection in connections):  # noqa: ASYNC110
            await asyncio.sleep(0)


def _has_taken(connection: _Protocol, port: int) -> bool:
    peer = connection.transport and connection.transport.get_extra_info("peername")
    return bool(peer and peer[1] == port and connection._unread > server.LARGE_FORM)


async def test_who_waits_with_a_form_is_told_to_send_it(world: World) -> None:
    """RFC 9110 §10.1.1."""
    client = await connect(world)
    await client.send(FORM + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 7\r\n\r\n")
    assert await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 20) == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(b"state=a")
    assert (await asyncio.wait_for(client.reader.readuntil(b"\r\n"), 20)).startswith(b"HTTP/1.1 4")
    assert await client.is_cut_off()


@pytest.mark.parametrize("before", [b"", ASK * 2], ids=["alone", "behind others"])
async def test_a_form_that_can_never_be_whole_is_not_waited_for(world: World, before: bytes) -> None:
    """Else it would hold what it has sent for ten seconds, and count neither as one that is sending nor as one that rests."""
    client = await connect(world)
    await client.send(before + FORM + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
    async with asyncio.timeout(browser.FORM_SECONDS / 2):
        await client.reader.readuntil(b"HTTP/1.1 100 Continue\r\n\r\n")
        await client.send(b"5\r\nstate\r\nno chunk\r\n")
        assert await client.is_cut_off()
