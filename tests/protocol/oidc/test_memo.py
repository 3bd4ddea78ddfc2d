from __future__ import annotations

import pytest

from gateway.errors import UnreadableLogin
from gateway.model import Memo
from gateway.protocol import oidc
from tests.fakes import NOON


def test_what_was_written_is_read() -> None:
    secrets = oidc.login_secrets(bytes(range(32)))
    assert oidc.read_memo(oidc.write_memo(secrets, asked_at=NOON)) == (secrets, NOON)


def test_what_the_browser_sees_is_neither_the_verifier_nor_the_other() -> None:
    secrets = oidc.login_secrets(bytes(range(32)))
    seen = {secrets.nonce, secrets.code_challenge, secrets.code_verifier}
    assert (len(seen), {len(value) for value in seen}) == (3, {43})


def test_other_seeds_give_other_secrets() -> None:
    one, other = oidc.login_secrets(bytes(32)), oidc.login_secrets(bytes(31) + b"\x01")
    assert one.nonce != other.nonce
    assert one.code_verifier != other.code_verifier


def test_the_latest_time_that_a_memo_can_hold_is_read() -> None:
    assert oidc.read_memo(Memo("A" * 43 + "." + "9" * 11))[1].year == 5138


@pytest.mark.parametrize(
    "memo",
    [
        "",
        "{}",
        "A" * 43,
        "." + "A" * 43,
        "A" * 42 + ".1",
        "A" * 44 + ".1",
        "A" * 42 + "=.1",
        "A" * 42 + "é.1",
        "A" * 42 + "+.1",
        "A" * 43 + ".",
        "A" * 43 + ".soon",
        "A" * 43 + ".-1",
        "A" * 43 + ".1e9",
        "A" * 43 + "." + "9" * 12,
        "A" * 43 + ".1\n",
        "A" * 43 + ".1.1",
        "A" * 43 + ".\N{ARABIC-INDIC DIGIT ONE}",
        '{"seed": "%s", "at": 1}' % ("A" * 43),
        "\ud800",
    ],
)
def test_a_memo_of_another_make_is_refused(memo: str) -> None:
    with pytest.raises(UnreadableLogin):
        oidc.read_memo(Memo(memo))
