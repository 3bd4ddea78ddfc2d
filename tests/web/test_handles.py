"""The sealed cookie of a browser's handle."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest

from gateway.sealing import Sealer
from gateway.web.handles import LONGEST, PURPOSE, BrowserCookie, Handle, signed_out
from tests.fakes import CountingEntropy

OLD, NEW = b"o" * 32, b"n" * 32


def cookie(*ring: bytes, secure: bool = True, purpose: str = PURPOSE) -> BrowserCookie:
    return BrowserCookie(sealer=Sealer(ring or (NEW,), purpose=purpose, longest=LONGEST), entropy=CountingEntropy(), secure=secure)


def shown(line: str) -> dict[str, str]:
    """What the browser shows after that Set-Cookie."""
    (morsel,) = SimpleCookie(line).values()
    return {morsel.key: morsel.value}


@pytest.mark.parametrize(("secure", "name", "flag"), [(True, "__Host-qgw-browser", "; Secure"), (False, "qgw-browser", "")])
def test_its_attributes(*, secure: bool, name: str, flag: str) -> None:
    line = cookie(secure=secure).issue(Handle("a" * 22))
    value, _, attributes = line.partition("; ")
    assert value.startswith(f"{name}=")
    assert attributes == f"Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax{flag}"


def test_a_handle_and_its_mark_come_back_and_neither_can_be_seen() -> None:
    ours = cookie()
    handle = ours.mint()
    assert len(handle.value) == 22
    for one in (handle, signed_out(handle)):
        line = ours.issue(one)
        assert ours.read(shown(line)) == one
        assert handle.value not in line
        assert ".out" not in line


def test_the_longest_value_of_our_own_is_read() -> None:
    ours = cookie()
    (value,) = shown(ours.issue(signed_out(ours.mint()))).values()
    assert len(value) <= LONGEST


def test_a_ring_that_rotates_keeps_the_handle_and_the_next_login_seals_it_anew() -> None:
    handle = signed_out(cookie().mint())
    before = shown(cookie(OLD).issue(handle))
    assert cookie(NEW, OLD).read(before) == handle
    assert cookie(NEW).read(shown(cookie(NEW, OLD).issue(handle))) == handle
    assert cookie(NEW).read(before) is None, "of a key that is gone: a browser of which nothing is known"


@pytest.mark.parametrize("value", ["", "a" * 22, "a" * 22 + ".out", "é", "=" * 60, "A" * 60, "A" * 5000])
def test_what_nobody_sealed_is_no_handle(value: str) -> None:
    assert cookie().read({"__Host-qgw-browser": value}) is None


def test_an_altered_one_is_no_handle() -> None:
    ours = cookie()
    ((name, value),) = shown(ours.issue(signed_out(ours.mint()))).items()
    for at in range(len(value) - 1):  # the last character holds bits that stand for nothing
        assert ours.read({name: value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]}) is None


def test_what_was_sealed_under_another_name_or_for_another_purpose_is_no_handle() -> None:
    handle = cookie().mint()
    (value,) = shown(cookie(secure=False).issue(handle)).values()
    assert cookie().read({"__Host-qgw-browser": value}) is None
    assert cookie().read(shown(cookie(purpose="login in flight").issue(handle))) is None


def test_what_another_version_sealed_is_no_handle() -> None:
    ours = cookie()
    sealed = ours.sealer.seal(b"something else", context=ours.name, nonce=b"n" * 12)
    assert ours.read({ours.name: sealed}) is None
