"""Connections that are kept: what comes on them, and what ends them. Each against a listener of its own on loopback."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.exchange import BrokenOff, Connection, MalformedAnswer, OversizeAnswer, Pool

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"


class Peer:
    """Answers each request (a line) with the next of the answers that it was given; `None` closes the connection."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.connections: list[asyncio.StreamWriter] = []
        self.asked = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        while await reader.readline():
            self.asked += 1
            answer = self.answers.pop(0) if self.answers else GOOD
            if answer is None:
                break
            writer.write(answer)
        writer.close()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    served = Peer()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served
        for writer in served.connections:
            writer.close()


@pytest.fixture
async def pool(peer: Peer) -> AsyncIterator[Pool]:
    opened = to(peer)
    yield opened
    await opened.close()


def to(peer: Peer, *, most: int = 3, idle_seconds: float = 60) -> Pool:
    async def opened() -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", peer.port)
        return connection

    return Pool(opened, most=most, idle_seconds=idle_seconds)


async def ask(pool: Pool, *, seconds: float = 10) -> bytes:
    return (await pool.exchange(b"?\n", 100, seconds)).body


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for is the loop's own doing
            await asyncio.sleep(0)


async def test_a_connection_is_kept(peer: Peer, pool: Pool) -> None:
    assert [await ask(pool) for _ in range(5)] == [b"well"] * 5
    assert len(peer.connections) == 1


async def test_no_more_are_opened_than_may_be(peer: Peer, pool: Pool) -> None:
    await asyncio.gather(*(ask(pool) for _ in range(10)))
    assert len(peer.connections) <= 3


