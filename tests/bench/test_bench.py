"""The benchmark itself runs: a few logins of each kind, no figure asserted."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench import flood, growth, logins, memory, overload, plot, record
from tests.bench.growth import Effort, Line
from tests.bench.logins import Options, Result, Row
from tests.bench.speed import Speed

ROWS = {("qlikgw", "OIDC"), ("qlikgw", "SAML, both opinions"), ("qlikgw", "SAML, own engine"), ("yardstick", "OIDC"), ("yardstick", "SAML")}


def row(system: str, per_cpu_second: float) -> Row:
    figures = dict.fromkeys(("per_second", "p50", "p99", "driver", "others"), 1.0)
    return Row(system=system, journey="OIDC", at_once=16, per_cpu_second=per_cpu_second, **figures)


def run_of(ours: float, yardstick: float) -> Result:
    return Result(rows=[row("qlikgw", ours), row("yardstick", yardstick)])


async def test_a_few_logins_of_every_kind_end_with_a_ticket() -> None:
    result = await logins.run(Options(at_once=(2,), logins=4, rounds=1, warm_up=4, pinned=False))

    assert {(row.system, row.journey) for row in result.rows} == ROWS
    assert not [row.errors for row in result.rows if row.errors]
    assert all(row.per_second > 0 for row in result.rows)


async def test_users_who_take_their_time_come_back_all() -> None:
    line = await growth.by_in_flight(Effort(logins=2, rounds=1, largest=10), None)

    assert [size for size, _ in line.points] == [1, 10]


@pytest.mark.parametrize("alone", [False, True])
async def test_a_short_flood_leaves_no_login_half_done(*, alone: bool) -> None:
    effort = overload.Effort(floods=2, pinned=False, times=1.5, seconds=0.5, thinking=(0.1,), logins=40, alone=alone)
    outcomes = [one async for one in overload.run(effort)]
    assert [(one.unfinished, one.failed, one.finished - one.tickets) for one in outcomes] == [(0, 0, 0)] * 6
    assert all(one.finished for one in outcomes)
    heads, rows = overload.heads_and_rows(outcomes)
    assert {len(row) for row in rows} == {len(heads)} == {4}
    assert all(0.1 < one.times < 10 for one in outcomes)
    assert [one.fresh for one in outcomes] == [False] * 3 + [True] * 3
    assert plot.overload(outcomes).count("<circle") == 3 + len(outcomes)


def test_an_overload_is_told_by_the_speed_that_the_machine_has_meanwhile(tmp_path: Path) -> None:
    notes = tmp_path / "speed"
    notes.write_text("1.0 0.001\n2.0 0.001\n3.0 0.002\n4.0 0.002\n5.0 0.0")
    speed = Speed(notes)
    assert (speed.between(0.0, 2.5), speed.between(2.5, 6.0)) == (1000, 500)
    assert speed.between(2.6, 2.7) == 500, "what was noted next to it"


async def test_nobody_comes_while_the_driver_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all of them at once would come after it."""
    came: list[float] = []

    class Users(flood.Users):
        async def one(self, _: flood.Flood) -> None:
            came.append(time.perf_counter())
            if len(came) == 10:
                time.sleep(0.5)  # noqa: ASYNC251

    async def at_once(_: flood.Users) -> float:
        return 0.0

    monkeypatch.setattr(flood, "first_success", at_once)
    told, _ = await flood.arrive(Users(None, None), per_second=100, seconds=0.5)  # type: ignore[arg-type]
    assert told.came == len(came)
    assert told.wall >= 0.9
    assert told.stood_still >= 0.4
    assert 35 <= told.came <= 55
    pause = max(later - sooner for sooner, later in pairwise(came))
    over = next(later for sooner, later in pairwise(came) if later - sooner == pause)
    assert sum(over <= moment < over + 0.005 for moment in came) <= 15


async def test_memory_is_told_step_by_step() -> None:
    lines = [line async for line in memory.run(logins=40, step=20)]
    assert [int(line.split()[0]) for line in lines[1:]] == [0, 20, 40]
    assert all("'finished': 10" in line for line in lines[2:])


def test_drawings_are_documents_of_their_own() -> None:
    line = Line("groups", "group", [(1, 1.0), (1000, 3.0)])

    assert ET.fromstring(plot.growth([line])).tag.endswith("svg")  # noqa: S314 (our own)
    assert ET.fromstring(plot.bars(run_of(700, 1000), 16)).tag.endswith("svg")  # noqa: S314
    assert round(line.slope, 6) == round(2000 / 999, 6)


def test_only_a_ratio_that_changed_is_told_whatever_the_machine() -> None:
    assert not list(record.changes(run_of(350, 500), run_of(700, 1000)))
    assert ["slower" in told for told in record.changes(run_of(500, 1000), run_of(700, 1000))] == [True]


def test_growth_is_compared_by_how_much_dearer_many_are_than_few() -> None:
    def groups(*milliseconds: float) -> list[Line]:
        return [Line("groups", "group", [*zip((1, 20, 1000), milliseconds, strict=False)])]

    before = groups(1.0, 1.1, 2.0)
    assert not list(record.changes_of_growth(groups(3.0, 3.3, 6.0), before))
    assert list(record.changes_of_growth(groups(1.0, 1.1, 4.0), before)) == [
        "groups: 1,000 cost 4.00 times what 1 costs, 2.00 times in the committed run: steeper"
    ]
    assert ["flatter" in told for told in record.changes_of_growth(groups(1.0, 0.9), before)] == [True]
    assert not list(record.changes_of_growth(groups(1.0), before))
    assert {line.what for line in record.committed_growth()} >= {"virtual proxies", "providers", "logins in flight"}


def test_a_share_is_that_of_the_same_round_whatever_the_machine_did_meanwhile() -> None:
    ours, theirs = ([row(name, rate * speed) for speed in (1.0, 0.5, 2.0)] for name, rate in (("qlikgw", 700), ("yardstick", 1000)))
    found = logins.summed_up(ours, theirs)
    assert (found.per_cpu_second, found.share) == (1400, 0.7)
    assert logins.summed_up(ours, []).share is None


def test_bars_are_those_of_the_machine_that_the_yardstick_tells() -> None:
    assert [told.partition(":")[0] for told in record.bars_met(run_of(360, 500))] == ["met", "met"]
    assert [told.partition(":")[0] for told in record.bars_met(run_of(340, 500))] == ["MISSED", "met"]
