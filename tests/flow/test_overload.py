"""What happens when more comes than the gateway can do: it turns away early, the beginnings first, and nothing is half done."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
from yarl import URL

from gateway.errors import Overloaded
from gateway.idp import saml
from gateway.system import COLLECT_AFTER, collect_less
from gateway.web import pressure as pressure_module
from gateway.web.guard import EAGER, PATIENT
from gateway.web.pressure import (
    BEAT,
    COST_OF_END,
    COST_OF_OTHER,
    FIRST_CAPACITY,
    FIRST_PACE,
    LATE,
    LEAST_CAPACITY,
    LEAST_PACE,
    LEAST_REQUESTS,
    LONGEST_WAIT,
    RESERVED,
    STANDING,
    UNSEEN,
    Pressure,
)
from tests.flow.conftest import Worlds
from tests.flow.world import World


def press(world: World, seconds: float) -> None:
    """Every beat came that late, until `release`."""
    world.gateway.pressure.stop()
    world.gateway.pressure._late.extend([seconds] * STANDING)


def release(world: World) -> None:
    press(world, 0.0)


BUSY = (EAGER.standing + PATIENT.standing) / 2
DROWNING = PATIENT.standing * 2


async def test_a_login_is_not_begun_while_the_gateway_is_behind(world: World) -> None:
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    press(world, BUSY)
    answer = await browser.get(start)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "QGW-117", "3")
    assert not answer.set_cookies
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'qlikgw_requests_shed_total{endpoint="start"} 1.0' in await world.metrics()
    release(world)
    assert (await browser.get(start)).status == 302


async def test_programs_are_told_the_same(world: World) -> None:
    start = (await world.ask_hub(world.browser())).location
    press(world, BUSY)
    answer = await world.browser().get(start, Accept="application/json")
    assert (answer.status, answer.json()["code"], answer.headers["Retry-After"]) == (503, "QGW-117", "3")


async def test_a_login_that_comes_back_is_finished_while_beginnings_are_turned_away(world: World) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    press(world, BUSY)
    assert (await world.browser().get(f"{world.url}/vp/sales/login")).status == 503
    answer = await browser.get(callback)
    assert answer.status == 302
    assert "qlikTicket=" in answer.location


async def test_a_return_that_is_turned_away_is_not_used_up(world: World) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    press(world, DROWNING)
    answer = await browser.get(callback)
    assert (answer.status, answer.code) == (503, "QGW-117")
    assert not answer.set_cookies
    assert not world.sessions()
    release(world)
    assert (await browser.follow(await browser.get(callback))).status == 200
    assert len(world.sessions()) == 1


async def test_probes_answer_however_far_the_gateway_is_behind(world: World) -> None:
    press(world, DROWNING)
    for probe in ("livez", "readyz"):
        assert (await world.browser().get(f"{world.management}/{probe}")).status == 200
    assert f"qlikgw_behind_seconds {DROWNING}" in await world.metrics()


async def test_too_many_requests_in_hand_are_overload_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait for providers and nodes, and each of them takes memory."""
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    monkeypatch.setattr(world.gateway.pressure, "in_hand", EAGER.in_hand)
    assert (await world.browser().get(f"{world.url}/vp/sales/login")).code == "QGW-117"
    assert (await browser.get(callback)).status == 302
    assert world.gateway.pressure.in_hand == EAGER.in_hand, "counted back"


class Body:
    """The body of a request, on its way."""

    def is_eof(self) -> bool:
        return False

    def on_eof(self, callback: Callable[[], None]) -> None:
        self.is_here = callback


def test_a_request_is_in_hand_from_when_its_body_is_here_until_it_is_answered() -> None:
    pressure, first, second = Pressure(), Body(), Body()
    with pressure.counted(first):  # type: ignore[arg-type]
        assert pressure.in_hand == 0
        first.is_here()
        assert pressure.in_hand == 1
    with pressure.counted(second):  # type: ignore[arg-type]
        pass
    second.is_here()
    assert pressure.in_hand == 0


class Loop:
    """An event loop whose time is told."""

    def __init__(self, pressure: Pressure, requests: int) -> None:
        self.pressure, self.requests = pressure, requests
        self.now = 100.0
        self.calls: list[tuple[float, Any, Any]] = []

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    def call_at(self, when: float, call: Any, *args: Any) -> None:
        self.calls.append((when, call, args))

    def turn(self, late: Iterable[float]) -> None:
        """One beat after the other, so much later than each was due."""
        for seconds in late:
            when, call, args = self.calls.pop()
            self.now = when + seconds
            self.pressure.arrived += self.requests
            call(*args)


