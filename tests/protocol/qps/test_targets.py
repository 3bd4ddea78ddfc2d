"""Where tickets may go, and the way back that carries one."""

import pytest

from gateway.errors import TargetRefused
from gateway.model import Secret
from gateway.protocol.qps import Target, Targets, check_target, check_target_list, default_target, read_node, read_target, ticket_location

NODE = read_node("https://qlik1.corp.example:4243/qps/")
QLIK = read_target("https://qlik.example.com")
MASHUP = read_target("https://mashup.example.com/sales/")
TARGETS = Targets(allowed=(QLIK, MASHUP), default="https://qlik.example.com/sales/hub/")
TICKET = Secret("iokrVXS-IndQgEON")


def location(uri: str | None, targets: Targets = TARGETS) -> str:
    return ticket_location(TICKET, uri, targets, NODE, prefix="sales").location


# ---- read_target -----------------------------------------------------------------------------------------------------


def test_a_bare_origin_lists_the_whole_of_it() -> None:
    whole = Target(scheme="https", host="qlik.example.com", port=443, path="")
    assert read_target("https://Qlik.Example.com") == whole
    assert read_target("https://qlik.example.com:443/") == whole


def test_a_path_lists_itself_and_what_is_below() -> None:
    assert read_target("https://mashup.example.com/sales/") == read_target("https://mashup.example.com/sales")
    assert read_target("https://mashup.example.com/sales/").path == "/sales"


def test_the_ticket_may_be_redeemed_before_the_browser_goes_there() -> None:
    assert read_target("https://mashup.example.com/sales/", ticket="redeem_first").redeem_first
    assert not MASHUP.redeem_first


@pytest.mark.parametrize("url", ["http://localhost:8080", "http://127.0.0.1:8080", "http://127.1.2.3", "http://[::1]:8080/app"])
def test_plain_http_is_for_loopback(url: str) -> None:
    assert read_target(url).scheme == "http"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://qlik.example.com", "https"),
        ("http://10.0.0.1", "https"),
        ("http://localhost.example.com", "https"),
        ("https://qlik.example.com/?a=1", "query"),
        ("https://qlik.example.com/#a", "fragment"),
        ("https://me@qlik.example.com", "form"),
        ("https://*.example.com", "form"),
        ("//qlik.example.com", "form"),
        ("https://mashup.example.com/a/../b/", "dotted"),
        ("https://mashup.example.com/a%2fb/", "dotted"),
    ],
)
def test_a_target_that_cannot_be_used_is_refused_with_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_target(url)


def test_only_two_ways_with_a_ticket_are_known() -> None:
    with pytest.raises(ValueError, match="append or redeem_first"):
        read_target("https://qlik.example.com", ticket="sometimes")


# ---- the list as a whole ---------------------------------------------------------------------------------------------


def test_the_default_target_is_the_hub_under_the_first_target() -> None:
    assert default_target(QLIK, "sales") == "https://qlik.example.com/sales/hub/"
    assert default_target(QLIK, "") == "https://qlik.example.com/hub/"
    assert default_target(read_target("https://[::1]:8443/x/"), "sales") == "https://[::1]:8443/x/sales/hub/"


def test_a_consistent_list_passes() -> None:
    check_target_list(TARGETS)


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (Targets(allowed=(QLIK,), default="https://other.example.com/hub/"), "default"),
        (Targets(allowed=(), default="https://qlik.example.com/hub/"), "default"),
        (Targets(allowed=(QLIK,), default=TARGETS.default, ticket_parameter="a&b"), "ticket_parameter"),
        (
            Targets(allowed=(read_target("https://m.example.com/a", ticket="redeem_first"),), default="https://m.example.com/a/"),
            "redeem_first",
        ),
    ],
)
def test_a_list_that_contradicts_itself_is_refused_with_a_sentence(targets: Targets, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_target_list(targets)


# ---- check_target ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("https://qlik.example.com/sales/hub", QLIK),
        ("https://qlik.example.com", QLIK),
        ("https://QLIK.example.com:443/any/../thing", QLIK),
        ("https://mashup.example.com/sales", MASHUP),
        ("https://mashup.example.com/sales/", MASHUP),
        ("https://mashup.example.com/sales/a/b.html?c=/../d#e", MASHUP),
        ("https://mashup.example.com/sales/a%20b/%C3%A9", MASHUP),
        ("https://mashup.example.com/sales//a;v=1/b..c/", MASHUP),
    ],
)
def test_an_address_under_a_listed_target_is_covered_by_it(uri: str, target: Target) -> None:
    assert check_target(uri, TARGETS).target == target


def test_what_is_refused_is_shown_without_its_query() -> None:
    with pytest.raises(TargetRefused) as caught:
        check_target("https://evil.example.com/x?code=secret#also", TARGETS)
    assert "evil.example.com/x" in caught.value.detail
    assert "secret" not in caught.value.detail
    assert "also" not in caught.value.detail


