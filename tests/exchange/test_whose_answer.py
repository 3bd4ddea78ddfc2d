"""Whatever happens on the way, an answer reaches whoever asked for it, or nobody. Against a peer that does all that peers do."""

import asyncio
import random
from collections import Counter
from contextlib import suppress

import pytest

from gateway.exchange import Connection, MalformedAnswer, OversizeAnswer, Pool
from gateway.exchange.messages import MOST_INTERIM

MOST = 4
LONGEST = 50


class Moody:
    """Answers the line `n` with `n` as body, in one way or another, or does not. Seeded."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - a repeatable test
        self.asked: Counter[bytes] = Counter()
        self.answered: set[bytes] = set()
        self.asked_again: set[bytes] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        with suppress(ConnectionError, asyncio.CancelledError):
            while line := (await reader.readline()).strip():
                self.asked[line] += 1
                self.asked_again |= self.answered & {line}
                if not await self.answer(line, writer):
                    break
        writer.close()

    async def answer(self, line: bytes, writer: asyncio.StreamWriter) -> bool:
        """False: the connection ends."""
        framed = [
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(line), line),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(line), line),
            b"HTTP/1.1 100 Continue\r\n\r\n" * MOST_INTERIM + b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(line), line),
        ]
        whole, evil = self.dice.choice(framed), b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        ways = [
            (whole[: self.dice.randrange(1, len(whole))], False),
            (b"HTTP/1.1 200 OK\r\n\r\n" + line, False),
            (whole + evil, True),
            (whole.replace(b"OK", b"OK\r\nConnection: close") + evil, True),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", True),
            *[(whole, True)] * 5,
        ]
        mood = self.dice.randrange(12)
        if mood == 0:
            return False
        if mood == 1:
            await asyncio.get_running_loop().create_future()
        self.answered.add(line)
        said, goes_on = self.dice.choice(ways)
        size = 1000 if evil in said else self.dice.choice([1, 5, 1000])  # what comes late could come when the next one has been asked
        for start in range(0, len(said), size):
            writer.write(said[start : start + size])
            await writer.drain()
        return goes_on


@pytest.mark.parametrize("seed", range(8))
async def test_an_answer_reaches_whoever_asked_or_nobody(seed: int) -> None:
    peer, dice = Moody(seed), random.Random(seed)  # noqa: S311
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()

    async def opened() -> Connection:
        _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
        assert sum(other.usable for other in pool._all) < MOST
        return connection

    async def ask(number: int) -> bytes | None:
        for _ in range(dice.randrange(40)):
            await asyncio.sleep(0)
        try:
            return (await pool.exchange(b"%d\n" % number, LONGEST, dice.choice([0.01, 0.05, 0.2]))).body
        except (OSError, MalformedAnswer, OversizeAnswer):
            return None

    pool = Pool(opened, most=MOST, idle_seconds=0.05)
    asking = [asyncio.create_task(ask(number)) for number in range(120)]
    given_up = dice.sample(asking, 20)
    for task in given_up:
        await asyncio.sleep(0)
        task.cancel()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    good = [number for number, answer in enumerate(answers) if answer == b"%d" % number]
    assert all(answer is None or isinstance(answer, asyncio.CancelledError) or number in good for number, answer in enumerate(answers))
    assert good
    assert max(peer.asked.values()) <= 2
    assert not peer.asked_again
    assert pool._room._value == MOST
    assert len(pool._idle) <= MOST
    await pool.close()
    assert not any(connection.usable for connection in pool._all)
    server.close()
    for task in peer.tasks:
        task.cancel()
    await asyncio.gather(*peer.tasks)
    assert all(task in peer.tasks or task is asyncio.current_task() for task in asyncio.all_tasks())