def measured(*late: float, requests: int = LEAST_REQUESTS) -> tuple[Pressure, Loop]:
    pressure = Pressure()
    loop = Loop(pressure, requests)
    pressure._loop = loop  # type: ignore[assignment]
    pressure._send = partial(pressure._beat, loop)  # type: ignore[arg-type]
    pressure._await_beat(loop)  # type: ignore[arg-type]
    loop.turn(late)
    return pressure, loop


async def test_logins_that_wait_for_their_turn_begin_in_order_as_soon_as_there_is_time() -> None:
    pressure, loop = measured()
    begun: list[int] = []

    async def begin(number: int) -> None:
        await pressure.turn()
        begun.append(number)

    tasks = [asyncio.create_task(begin(number)) for number in range(FIRST_PACE + 3)]
    await asyncio.sleep(0)
    assert len(begun) == FIRST_PACE
    assert pressure.queue() == pytest.approx(3 * BEAT / FIRST_PACE)
    loop.turn([0.0])
    await asyncio.gather(*tasks)
    assert begun == list(range(FIRST_PACE + 3))
    assert pressure.queue() == 0.0


def test_late_beats_halve_the_pace_and_used_up_ones_in_time_raise_it() -> None:
    pressure, loop = measured(LATE * 2, LATE * 2)
    assert pressure._pace == FIRST_PACE // 4
    pressure._begun = pressure._pace
    loop.turn([0.0])
    assert pressure._pace == FIRST_PACE // 4 + 1
    loop.turn([LATE * 2] * 20)
    assert pressure._pace == LEAST_PACE


async def test_the_queue_is_as_long_as_it_takes_also_where_the_capacity_is_less_than_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else everybody would wait until it is too late, and most of them for nothing."""
    monkeypatch.setattr(Pressure, "_reckon", lambda *_: None)
    pressure, loop = measured()
    pressure._capacity, pressure._credit = 400.0, 0.0
    tasks = [asyncio.create_task(pressure.turn()) for _ in range(FIRST_PACE + 100)]
    for _ in range(200):
        tasks += [asyncio.create_task(pressure.turn()) for _ in range(round(400 * BEAT))]
        await asyncio.sleep(0)
        loop.turn([0.0])
    assert pressure.queue() == pytest.approx(len(pressure._waiting) / 400, rel=0.05)
    pressure._let_in(len(tasks), loop.now)
    assert all(await asyncio.gather(*tasks))


async def test_who_has_gone_away_takes_nobody_s_turn() -> None:
    pressure, loop = measured()
    for _ in range(FIRST_PACE):
        await pressure.turn()
    cancelled, gone, waiting = (asyncio.create_task(pressure.turn(is_gone)) for is_gone in (bool, lambda: True, bool))
    await asyncio.sleep(0)
    cancelled.cancel()
    pressure._pace = 1
    loop.turn([0.0])
    assert [await gone, await waiting] == [False, True]
    assert cancelled.cancelled()


async def test_a_browser_that_goes_away_before_its_turn_begins_no_login(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user has pressed reload: the server goes on with the request all the same."""
    pressure, start = world.gateway.pressure, URL((await world.ask_hub(world.browser())).location)
    monkeypatch.setattr(pressure, "_let_in", lambda *_: None)
    await asyncio.wait([asyncio.create_task(pressure.turn()) for _ in range(FIRST_PACE * 2)], timeout=0)
    _, writer = await asyncio.open_connection(start.host, start.port)
    writer.write(f"GET {start.raw_path_qs} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    before = len(pressure._waiting)
    async with asyncio.timeout(20):
        while len(pressure._waiting) == before:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)
        writer.transport.abort()
        while not pressure._waiting[-1].gone():  # noqa: ASYNC110
            await asyncio.sleep(0)
        monkeypatch.undo()
        while pressure.in_hand:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert "qlikgw_logins_started_total{" not in await world.metrics()


async def test_who_has_waited_too_long_is_turned_away_and_takes_nobody_s_turn() -> None:
    pressure, loop = measured()
    for _ in range(FIRST_PACE):
        assert await pressure.turn()
    early = asyncio.create_task(pressure.turn())
    await asyncio.sleep(0)
    loop.now += LONGEST_WAIT
    late = asyncio.create_task(pressure.turn())
    await asyncio.sleep(0)
    loop.turn([LONGEST_WAIT])
    assert [await early, await late] == [False, True]
    assert pressure._begun == 1


