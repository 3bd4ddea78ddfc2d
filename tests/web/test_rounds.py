"""What comes from browsers has its turn a few at a time, and nothing is lost, told twice or told to somebody else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gateway import app
from gateway.cli import main
from gateway.web import rounds
from gateway.web.rounds import AT_ONCE, Loop, Turns

Pair = tuple[socket.socket, socket.socket]
MANY = AT_ONCE * 2 + 3


@contextlib.contextmanager
def pairs(number: int) -> Iterator[list[Pair]]:
    """Near and far ends."""
    made = [socket.socketpair() for _ in range(number)]
    try:
        yield made
    finally:
        for pair in made:
            for end in pair:
                end.close()


@pytest.fixture
def turns() -> Iterator[Turns]:
    made = Turns()
    yield made
    made.close()


def waiting(turns: Turns, ends: list[Pair]) -> list[int]:
    """The near ends are watched in turn, and something has arrived at each."""
    fds = [near.fileno() for near, _ in ends]
    for fd, (_, far) in zip(fds, ends, strict=True):
        turns.let_wait(fd)
        turns.register(fd, EVENT_READ, fd)
        far.send(b"x")
    return fds


def told(turns: Turns, timeout: float | None = 0) -> list[int]:
    return [key.data for key, _ in turns.select(timeout)]


def test_those_that_wait_are_told_a_few_at_a_time_and_each_once_before_any_again(turns: Turns) -> None:
    with pairs(MANY) as ends:
        fds = waiting(turns, ends)
        lots = [told(turns) for _ in range(3)]
        assert list(map(len, lots)) == [AT_ONCE, AT_ONCE, 3]
        assert sorted(fd for lot in lots for fd in lot) == sorted(fds)


def test_all_others_are_told_in_every_round(turns: Turns) -> None:
    with pairs(MANY) as ends, pairs(AT_ONCE * 2) as others:
        waiting(turns, ends)
        prompt = [near.fileno() for near, _ in others]
        for fd, (_, far) in zip(prompt, others, strict=True):
            turns.register(fd, EVENT_READ, fd)
            far.send(b"x")
        for _ in range(3):
            assert set(prompt) <= set(told(turns))


def test_while_some_are_left_it_never_sleeps(turns: Turns) -> None:
    with pairs(AT_ONCE + 1) as ends:
        waiting(turns, ends)
        told(turns)
        assert len(told(turns, timeout=60)) == 1


def test_what_was_left_is_told_to_nobody_else(turns: Turns) -> None:
    """Its number may be another's by then."""
    with pairs(AT_ONCE + 2) as ends, pairs(1) as ((quiet, _),):
        gone, reused = set(waiting(turns, ends)) - set(told(turns))
        turns.unregister(gone)
        turns.unregister(reused)
        os.dup2(quiet.fileno(), reused)
        turns.register(reused, EVENT_READ, "another")
        assert told(turns) == []


def test_one_that_is_watched_for_something_else_is_told_by_the_system_again(turns: Turns) -> None:
    with pairs(AT_ONCE + 1) as ends:
        fds = waiting(turns, ends)
        (left,) = set(fds) - set(told(turns))
        turns.modify(left, EVENT_READ | EVENT_WRITE, "changed")
        assert told(turns) == [], "what was left of it is old"
        while (found := next((one for one in turns.select(0) if one[0].data == "changed"), None)) is None:
            pass
        assert found[1] == EVENT_READ | EVENT_WRITE


def test_one_that_is_watched_already_can_be_made_to_wait_and_waits_until_it_is_watched_no_more(turns: Turns) -> None:
    with pairs(MANY) as ends:
        fds = [near.fileno() for near, _ in ends]
        for fd, (_, far) in zip(fds, ends, strict=True):
            turns.register(fd, EVENT_READ, fd)
            far.send(b"x")
        assert len(told(turns)) == MANY
        for fd in fds:
            turns.let_wait(fd)
        assert len(told(turns)) == AT_ONCE
        for fd in fds:
            turns.unregister(fd)
            turns.register(fd, EVENT_READ, fd)
        assert len(told(turns)) == MANY


def test_a_parked_one_is_not_told_until_it_is_looked_at_again(turns: Turns) -> None:
    with pairs(1) as ((near, far),):
        turns.register(near.fileno(), EVENT_READ, "it")
        far.send(b"x")
        turns.park(near.fileno())
        assert told(turns) == []
        assert turns.get_key(near.fileno()).data == "it"
        turns.look_again(near.fileno())
        assert told(turns) == ["it"]


