"""What the way back does in which order, and what it keeps and forgets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway import errands
from gateway.ending import GIVE_UP
from gateway.errors import LogoutAlreadyHeard, LogoutMismatch, NotFound, ProviderUnreachable, StoreUnavailable
from gateway.events import LoggedOut, ProviderTrouble, SessionsLeft
from gateway.model import Channel, LogoutMessage, Redirect, SignedIn
from gateway.system import tend
from tests.logout.world import ALICE, BROWSER, Way

MESSAGE = LogoutMessage(channel=Channel.BACK, fields={})


async def left(way: Way) -> set[SignedIn]:
    return set(await way.index.of_browser(BROWSER))


async def test_all_nodes_of_all_virtual_proxies_are_asked_and_the_browser_goes_on() -> None:
    way = Way()
    await way.sign_in("sales")
    await way.sign_in("hr")
    journey, onward = await way.pipeline.leave(way.table, way.journey())
    assert [node.asked for node in way.nodes.values()] == [[ALICE]] * 4
    assert set(journey.ended) == {"sales", "hr"}
    assert onward is not None
    assert onward[0].idp == "a"
    assert await left(way) == set()
    assert [event.sessions for event in way.journal.events if isinstance(event, LoggedOut)] == [2, 2]


async def test_the_provider_gets_back_what_its_sign_in_left() -> None:
    way = Way()
    await way.sign_in(memo="an ID token of")
    await way.pipeline.leave(way.table, way.journey())
    assert way.logouts["a"].memos == ["an ID token of a"]


async def test_a_memo_that_was_sealed_with_a_key_that_is_gone_costs_the_hint_alone() -> None:
    way, before = Way(), Way(ring=(b"o" * 32,))
    await way.index.remember(await before.sign_in())
    journey, onward = await way.pipeline.leave(way.table, way.journey())
    assert journey.ended == ("sales",)
    assert onward is not None
    assert way.logouts["a"].memos == [None]


async def test_one_provider_after_the_other_first_the_one_of_the_virtual_proxy_that_is_left() -> None:
    way = Way()
    await way.sign_in("sales", "a")
    other = await way.sign_in("hr", "b")
    journey, onward = await way.pipeline.leave(way.table, way.journey())
    assert onward is not None
    assert onward[0].idp == "a"
    assert await left(way) == {other}, "the other provider's logout needs it yet"
    journey, onward = await way.pipeline.came_back(way.table, "a", MESSAGE, onward[0])
    assert onward is not None
    assert (onward[0].idp, journey.visited) == ("b", ("a", "b"))
    assert await left(way) == set()
    journey, onward = await way.pipeline.came_back(way.table, "b", MESSAGE, onward[0])
    assert (onward, set(journey.ended), journey.open) == (None, {"sales", "hr"}, ())
    assert [len(node.asked) for node in way.nodes.values()] == [1] * 4, "nobody is asked twice"


async def test_a_provider_without_logout_or_out_of_reach_stays_open_and_the_next_one_is_tried() -> None:
    way = Way()
    way.logouts["a"].refuses = ProviderUnreachable("down")
    await way.sign_in("sales", "a")
    await way.sign_in("hr", "b")
    journey, onward = await way.pipeline.leave(way.table, way.journey())
    assert onward is not None
    assert (onward[0].idp, journey.open) == ("b", ("a",))
    assert way.journal.of(ProviderTrouble)
    way.ports["b"].logout = None
    await way.sign_in("hr", "b")
    journey, onward = await way.pipeline.leave(way.table, way.journey())
    assert (journey.open, onward) == (("b",), None)


@pytest.mark.parametrize("old", [True, False])
async def test_what_is_done_meanwhile_takes_no_provider_off_the_way(*, old: bool) -> None:
    """A node that was asked again, or a last round for a ticket, while the user was at the first provider."""
    way = Way()
    way.nodes["hr", 1].failures = 1
    await way.sign_in("sales", "a")
    await way.sign_in("hr", "b", old=old)
    _, onward = await way.pipeline.leave(way.table, way.journey())
    assert onward is not None
    await way.later(1)
    await way.later(80)
    assert way.nodes["hr", 1].sessions == 0
    journey, onward = await way.pipeline.came_back(way.table, "a", MESSAGE, onward[0])
    assert onward is not None
    assert onward[0].idp == "b"
    assert way.logouts["b"].memos == ["memo b"]
    journey, onward = await way.pipeline.came_back(way.table, "b", MESSAGE, onward[0])
    assert (onward, journey.open) == (None, ())


async def test_who_signed_in_after_the_logout_began_stays() -> None:
    """In another tab, while this one was at the provider."""
    way = Way()
    await way.sign_in("sales")
    _, onward = await way.pipeline.leave(way.table, way.journey())
    assert onward is not None
    way.clock.advance(30)
    newer = await way.sign_in("sales", old=False)
    await way.pipeline.came_back(way.table, "a", MESSAGE, onward[0])
    assert await left(way) == {newer}
    assert len(way.nodes["sales", 1].asked) == 1


async def test_the_way_back_from_a_provider_is_good_for_one_use_for_a_quarter_of_an_hour_at_that_provider() -> None:
    way = Way()
    await way.sign_in()
    _, onward = await way.pipeline.leave(way.table, way.journey())
    assert onward is not None
    with pytest.raises(LogoutMismatch):
        await way.pipeline.came_back(way.table, "b", MESSAGE, onward[0])
    with pytest.raises(LogoutMismatch):
        await way.pipeline.came_back(way.table, "a", MESSAGE, replace(onward[0], registration="another"))
    await way.pipeline.came_back(way.table, "a", MESSAGE, onward[0])
    with pytest.raises(LogoutAlreadyHeard):
        await way.pipeline.came_back(way.table, "a", MESSAGE, onward[0])
    way.clock.advance(timedelta(minutes=15))
    with pytest.raises(LogoutMismatch):
        await way.pipeline.came_back(way.table, "a", MESSAGE, onward[0])


async def test_a_notice_ends_the_sessions_of_all_that_it_means_and_counts_once() -> None:
    way = Way()
    way.logouts["a"].heard = way.notice()
    await way.sign_in("sales", browser="one")
    await way.sign_in("hr", browser="two")
    heard = await way.pipeline.hear(way.table, "a", MESSAGE)
    assert heard.complete
    assert [len(node.asked) for node in way.nodes.values()] == [1] * 4
    assert len(way.index) == 0
    with pytest.raises(LogoutAlreadyHeard):
        await way.pipeline.hear(way.table, "a", MESSAGE)


async def test_a_notice_without_proof_may_come_again() -> None:
    """A front-channel logout: it proves nothing, and is harmless."""
    way = Way()
    way.logouts["a"].heard = way.notice(proof=None)
    for _ in range(2):
        assert (await way.pipeline.hear(way.table, "a", MESSAGE)).complete


async def test_a_provider_without_logout_is_not_heard() -> None:
    way = Way()
    way.ports["a"].logout = None
    with pytest.raises(NotFound):
        await way.pipeline.hear(way.table, "a", MESSAGE)


async def test_an_entry_is_forgotten_only_after_all_nodes_have_done_their_part() -> None:
    way = Way()
    entry = await way.sign_in()
    way.nodes["sales", 2].failures = 3
    journey, onward = await way.pipeline.leave(way.table, way.journey())
    assert (journey.left, journey.ended) == (("sales",), ())
    assert onward is not None, "the provider's session ends all the same"
    for seconds in (1, 2, 4):
        assert await left(way) == {entry}
        await way.later(seconds)
    assert await left(way) == set()
    assert len(way.nodes["sales", 1].asked) == 1, "who has done it is not asked again"
    told = [(event.attempt, event.again) for event in way.journal.events if isinstance(event, SessionsLeft)]
    assert told == [(1, True), (2, True), (3, True)]
    assert len(way.journal.of(LoggedOut)) == 1


async def test_a_node_that_stays_away_is_given_up_after_an_hour_and_the_entry_stays() -> None:
    way = Way()
    entry = await way.sign_in()
    way.nodes["sales", 2].failures = 10_000
    await way.pipeline.leave(way.table, way.journey())
    began = way.clock.now()
    while len(way.errands):
        await way.later(1)
    assert GIVE_UP <= way.clock.now() - began <= GIVE_UP + timedelta(minutes=2)
    asked = [event for event in way.journal.events if isinstance(event, SessionsLeft)]
    assert not asked[-1].again
    assert 60 <= len(asked) <= 70
    assert await left(way) == {entry}


async def test_a_virtual_proxy_that_left_the_configuration_is_told_and_not_asked() -> None:
    way = Way()
    entry = await way.sign_in("hr")
    way.table = replace(way.table, virtual_proxies={"sales": way.table.virtual_proxies["sales"]})
    journey, _ = await way.pipeline.leave(way.table, way.journey())
    assert journey.left == ("hr",)
    (event,) = way.journal.of(SessionsLeft)
    assert isinstance(event, SessionsLeft)
    assert (event.code, event.again) == ("QGW-411", False)
    assert await left(way) == {entry}


async def test_a_ticket_that_may_not_be_used_yet_is_waited_for() -> None:
    way = Way()
    entry = await way.sign_in(old=False)
    await way.pipeline.leave(way.table, way.journey())
    assert await left(way) == {entry}
    way.nodes["sales", 2].sessions = 1
    await way.later(80)
    assert way.nodes["sales", 2].sessions == 0
    assert await left(way) == set()
    await way.later(600)
    assert len(way.nodes["sales", 2].asked) == 2
    assert [event.sessions for event in way.journal.events if isinstance(event, LoggedOut)] == [2, 1]


async def test_a_slow_nodes_ticket_is_waited_for_too() -> None:
    """Asked for 75 seconds ago, given 20 seconds later: it has its minute from then on."""
    way = Way()
    entry = await way.sign_in(old=False)
    way.clock.advance(75)
    await way.pipeline.leave(way.table, way.journey())
    assert await left(way) == {entry}
    way.nodes["sales", 1].sessions = 1
    await way.later(80)
    assert way.nodes["sales", 1].sessions == 0
    assert await left(way) == set()


async def test_a_user_who_is_back_is_left_alone_by_the_late_round() -> None:
    way = Way()
    await way.sign_in(old=False)
    await way.pipeline.leave(way.table, way.journey())
    way.clock.advance(10)
    newer = await way.sign_in(old=False)
    await way.later(80)
    assert len(way.nodes["sales", 1].asked) == 1
    assert await left(way) == {newer}


async def test_revoking_works_without_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way()

    async def down(*_: object) -> tuple[SignedIn, ...]:
        raise StoreUnavailable("down")

    monkeypatch.setattr(way.index, "of_user", down)
    outcomes = await way.pipeline.revoke(way.table, "sales", ALICE)
    assert [at.sessions for at in outcomes] == [1, 1]
    await way.later(80)
    assert len(way.errands) == 1, "what needs the index waits for it"
    monkeypatch.undo()
    await way.later(80)
    assert len(way.errands) == 0
    assert len(way.nodes["sales", 1].asked) == 2


async def test_one_user_has_one_errand_however_often_somebody_asks() -> None:
    way = Way(capacity=2)
    for number in (1, 2):
        way.nodes["sales", number].failures = 10
    await way.sign_in()
    for _ in range(5):
        await way.pipeline.revoke(way.table, "sales", ALICE)
    assert len(way.errands) == 1
    way.nodes["sales", 1].failures = way.nodes["sales", 2].failures = 0
    await way.later(80)
    assert sum(node.sessions for (vp, _), node in way.nodes.items() if vp == "sales") == 0
    assert await left(way) == set()


async def test_a_full_queue_refuses_and_says_that_nobody_asks_again() -> None:
    way = Way(capacity=1)
    for node in way.nodes.values():
        node.failures = 1
    await way.sign_in("sales")
    await way.sign_in("hr")
    await way.pipeline.leave(way.table, way.journey())
    told = [event for event in way.journal.events if isinstance(event, SessionsLeft)]
    assert sorted(event.again for event in told) == [False, False, True, True]
    assert len(await left(way)) == 2


async def test_a_fault_of_ours_keeps_no_other_errand_from_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way()
    for node in way.nodes.values():
        node.failures = 1
    await way.sign_in("sales")
    await way.sign_in("hr")
    await way.pipeline.leave(way.table, way.journey())

    async def falls_over(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(way.nodes["sales", 1], "end_sessions", falls_over)
    await way.later(1)
    assert [type(crash) for crash in way.crashes] == [ZeroDivisionError]
    assert way.nodes["hr", 1].sessions == way.nodes["hr", 2].sessions == 0
    await way.later(1)


async def test_before_a_stop_everything_gets_one_more_turn_and_what_is_left_is_counted() -> None:
    way = Way()
    way.nodes["sales", 1].failures, way.nodes["hr", 1].failures = 1, 2
    await way.sign_in("sales")
    await way.sign_in("hr", old=False)
    await way.pipeline.leave(way.table, way.journey())
    assert await way.errands.run_all(way._using) == 1
    assert way.nodes["sales", 1].sessions == 0
    assert [event.virtual_proxy for event in way.journal.events if isinstance(event, LoggedOut)] == ["sales"]


async def test_a_stop_in_the_middle_of_a_try_loses_nothing_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that hangs takes its three seconds, and a stop does not wait for them."""
    way = Way()
    way.nodes["sales", 1].failures = 1
    await way.sign_in("sales")
    await way.pipeline.leave(way.table, way.journey())
    asked = asyncio.Event()

    async def hangs(_: object) -> int:
        asked.set()
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(way.nodes["sales", 1], "end_sessions", hangs)
    way.clock.advance(1)
    monkeypatch.setattr(errands, "LOOK_EVERY", 0)
    trying = asyncio.create_task(tend(lambda: way.errands.run(way._using), way.crashes.append))
    await asked.wait()
    trying.cancel()
    await asyncio.wait([trying])
    monkeypatch.undo()
    way.nodes["sales", 1].failures = 1
    assert await way.errands.run_all(way._using) == 1, "asked once more, and told"