@pytest.mark.parametrize(
    "answer",
    [
        GOOD.replace(b"OK", b"OK\r\nConnection: close"),
        GOOD.replace(b"1.1", b"1.0"),
        GOOD + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
)
async def test_a_connection_that_is_not_good_for_another_is_not_kept(peer: Peer, pool: Pool, answer: bytes) -> None:
    peer.answers = [answer]
    assert await ask(pool) == b"well"
    assert not pool._idle
    assert await ask(pool) == b"well"
    assert len(peer.connections) == 2


async def test_a_connection_that_still_lives_is_preferred_to_a_new_one(peer: Peer, pool: Pool) -> None:
    await asyncio.gather(ask(pool), ask(pool))
    pool._idle[-1].drop()
    assert await ask(pool) == b"well"
    assert len(peer.connections) == 2


async def test_what_comes_unasked_is_nobodys_answer(peer: Peer, pool: Pool) -> None:
    assert await ask(pool) == b"well"
    peer.connections[0].write(GOOD.replace(b"well", b"evil"))
    await until(lambda: not any(connection.usable for connection in pool._idle))
    assert await ask(pool) == b"well"
    assert len(peer.connections) == 2


async def test_a_kept_connection_that_is_dead_is_tried_once_and_replaced(peer: Peer, pool: Pool) -> None:
    peer.answers = [GOOD, None, GOOD]
    assert [await ask(pool), await ask(pool)] == [b"well", b"well"]
    assert (peer.asked, len(peer.connections)) == (3, 2)


@pytest.mark.parametrize("piece", [b"H", GOOD[:20], GOOD[:-5], b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_an_answer_that_breaks_off_wherever_it_may_is_no_reason_to_ask_again(peer: Peer, pool: Pool, piece: bytes) -> None:
    peer.answers = [GOOD, piece, None]
    assert await ask(pool) == b"well"
    waiting = asyncio.create_task(ask(pool))
    await until(lambda: peer.asked == 2)
    peer.connections[0].close()
    with pytest.raises(MalformedAnswer, match="breaks off"):
        await waiting
    assert (peer.asked, len(peer.connections)) == (2, 1)


async def test_what_comes_before_anything_was_asked_is_nobodys_answer(peer: Peer) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD)
        await writer.drain()
        peer.connections.append(writer)

    async def opened() -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", peer.port)
        await until(lambda: not connection.usable)
        return connection

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(BrokenOff):
            await ask(Pool(opened, most=1, idle_seconds=60))


async def test_a_connection_that_ended_before_it_was_handed_over_is_told_at_once(peer: Peer) -> None:
    """As after a handshake inside a tunnel: who made it tells of it last. Nobody tells of its end again."""
    transport, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", peer.port)
    connection.drop()
    await connection.gone()
    connection.connection_made(transport)
    with pytest.raises(BrokenOff):
        await asyncio.wait_for(connection.exchange(b"?\n", 100), 5)


async def test_a_body_that_comes_although_it_cannot_be_is_nobodys_answer(peer: Peer, pool: Pool) -> None:
    evil = GOOD.replace(b"well", b"evil")
    peer.answers = [b"HTTP/1.1 204 None\r\nContent-Length: %d\r\n\r\n" % len(evil)]
    assert await ask(pool) == b""
    peer.connections[0].write(evil)
    assert await ask(pool) == b"well"
    assert len(peer.connections) == 2


async def test_a_new_connection_that_is_dead_is_not_replaced(peer: Peer, pool: Pool) -> None:
    peer.answers = [None]
    with pytest.raises(BrokenOff):
        await ask(pool)
    assert (peer.asked, len(peer.connections)) == (1, 1)


@pytest.mark.parametrize("answer", [b"nonsense\r\n", GOOD.replace(b"4", b"4, 4")])
async def test_a_broken_answer_on_a_kept_connection_is_no_reason_to_ask_again(peer: Peer, pool: Pool, answer: bytes) -> None:
    peer.answers = [GOOD, answer]
    assert await ask(pool) == b"well"
    with pytest.raises(MalformedAnswer):
        await ask(pool)
    assert await ask(pool) == b"well"
    assert (peer.asked, len(peer.connections)) == (3, 2)


async def test_an_answer_that_is_too_large_ends_its_connection(peer: Peer, pool: Pool) -> None:
    peer.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"]
    with pytest.raises(OversizeAnswer):
        await ask(pool)
    assert await ask(pool) == b"well"
    assert len(peer.connections) == 2


async def test_a_body_may_end_with_its_connection(peer: Peer, pool: Pool) -> None:
    async def end() -> None:
        await until(lambda: peer.asked == 1)
        peer.connections[0].close()

    peer.answers = [b"HTTP/1.1 200 OK\r\n\r\nall of it"]
    body, _ = await asyncio.gather(ask(pool), end())
    assert body == b"all of it"


async def test_a_body_that_would_end_with_its_connection_does_not_end_with_a_reset(peer: Peer, pool: Pool) -> None:
    peer.answers = [b"HTTP/1.1 200 OK\r\n\r\nsome of it"]
    waiting = asyncio.create_task(ask(pool))
    await until(lambda: any(connection._reader and connection._reader.begun for connection in pool._all))
    peer.connections[0].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.connections[0].transport.abort()
    with pytest.raises(MalformedAnswer, match="breaks off"):
        await waiting


async def test_what_follows_an_answer_at_once_ends_its_connection_before_anybody_can_use_it(peer: Peer, pool: Pool) -> None:
    await ask(pool)
    (connection,) = pool._idle
    connection.data_received(GOOD)
    assert not connection.usable
    assert await ask(pool) == b"well"
    assert (peer.asked, len(peer.connections)) == (2, 2)


async def test_what_follows_an_answer_before_anybody_has_looked_at_it_is_noticed(peer: Peer, pool: Pool) -> None:
    await ask(pool)
    (connection,) = pool._idle
    peer.answers = [b""]
    asking = asyncio.create_task(ask(pool))
    await until(lambda: peer.asked == 2)
    connection.data_received(GOOD)
    connection.data_received(GOOD.replace(b"well", b"evil"))
    assert await asking == b"well"
    assert not connection.usable


async def test_what_comes_for_an_exchange_that_was_just_given_up_is_nobodys(peer: Peer, pool: Pool) -> None:
    await ask(pool)
    (connection,) = pool._idle
    peer.answers = [b""]
    asking = asyncio.create_task(ask(pool))
    await until(lambda: peer.asked == 2)
    asking.cancel()
    connection.data_received(GOOD)
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not connection.usable


async def test_an_exchange_that_is_given_up_takes_its_connection_along(peer: Peer, pool: Pool) -> None:
    peer.answers = [b"HTTP/1.1 200 OK\r\n"]
    waiting = asyncio.create_task(ask(pool))
    await until(lambda: peer.asked == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await ask(pool) == b"well"
    assert len(peer.connections) == 2


async def test_connections_that_lie_idle_for_long_are_closed(peer: Peer) -> None:
    pool = to(peer, idle_seconds=0.05)
    await asyncio.gather(ask(pool), ask(pool))
    await until(lambda: not pool._all)
    assert not pool._idle
    await pool.close()


async def test_after_the_end_nothing_is_asked(peer: Peer, pool: Pool) -> None:
    await ask(pool)
    await pool.close()
    with pytest.raises(ConnectionAbortedError):
        await ask(pool)
    assert peer.asked == 1


async def test_after_the_end_nothing_is_opened() -> None:
    async def opened() -> Connection:
        raise AssertionError

    pool = Pool(opened, most=1, idle_seconds=60)
    await pool.close()
    with pytest.raises(ConnectionAbortedError):
        await ask(pool)


async def test_a_connection_that_is_opened_while_the_end_comes_is_not_used(peer: Peer) -> None:
    opening, go_on = asyncio.Event(), asyncio.Event()

    async def opened() -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", peer.port)
        opening.set()
        await go_on.wait()
        return connection

    pool = Pool(opened, most=1, idle_seconds=60)
    waiting = asyncio.create_task(ask(pool))
    await opening.wait()
    await pool.close()
    go_on.set()
    with pytest.raises(ConnectionAbortedError):
        await waiting
    assert peer.asked == 0


# ---- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [b"HTTP/1.1 ", GOOD[:-1]], ids=["nothing", "most of it"])
async def test_an_answer_that_does_not_come_in_time_ends_its_connection_and_is_asked_for_once(peer: Peer, pool: Pool, begun: bytes) -> None:
    assert await ask(pool) == b"well"
    peer.answers = [begun]
    with pytest.raises(TimeoutError):
        await ask(pool, seconds=0.1)
    assert (peer.asked, len(peer.connections)) == (2, 1)
    assert await ask(pool) == b"well"
    assert len(peer.connections) == 2


async def test_exchanges_side_by_side_and_one_after_another_have_each_their_own_time(peer: Peer, pool: Pool) -> None:
    given_up: list[float] = []

    async def unanswered(seconds: float) -> None:
        peer.answers.append(b"")
        with pytest.raises(TimeoutError):
            await ask(pool, seconds=seconds)
        given_up.append(seconds)

    async with asyncio.timeout(9):
        await asyncio.gather(*map(unanswered, (0.09, 0.01, 0.05)))
        assert await ask(pool) == b"well"  # which might have taken longer than the others may
        await asyncio.gather(*map(unanswered, (0.06, 0.02)))
    assert given_up == [0.01, 0.05, 0.09, 0.02, 0.06]


async def test_waiting_for_room_counts(peer: Peer) -> None:
    pool = to(peer, most=1)
    peer.answers = [b"HTTP/1.1 "]
    first = asyncio.create_task(ask(pool))
    await until(lambda: peer.asked == 1)
    with pytest.raises(TimeoutError):
        await ask(pool, seconds=0.1)
    await pool.close()
    with pytest.raises((OSError, MalformedAnswer)):
        await first


async def test_opening_counts() -> None:
    async def never() -> Connection:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TimeoutError):
        await ask(Pool(never, most=1, idle_seconds=1), seconds=0.1)
