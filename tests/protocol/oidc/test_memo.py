from __future__ import annotations

import pytest

from gateway.errors import UnreadableLogin
from gateway.model import Memo
from gateway.protocol import oidc


def test_what_was_written_is_read() -> None:
    seed = bytes(range(32))
    assert oidc.read_memo(oidc.write_memo(seed)) == oidc.login_secrets(seed)


def test_nonce_and_verifier_tell_nothing_of_each_other() -> None:
    secrets = oidc.login_secrets(bytes(32))
    assert secrets.nonce != secrets.code_verifier
    assert secrets.nonce not in oidc.write_memo(bytes(32))


@pytest.mark.parametrize(
    "memo",
    ["", "{}", "null", "[]", '{"seed": 7}', '{"seed": ""}', '{"seed": "AAAA"}', '{"seed": "é"}', '{"seed": "x", "seed": "y"}', "\ud800"],
)
def test_a_memo_of_another_make_is_refused(memo: str) -> None:
    with pytest.raises(UnreadableLogin):
        oidc.read_memo(Memo(memo))
