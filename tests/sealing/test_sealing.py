from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, UnknownSealingKey, UnreadableLogin
from gateway.model import LoginTransaction, Memo, Purpose, TransactionId
from gateway.sealing import Sealer, SpentLogin, open_login, seal_login
from tests.fakes import NOON

OLD, NEW = b"o" * 32, b"n" * 32
NONCE = b"123456789012"


def sealer(*ring: bytes, purpose: str = "test") -> Sealer:
    return Sealer(ring or (OLD,), purpose=purpose)


def login(**changes: object) -> LoginTransaction:
    fields = {
        "id": TransactionId("state"),
        "purpose": Purpose.LOGIN,
        "virtual_proxy": "sales",
        "node": "https://qlik1.corp.example:4243/qps",
        "idp": "entra",
        "registration": "r3g",
        "target_id": "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c",
        "expires_at": NOON + timedelta(minutes=15),
        "memo": Memo('{"seed":"s"}'),
    }
    return LoginTransaction(**{**fields, **changes})  # type: ignore[arg-type]


def test_what_is_sealed_opens_under_the_same_name() -> None:
    assert sealer().open(sealer().seal(b"plain", context="a", nonce=NONCE), context="a") == b"plain"


def test_a_sealed_value_opens_under_no_other_name() -> None:
    with pytest.raises(UnreadableLogin):
        sealer().open(sealer().seal(b"plain", context="a", nonce=NONCE), context="b")


def test_a_value_sealed_for_another_purpose_has_an_unknown_key() -> None:
    sealed = sealer(purpose="something else").seal(b"plain", context="a", nonce=NONCE)
    with pytest.raises(UnknownSealingKey):
        sealer().open(sealed, context="a")


def test_the_first_key_seals_and_all_open() -> None:
    before, during, after = sealer(OLD), sealer(NEW, OLD), sealer(NEW)
    assert during.open(before.seal(b"x", context="a", nonce=NONCE), context="a") == b"x"
    assert after.open(during.seal(b"x", context="a", nonce=NONCE), context="a") == b"x"
    with pytest.raises(UnknownSealingKey):
        after.open(before.seal(b"x", context="a", nonce=NONCE), context="a")


@given(position=st.integers(min_value=8, max_value=60), flip=st.integers(min_value=1, max_value=63))
def test_any_altered_character_is_refused(position: int, flip: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sealed = sealer().seal(b"a plain text of some length", context="a", nonce=NONCE)
    other = alphabet[(alphabet.index(sealed[position]) + flip) % 64]
    with pytest.raises(UnreadableLogin):
        sealer().open(sealed[:position] + other + sealed[position + 1 :], context="a")


@given(st.text(max_size=200))
def test_any_text_opens_or_is_refused(text: str) -> None:
    with pytest.raises(GatewayError):
        open_login(sealer(), text, context="a")


@pytest.mark.parametrize("plain", [b"", b"{}", b"[]", b'["login"]', b'["login","sales","soon","a","b","c","d","e","f"]', b"\xff"])
def test_a_login_sealed_by_another_version_is_refused(plain: bytes) -> None:
    sealed = sealer().seal(plain, context="a", nonce=NONCE)
    with pytest.raises(UnreadableLogin):
        open_login(sealer(), sealed, context="a")


@pytest.mark.parametrize(
    "record", [login(), login(purpose=Purpose.TEST), SpentLogin(virtual_proxy="sales", expires_at=NOON)], ids=["login", "test", "spent"]
)
def test_a_login_comes_back_as_it_was(record: LoginTransaction | SpentLogin) -> None:
    assert open_login(sealer(), seal_login(sealer(), record, context="a", nonce=NONCE), context="a") == record


def test_a_sealed_login_is_small_enough_for_ten_of_them() -> None:
    record = login(id=TransactionId("s" * 22), registration="r" * 16, memo=Memo('{"seed":"' + "s" * 43 + '"}'))
    assert len(seal_login(sealer(), record, context="a", nonce=NONCE)) < 420


@pytest.mark.parametrize("ring", [(), (b"short",), (OLD, b"short")])
def test_a_ring_of_wrong_keys_is_refused(ring: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(ring, purpose="test")