# ---- ticket_location -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://qlik.example.com/sales/hub", "https://qlik.example.com/sales/hub?qlikTicket=iokrVXS-IndQgEON"),
        ("https://qlik.example.com", "https://qlik.example.com/?qlikTicket=iokrVXS-IndQgEON"),
        ("https://qlik.example.com?", "https://qlik.example.com/?qlikTicket=iokrVXS-IndQgEON"),
        ("https://qlik.example.com/a?b=1&c", "https://qlik.example.com/a?b=1&c&qlikTicket=iokrVXS-IndQgEON"),
        ("https://qlik.example.com/a?b=%2F+%20&&c=?", "https://qlik.example.com/a?b=%2F+%20&&c=?&qlikTicket=iokrVXS-IndQgEON"),
        ("https://qlik.example.com/a?b#/sheet?x=1", "https://qlik.example.com/a?b&qlikTicket=iokrVXS-IndQgEON#/sheet?x=1"),
        ("https://qlik.example.com/a#", "https://qlik.example.com/a?qlikTicket=iokrVXS-IndQgEON#"),
        ("HTTPS://QLIK.EXAMPLE.COM:443/A?B", "https://qlik.example.com/A?B&qlikTicket=iokrVXS-IndQgEON"),
        (None, "https://qlik.example.com/sales/hub/?qlikTicket=iokrVXS-IndQgEON"),
    ],
)
def test_the_ticket_joins_the_query_and_everything_else_survives(uri: str | None, expected: str) -> None:
    assert location(uri) == expected


@pytest.mark.parametrize(
    "stale",
    ["qlikTicket=old", "QLIKTICKET=old", "QlikTicket", "X-Qlik-Ticket=old", "x-qlik-ticket=", "qlik%54icket=old", "%71likTicket=a=b"],
)
def test_an_old_ticket_is_removed_however_its_name_is_spelt(stale: str) -> None:
    expected = "https://qlik.example.com/a?b=1&d=2&qlikTicket=iokrVXS-IndQgEON"
    assert location(f"https://qlik.example.com/a?{stale}&b=1&{stale}&d=2") == expected
    assert location(f"https://qlik.example.com/a?{stale}") == "https://qlik.example.com/a?qlikTicket=iokrVXS-IndQgEON"


def test_a_parameter_that_only_looks_like_a_ticket_stays() -> None:
    assert location("https://qlik.example.com/a?qlikTicketX=1&XqlikTicket=2").startswith(
        "https://qlik.example.com/a?qlikTicketX=1&XqlikTicket=2&"
    )


def test_the_parameter_has_the_virtual_proxys_name_and_old_ones_go_under_any() -> None:
    targets = Targets(allowed=(QLIK,), default=TARGETS.default, ticket_parameter="Ticket")
    assert location("https://qlik.example.com/a?TICKET=1&qlikTicket=2&b", targets) == "https://qlik.example.com/a?b&Ticket=iokrVXS-IndQgEON"


def test_a_ticket_of_odd_characters_is_encoded() -> None:
    odd = ticket_location(Secret("a&b=c#d/+%"), None, TARGETS, NODE, prefix="sales")
    assert odd.location == "https://qlik.example.com/sales/hub/?qlikTicket=a%26b%3Dc%23d%2F%2B%25"
    assert odd.redeem_at is None
    assert odd.node == NODE.name


def test_with_redeem_first_the_ticket_goes_to_the_qlik_host_and_not_to_the_target() -> None:
    mashup = read_target("https://mashup.example.com/sales/", ticket="redeem_first")
    targets = Targets(allowed=(mashup, QLIK), default="https://mashup.example.com/sales/")
    ticket = ticket_location(TICKET, "https://mashup.example.com/sales/x?qlikTicket=old&b#c", targets, NODE, prefix="sales")
    assert ticket.location == "https://mashup.example.com/sales/x?b#c"
    assert ticket.redeem_at == "https://qlik.example.com/sales/qps/user?qlikTicket=iokrVXS-IndQgEON"
    default = ticket_location(TICKET, None, targets, NODE, prefix="")
    assert default.location == "https://mashup.example.com/sales/"
    assert default.redeem_at == "https://qlik.example.com/qps/user?qlikTicket=iokrVXS-IndQgEON"


def test_without_a_qlik_host_to_redeem_at_nobody_gets_the_ticket() -> None:
    mashup = read_target("https://mashup.example.com/sales/", ticket="redeem_first")
    with pytest.raises(TargetRefused, match="redeem_first"):
        ticket_location(TICKET, None, Targets(allowed=(mashup,), default="https://mashup.example.com/sales/"), NODE, prefix="sales")


def test_a_default_target_outside_the_list_is_refused_like_any_other() -> None:
    with pytest.raises(TargetRefused):
        location(None, Targets(allowed=(QLIK,), default="https://other.example.com/"))


def test_a_ticket_does_not_show_itself() -> None:
    assert "iokrVXS" not in repr(ticket_location(TICKET, None, TARGETS, NODE, prefix="sales"))