async def test_a_login_that_waited_too_long_is_not_begun(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    start = (await world.ask_hub(world.browser())).location

    async def too_long(*_: object) -> bool:
        return False

    monkeypatch.setattr(Pressure, "begins", lambda _: False)
    monkeypatch.setattr(Pressure, "turn", too_long)
    answer = await world.browser().get(start)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "QGW-117", "3")
    assert 'qlikgw_requests_shed_total{endpoint="start"} 1.0' in await world.metrics()


async def test_a_login_is_not_begun_while_the_queue_is_too_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    start = (await world.ask_hub(world.browser())).location
    monkeypatch.setattr(Pressure, "queue", lambda _: EAGER.queue * 2)
    assert (await world.browser().get(start)).code == "QGW-117"


async def test_nobody_waits_for_a_turn_when_the_gateway_stops(world: World) -> None:
    pressure = world.gateway.pressure
    for _ in range(FIRST_PACE * 2):
        turn = asyncio.create_task(pressure.turn())
    pressure.stop()
    await asyncio.wait_for(turn, 5)


def test_only_a_standing_queue_is_pressure() -> None:
    assert measured(0.1, 0.3, 0.2)[0].standing() == pytest.approx(0.1)
    assert measured(0.0, 3.0, 0.0)[0].standing() == 0.0, "a hiccup"


def test_one_beat_in_time_ends_it() -> None:
    pressure, loop = measured(0.5, 0.5, 0.5)
    assert pressure.standing() == pytest.approx(0.5)
    loop.turn([0.0])
    assert pressure.standing() == pytest.approx(0.0, abs=1e-9)


def test_a_round_of_work_that_takes_too_long_is_noticed_while_it_lasts() -> None:
    pressure, loop = measured(0.0)
    assert pressure.overdue() == 0.0
    loop.now += BEAT + 0.4
    pressure.arrived = LEAST_REQUESTS
    assert pressure.overdue() == pytest.approx(0.4)
    assert pressure.standing() == 0.0


def test_a_machine_that_has_no_time_is_not_overload_while_hardly_anybody_comes() -> None:
    pressure, loop = measured(0.5, 0.5, 0.5, requests=LEAST_REQUESTS - 1)
    assert pressure.standing() == 0.0
    loop.now += 3
    assert pressure.overdue() == 0.0


