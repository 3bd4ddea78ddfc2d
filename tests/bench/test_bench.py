"""The benchmark itself runs: a few logins of each kind, no figure asserted."""

from __future__ import annotations

from tests.bench import logins, memory, overload
from tests.bench.logins import Options


async def test_a_few_logins_of_every_kind_end_with_a_ticket() -> None:
    result = await logins.run(Options(at_once=(2,), logins=4, rounds=1, warm_up=4, pinned=False))

    assert {(row.system, row.journey) for row in result.rows} == {
        ("qlikgw", "OIDC"),
        ("qlikgw", "SAML, both opinions"),
        ("qlikgw", "SAML, own engine"),
        ("yardstick", "OIDC"),
        ("yardstick", "SAML"),
    }
    assert not [row.errors for row in result.rows if row.errors]
    assert all(row.per_second > 0 for row in result.rows)


async def test_a_short_flood_leaves_no_login_half_done() -> None:
    lines = "\n".join(await overload.run(pinned=False, times=1.5, seconds=0.5, logins=40))
    assert lines.count("begun and not finished 0") == 2
    assert lines.count("failures: none") == 2


async def test_memory_is_told_step_by_step() -> None:
    lines = [line async for line in memory.run(logins=40, step=20)]
    assert [int(line.split()[0]) for line in lines[1:]] == [0, 20, 40]
    assert all("'finished': 10" in line for line in lines[2:])