async def test_what_a_node_has_not_done_is_asked_of_all_once_it_has_another_name() -> None:
    """A reload in between: nobody knows which of them it is now, and nothing has ended there."""
    way = Way()
    way.nodes["sales", 1].failures = 1
    entry = await way.sign_in("sales")
    await way.pipeline.leave(way.table, way.journey())
    sales = way.table.virtual_proxies["sales"]
    nodes = {name.replace("qlik1", "qlik3"): route for name, route in sales.nodes.items()}
    way.table = replace(way.table, virtual_proxies={**way.table.virtual_proxies, "sales": replace(sales, nodes=nodes)})
    assert await left(way) == {entry}
    await way.later(1)
    assert way.nodes["sales", 1].sessions == 0
    assert await left(way) == set()


async def test_a_late_ticket_is_no_session_that_is_left() -> None:
    way = Way()
    await way.sign_in(old=False)
    await way.pipeline.leave(way.table, way.journey())
    assert len(way.errands) == 1
    assert await way.errands.run_all(way._using) == 0


async def test_where_a_browser_was_sent_is_told_to_nobody_else() -> None:
    way = Way()
    await way.sign_in()
    _, onward = await way.pipeline.leave(way.table, way.journey())
    assert onward is not None
    assert isinstance(onward[1], Redirect)
    assert onward[0].id in onward[1].url
    assert onward[0].id not in repr(way.journal.events)