async def test_a_large_saml_response_that_finds_no_room_is_not_used_up(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is judged in another thread, and the queue for those is short."""
    world = await worlds(idps=(), saml=("adfs",))
    monkeypatch.setattr(saml, "_INLINE", 100)
    browser = world.browser()
    page = await world.to_callback(browser)
    with monkeypatch.context() as full:
        full.setattr(saml.LargeResponses, "check_room", refuse)
        answer = await browser.submit(page)
    assert (answer.status, answer.code) == (503, "QGW-117")
    assert not answer.set_cookies
    assert (await browser.follow(await browser.submit(page))).status == 200


def refuse(_: saml.LargeResponses) -> None:
    raise Overloaded("full")


# ---- no more begin than can be ended ----------------------------------------------------------------------------------------


class Clock:
    """The process's CPU time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.spent = 50.0
        monkeypatch.setattr(pressure_module.time, "process_time", lambda: self.spent)


def work(pressure: Pressure, loop: Loop, clock: Clock, *, beats: int, cost: float, begun: int = 0, ended: int = 0, others: int = 0) -> None:
    """As much in every beat, for so many seconds of CPU time for what one beginning costs."""
    for _ in range(beats):
        pressure._begun += begun
        pressure.ended += ended
        pressure.arrived += begun + ended + others
        clock.spent += cost * (begun + COST_OF_END * ended + COST_OF_OTHER * others)
        loop.turn([0.0])


WITH_ENDS_TO_COME = 1 + UNSEEN * COST_OF_END
"""What a login takes that nobody has ended yet, by its beginning."""


def test_the_capacity_is_what_whole_logins_have_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, (pressure, loop) = Clock(monkeypatch), measured(requests=0)
    work(pressure, loop, clock, beats=500, begun=20, ended=20, cost=0.0002)
    assert pressure._capacity == pytest.approx(1000, rel=0.01)
    work(pressure, loop, clock, beats=500, begun=30, ended=30, cost=0.0004)
    assert pressure._capacity == pytest.approx(500, rel=0.01), "more end than can for long"
    work(pressure, loop, clock, beats=30, begun=30, ended=30, cost=0.00016)
    assert pressure._capacity == pytest.approx(1250, rel=0.01), "as soon as they cost less"


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_fewer_begin_while_ends_are_still_to_come(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    clock, (pressure, loop) = Clock(monkeypatch), measured(requests=0)
    work(pressure, loop, clock, beats=500, begun=20, ended=20, cost=0.0002)
    work(pressure, loop, clock, beats=500, begun=20, ended=round(20 * share), cost=0.0002)
    ends = share * 1000
    assert WITH_ENDS_TO_COME * pressure._capacity == pytest.approx(5000 + (UNSEEN - 1) * COST_OF_END * ends, rel=0.01)


def test_time_is_kept_for_those_who_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what they take, whatever that was thought to be; what a login costs is not learned from them."""
    clock, (pressure, loop) = Clock(monkeypatch), measured(requests=0)
    work(pressure, loop, clock, beats=500, begun=20, ended=20, cost=0.0002)
    for _ in range(500):
        clock.spent += 80 * 0.00001
        work(pressure, loop, clock, beats=1, begun=12, ended=12, others=80, cost=0.0002)
    busy = 80 / BEAT * (0.00001 + COST_OF_OTHER * 0.0002)
    assert pressure._capacity == pytest.approx(1000 * (1 - RESERVED * busy), rel=0.01)
    work(pressure, loop, clock, beats=500, others=1_000, cost=0.0002)
    assert pressure._capacity == LEAST_CAPACITY
    work(pressure, loop, clock, beats=500, begun=20, ended=20, cost=0.0002)
    assert pressure._capacity == pytest.approx(1000, rel=0.01), "at once"


def test_what_a_login_costs_is_not_learned_from_what_little_work_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, (pressure, loop) = Clock(monkeypatch), measured(requests=0)
    before = pressure._cost
    for _ in range(200):
        clock.spent += BEAT / 2
        work(pressure, loop, clock, beats=1, begun=1, cost=0.0)
    assert pressure._cost == before
    assert pressure._capacity < FIRST_CAPACITY / 2, "for half of the time goes elsewhere"
    for _ in range(200):
        clock.spent += BEAT / 10
        work(pressure, loop, clock, beats=1, begun=1, ended=1, cost=0.0)
    assert pressure._cost == before, "a core that is hardly used: most of it is for nobody"


def test_a_capacity_that_is_nothing_leaves_some(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, (pressure, loop) = Clock(monkeypatch), measured(requests=0)
    work(pressure, loop, clock, beats=300, begun=20, cost=1.0)
    assert pressure._capacity == LEAST_CAPACITY
    assert pressure.begins()


def test_users_who_take_their_time_find_time_when_they_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beginnings cost a fifth of a login: at the pace that they alone allow, five times too many would come back."""
    clock, (pressure, loop) = Clock(monkeypatch), measured(requests=0)
    work(pressure, loop, clock, beats=500, begun=30, ended=30, cost=0.0002)
    began, beats = 0, 500
    for _ in range(beats):
        begun = sum(pressure.begins() for _ in range(100))
        pressure.arrived += begun
        clock.spent += 0.0002 * begun
        loop.turn([0.0])
        began += begun
    assert began / (beats * BEAT) == pytest.approx(5000 / WITH_ENDS_TO_COME, rel=0.1)
    assert pressure._pace > 1000 * BEAT * 2, "no beat was late"


def test_after_a_pause_more_may_begin_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, (pressure, loop) = Clock(monkeypatch), measured(requests=0)
    work(pressure, loop, clock, beats=500, begun=5, cost=0.0002)
    assert sum(pressure.begins() for _ in range(1_000)) == FIRST_PACE


async def test_only_a_login_that_ends_with_a_ticket_counts_as_ended(world: World) -> None:
    """Forged returns are cheap: by them logins would be, too, and more would begin than can be ended."""
    pressure = world.gateway.pressure
    pressure.stop()  # no beat begins to count anew
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    for forged in (callback, str(URL(callback).without_query_params("state")), str(URL(callback).update_query(code="forged"))):
        assert (await world.browser().get(forged)).status == 400
    assert (pressure.ended, pressure.arrived) == (0, 4)
    assert (await browser.get(callback)).status == 302
    assert (pressure.ended, pressure.arrived) == (1, 5)


# ---- what a flood makes is hardly garbage -----------------------------------------------------------------------------------


def test_the_collector_hardly_looks_at_what_a_flood_makes() -> None:
    looks, thresholds = [], gc.get_threshold()

    def look(phase: str, _: object) -> None:
        looks.append(phase)

    gc.collect()
    collect_less()
    gc.callbacks.append(look)
    try:
        kept: list[list[object]] = [[] for _ in range(5 * COLLECT_AFTER)]
    finally:
        gc.callbacks.remove(look)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
    assert 0 < looks.count("start") <= len(kept) / COLLECT_AFTER