def test_a_parked_one_can_be_let_go_and_its_number_serves_another(turns: Turns) -> None:
    with pairs(1) as ((near, far),):
        fd = near.fileno()
        turns.register(fd, EVENT_READ, "it")
        far.send(b"x")
        turns.park(fd)
        turns.unregister(fd)
        turns.register(fd, EVENT_READ, "another")
        turns.look_again(fd)
        assert told(turns) == ["another"]


def test_what_is_not_watched_is_not_parked(turns: Turns) -> None:
    with pairs(1) as ((near, far),):
        turns.park(near.fileno())
        turns.register(near.fileno(), EVENT_READ, "it")
        far.send(b"x")
        assert told(turns) == ["it"]


def test_who_was_to_wait_and_is_forgotten_leaves_its_number_to_others(turns: Turns) -> None:
    with pairs(MANY) as ends:
        for near, far in ends:
            turns.let_wait(near.fileno())
            turns.forget(near.fileno())
            turns.register(near.fileno(), EVENT_READ, near.fileno())
            turns.forget(near.fileno())
            far.send(b"x")
        assert len(told(turns)) == MANY


STEPS = st.lists(st.tuples(st.sampled_from(["register", "unregister", "wait", "park", "again", "modify", "select"]), st.integers(0, 5)))


@given(STEPS)
def test_whatever_is_done_the_watched_are_those_of_an_ordinary_selector(steps: list[tuple[str, int]]) -> None:
    turns, watched, parked = Turns(), dict[int, int](), set[int]()
    with pairs(6) as ends, contextlib.closing(turns):
        for near, far in ends:
            far.send(b"x")
            near.setblocking(False)
        for count, (step, index) in enumerate(steps):
            fd = ends[index][0].fileno()
            if step == "register" and fd not in watched:
                watched[fd] = turns.register(fd, EVENT_READ, count).data
                parked.discard(fd)
            elif step == "unregister" and fd in watched:
                turns.unregister(fd)
                del watched[fd]
                parked.discard(fd)
            elif step == "modify" and fd in watched:
                watched[fd] = turns.modify(fd, EVENT_READ, count).data
            elif step == "wait":
                turns.let_wait(fd)
                parked.discard(fd)
            elif step == "park":
                turns.park(fd)
                parked |= {fd} & watched.keys()
            elif step == "again":
                turns.look_again(fd)
                parked.discard(fd)
            elif step == "select":
                assert {key.data for key, _ in turns.select(0)} <= {data for one, data in watched.items() if one not in parked}
            assert {fd: key.data for fd, key in turns.get_map().items() if fd in watched} == watched
            assert all(turns.get_key(fd).data == data for fd, data in watched.items())
        seen = {key.data for _ in range(2) for key, _ in turns.select(0)}
        assert seen == {data for fd, data in watched.items() if fd not in parked}


# ---- the loop ------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def listening(answer: bytes, *, patient: bool) -> AsyncIterator[int]:
    """A server that answers each byte; the port. Its rounds are counted by whoever asks."""

    class Answers(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport
            if patient:
                rounds.turns().let_wait(transport.get_extra_info("socket").fileno())

        def data_received(self, data: bytes) -> None:
            self.transport.write(answer * len(data))  # type: ignore[attr-defined]

    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("patient", [True, False])
async def test_everybody_is_served_in_turn_and_promptly(*, patient: bool) -> None:
    async with listening(b"y", patient=patient) as port:
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MANY)]
        for _ in range(3):
            for _, writer in clients:
                writer.write(b"x")
            assert [await reader.readexactly(1) for reader, _ in clients] == [b"y"] * MANY
        for _, writer in clients:
            writer.close()


async def test_the_tests_run_in_the_product_s_loop() -> None:
    assert isinstance(asyncio.get_running_loop(), Loop)
    assert isinstance(rounds.turns(), Turns)


def test_serve_runs_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loops = []

    async def serving(*_: object) -> int:
        loops.append(asyncio.get_running_loop())
        return 0

    monkeypatch.setattr(app, "serve", serving)
    assert CliRunner().invoke(main, ["serve", "--config", str(tmp_path)]).exit_code == 0
    assert [type(loop) for loop in loops] == [Loop]


async def test_in_another_loop_nobody_waits() -> None:
    async def asked() -> rounds.Turns | rounds.NoTurns:
        turns = rounds.turns()
        for one in (turns.let_wait, turns.forget, turns.park, turns.look_again):
            one(0)
        return turns

    def elsewhere() -> object:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(asked())

    assert isinstance(await asyncio.to_thread(elsewhere), rounds.NoTurns)
