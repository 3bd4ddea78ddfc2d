from __future__ import annotations

import pytest

from gateway.errors import UnreadableLogin
from gateway.model import Memo
from gateway.protocol import oidc
from tests.fakes import NOON


def test_what_was_written_is_read() -> None:
    seed = bytes(range(32))
    assert oidc.read_memo(oidc.write_memo(seed, asked_at=NOON)) == (oidc.login_secrets(seed), NOON)


def test_nonce_and_verifier_tell_nothing_of_each_other() -> None:
    secrets = oidc.login_secrets(bytes(32))
    assert secrets.nonce != secrets.code_verifier
    assert secrets.nonce not in oidc.write_memo(bytes(32), asked_at=NOON)


@pytest.mark.parametrize(
    "memo",
    [
        "",
        "{}",
        "null",
        "[]",
        '{"seed": 7, "at": 1}',
        '{"seed": "", "at": 1}',
        '{"seed": "AAAA", "at": 1}',
        '{"seed": "é", "at": 1}',
        '{"seed": "x", "seed": "y", "at": 1}',
        '{"seed": "%s"}' % ("A" * 43),
        '{"seed": "%s", "at": "soon"}' % ("A" * 43),
        '{"seed": "%s", "at": 1e99}' % ("A" * 43),
        '{"seed": "%s", "at": 99999999999999999999}' % ("A" * 43),
        "\ud800",
    ],
)
def test_a_memo_of_another_make_is_refused(memo: str) -> None:
    with pytest.raises(UnreadableLogin):
        oidc.read_memo(Memo(memo))
