from __future__ import annotations

import re
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest

from gateway.errors import NoLoginInFlight, UnknownSealingKey, UnreadableLogin
from gateway.model import Binding, LoginTransaction, Memo, Purpose, TransactionId
from gateway.sealing import Sealer, SpentLogin
from gateway.web.cookies import IN_FLIGHT, REMEMBERED, LoginCookies
from tests.fakes import CountingEntropy, FixedClock


class Browser:
    """Keeps cookies by name, as a browser does."""

    def __init__(self) -> None:
        self.jar: dict[str, str] = {}

    def take(self, *lines: str) -> None:
        for line in lines:
            (morsel,) = SimpleCookie(line).values()
            if morsel["max-age"] == "0":
                self.jar.pop(morsel.key, None)
            else:
                self.jar[morsel.key] = morsel.value


def cookies(clock: FixedClock, *, secure: bool = True, key: bytes = b"k" * 32) -> LoginCookies:
    return LoginCookies(Sealer([key], purpose="login"), clock=clock, entropy=CountingEntropy(), secure=secure)


def issued(clock: FixedClock, jar: dict[str, str], transaction: LoginTransaction) -> list[str]:
    """Set-Cookie values for a login that a browser with this jar begins."""
    ours = cookies(clock)
    return ours.issue(ours.held(jar), transaction, Binding.QUERY)


def login(clock: FixedClock, state: str = "state") -> LoginTransaction:
    return LoginTransaction(
        id=TransactionId(state),
        purpose=Purpose.LOGIN,
        virtual_proxy="sales",
        node="https://qlik1.corp.example:4243/qps",
        idp="entra",
        registration="r",
        target_id="t",
        expires_at=clock.now() + timedelta(minutes=15),
        memo=Memo("m"),
    )


@pytest.mark.parametrize(
    ("secure", "binding", "attributes"),
    [
        (True, Binding.QUERY, "Path=/; Max-Age=87300; HttpOnly; SameSite=Lax; Secure"),
        (True, Binding.FORM_POST, "Path=/; Max-Age=87300; HttpOnly; SameSite=None; Secure"),
        (False, Binding.QUERY, "Path=/; Max-Age=87300; HttpOnly; SameSite=Lax"),
        (False, Binding.FORM_POST, "Path=/; Max-Age=87300; HttpOnly; SameSite=Lax"),
    ],
)
def test_the_attributes_follow_the_binding(*, secure: bool, binding: Binding, attributes: str) -> None:
    clock = FixedClock()
    (line,) = cookies(clock, secure=secure).issue({}, login(clock), binding)
    assert line.partition("; ")[2] == attributes
    assert line.startswith("__Host-" if secure else "qgw-")


def test_a_login_is_read_back_by_its_state_alone() -> None:
    clock, browser = FixedClock(), Browser()
    for state in ("one", "two"):
        browser.take(*issued(clock, browser.jar, login(clock, state)))
    record = cookies(clock).read(browser.jar, "two")
    assert isinstance(record, LoginTransaction)
    assert record.id == "two"
    with pytest.raises(NoLoginInFlight):
        cookies(clock).read(browser.jar, "three")
    with pytest.raises(NoLoginInFlight):
        cookies(clock).read({}, "two")


@pytest.mark.parametrize("state", ["", "x" * 129, "stäte", "a b\x00"])
def test_a_state_that_was_never_ours_is_refused(state: str) -> None:
    with pytest.raises(NoLoginInFlight):
        cookies(FixedClock()).read({}, state)


def test_a_value_moved_to_another_name_is_refused() -> None:
    clock = FixedClock()
    ours = cookies(clock)
    (line,) = ours.issue({}, login(clock, "one"), Binding.QUERY)
    value = line.partition("=")[2].partition(";")[0]
    with pytest.raises(UnreadableLogin):
        ours.read({ours.name(TransactionId("two")): value}, "two")


def test_a_cookie_of_a_gateway_with_another_key_is_told_apart() -> None:
    clock, browser = FixedClock(), Browser()
    browser.take(*cookies(clock, key=b"a" * 32).issue({}, login(clock), Binding.QUERY))
    with pytest.raises(UnknownSealingKey):
        cookies(clock, key=b"b" * 32).read(browser.jar, "state")


def test_the_eleventh_login_drops_the_oldest() -> None:
    clock, browser = FixedClock(), Browser()
    for number in range(IN_FLIGHT + 1):
        clock.advance(1)
        browser.take(*issued(clock, browser.jar, login(clock, f"s{number}")))
    assert len(browser.jar) == IN_FLIGHT
    with pytest.raises(NoLoginInFlight):
        cookies(clock).read(browser.jar, "s0")
    assert cookies(clock).read(browser.jar, "s1")
    assert cookies(clock).read(browser.jar, f"s{IN_FLIGHT}")


def test_used_and_expired_logins_do_not_count_but_do_not_pile_up() -> None:
    clock, browser = FixedClock(), Browser()
    for number in range(30):
        clock.advance(1)
        browser.take(*issued(clock, browser.jar, login(clock, f"s{number}")))
        browser.take(cookies(clock).spend(login(clock, f"s{number}"), Binding.QUERY))
    assert len(browser.jar) <= REMEMBERED + 1
    assert isinstance(cookies(clock).read(browser.jar, "s29"), SpentLogin)
    for number in range(IN_FLIGHT):
        browser.take(*issued(clock, browser.jar, login(clock, f"t{number}")))
    assert all(isinstance(cookies(clock).read(browser.jar, f"t{number}"), LoginTransaction) for number in range(IN_FLIGHT))


def test_the_cookie_header_stays_below_six_kilobytes_whatever_a_browser_did() -> None:
    clock, browser, largest = FixedClock(), Browser(), 0
    for number in range(100):
        clock.advance(timedelta(seconds=number * 20))
        state = f"state-of-22-chars-{number:04}"
        browser.take(*issued(clock, browser.jar, login(clock, state)))
        if number % 3 == 0:
            browser.take(cookies(clock).spend(login(clock, state), Binding.QUERY))
        largest = max(largest, len("; ".join(f"{name}={value}" for name, value in browser.jar.items())))
    assert largest < 6 * 1024


def test_unreadable_cookies_of_ours_are_removed_and_others_left_alone() -> None:
    clock = FixedClock()
    lines = issued(clock, {"__Host-qgw-login-old": "rubbish", "other": "kept"}, login(clock))
    assert [line for line in lines if re.match(r"__Host-qgw-login-old=;.*Max-Age=0", line)]
    assert not any(line.startswith("other") for line in lines)


@pytest.mark.parametrize("name", ["a b", "\u00e9", "\udcff", "a,b", "\t"])
def test_a_name_that_we_never_gave_comes_back_in_no_header(name: str) -> None:
    clock = FixedClock()
    lines = issued(clock, {f"__Host-qgw-login-{name}": "rubbish"}, login(clock))
    assert len(lines) == 1
    assert "".join(lines).isascii()
