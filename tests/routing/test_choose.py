"""Which provider: `choose`, and the cookie that remembers."""

from __future__ import annotations

from http.cookies import SimpleCookie
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UnknownHint
from gateway.protocol.qps import Targets, read_target
from gateway.routing import Choice, NetworkDefault, VirtualProxy, Visit, choose, mail_domain
from gateway.strength import Strength
from gateway.web.choices import LONGEST, MOST, LastChoice, cookie_name, last_choice, remember


def virtual_proxy(*offered: str, defaults: tuple[NetworkDefault, ...] = ()) -> VirtualProxy:
    return VirtualProxy(
        name="sales",
        prefix="sales",
        nodes={},
        targets=Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/sales/hub/"),
        identity_providers=offered,
        access=(),
        strength=Strength(),
        network_defaults=defaults,
    )


OFFICE = NetworkDefault(networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")), idp="entra")
BRANCH = NetworkDefault(networks=(ip_network("10.1.0.0/16"), ip_network("192.0.2.0/24")), idp="adfs")
SEVERAL = virtual_proxy("entra", "adfs", defaults=(OFFICE, BRANCH))
ALONE = virtual_proxy("entra", defaults=(BRANCH,))


@pytest.mark.parametrize(
    ("where", "visit", "choice"),
    [
        (ALONE, Visit(), Choice("entra")),
        (ALONE, Visit(hint="entra", remembered="adfs"), Choice("entra")),
        (ALONE, Visit(remembered="adfs", address=ip_address("192.0.2.1")), Choice("entra")),
        (ALONE, Visit(ask=True), Choice(None)),
        (SEVERAL, Visit(), Choice(None)),
        (SEVERAL, Visit(hint="adfs", ask=True, remembered="entra", address=ip_address("10.0.0.1")), Choice("adfs", by_user=True)),
        (SEVERAL, Visit(ask=True, remembered="entra", address=ip_address("10.0.0.1")), Choice(None)),
        (SEVERAL, Visit(remembered="adfs", address=ip_address("10.0.0.1")), Choice("adfs", by_user=True)),
        (SEVERAL, Visit(remembered="gone", address=ip_address("10.0.0.1")), Choice("entra")),
        (SEVERAL, Visit(remembered="gone"), Choice(None)),
        (SEVERAL, Visit(address=ip_address("10.1.0.1")), Choice("entra")),
        (SEVERAL, Visit(address=ip_address("192.0.2.1")), Choice("adfs")),
        (SEVERAL, Visit(address=ip_address("2001:db8::7")), Choice("entra")),
        (SEVERAL, Visit(address=ip_address("::ffff:10.0.0.1")), Choice(None)),
        (SEVERAL, Visit(address=ip_address("198.51.100.1")), Choice(None)),
    ],
)
def test_the_first_that_says_where_decides(where: VirtualProxy, visit: Visit, choice: Choice) -> None:
    assert choose(where, visit) == choice


@given(st.text())
def test_a_hint_is_one_of_the_offered_or_refused(hint: str) -> None:
    if hint in SEVERAL.identity_providers:
        assert choose(SEVERAL, Visit(hint=hint)).idp == hint
    else:
        with pytest.raises(UnknownHint):
            choose(SEVERAL, Visit(hint=hint))


@given(st.text())
def test_any_text_is_a_domain_or_none(text: str) -> None:
    domain = mail_domain(text)
    assert domain is None or (mail_domain(domain) == domain and mail_domain(f"alice@{domain}") == domain)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("alice@Example.COM", "example.com"),
        ("alice@example.com.", "example.com"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("alice@exa\uff4dple.com", "example.com"),
        ("alice@", None),
        ("", None),
        ("alice@-a.example", None),
        ("alice@a..example", None),
        ("alice@a b.example", None),
        ("alice@" + "a" * 64 + ".example", None),
        ("alice@[192.0.2.1]", None),
        ("alice@a_b.example", None),
    ],
)
def test_domains_are_compared_in_ascii_and_lower_case(text: str, domain: str | None) -> None:
    assert mail_domain(text) == domain


# ---- the cookie --------------------------------------------------------------------------------------------------------


def jar(line: str) -> dict[str, str]:
    return {morsel.key: morsel.value for morsel in SimpleCookie(line).values()}


@pytest.mark.parametrize("secure", [True, False])
def test_a_choice_comes_back_for_its_virtual_proxy_alone(*, secure: bool) -> None:
    line = remember({}, "sales", LastChoice("entra"), secure=secure)
    cookies = jar(line)
    assert last_choice(cookies, "sales", secure=secure) == LastChoice("entra")
    assert last_choice(cookies, "finance", secure=secure) == LastChoice()
    assert line.endswith("; HttpOnly; SameSite=Lax" + ("; Secure" if secure else ""))
    assert cookie_name(secure=secure).startswith("__Host-") is secure


def test_the_wish_to_choose_keeps_the_last_choice() -> None:
    cookies = jar(remember({}, "sales", LastChoice("entra", ask=True), secure=True))
    assert last_choice(cookies, "sales", secure=True) == LastChoice("entra", ask=True)
    cookies = jar(remember(cookies, "sales", LastChoice(None, ask=True), secure=True))
    assert last_choice(cookies, "sales", secure=True) == LastChoice(None, ask=True)


def test_the_oldest_choice_is_forgotten_first_and_the_cookie_stays_small() -> None:
    cookies: dict[str, str] = {}
    for number in range(MOST + 3):
        cookies = jar(remember(cookies, f"{'v' * 55}-{number}", LastChoice("i" * 63), secure=True))
    assert last_choice(cookies, f"{'v' * 55}-{MOST + 2}", secure=True).idp
    assert last_choice(cookies, f"{'v' * 55}-0", secure=True).idp is None
    assert len(cookies[cookie_name(secure=True)]) <= LONGEST + 200


@given(st.text())
def test_any_cookie_can_be_read_and_written_again(value: str) -> None:
    cookies = {cookie_name(secure=True): value}
    assert isinstance(last_choice(cookies, "sales", secure=True), LastChoice)
    line = remember(cookies, "sales", LastChoice("entra"), secure=True)
    assert line.isascii()
    assert "\n" not in line
    assert line.count(";") == 5
    assert last_choice(jar(line), "sales", secure=True) == LastChoice("entra")
