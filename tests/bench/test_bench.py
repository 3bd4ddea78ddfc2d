"""The benchmark itself runs: a few logins of each kind, no figure asserted."""

from __future__ import annotations

from tests.bench import logins
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
