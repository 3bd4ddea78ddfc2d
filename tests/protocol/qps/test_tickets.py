"""The ticket call and its answers, as documented and as seen."""

import json

import pytest

from gateway.errors import CertificateRejected, NodeAnswer, PrefixUnknown, ReservedDirectory
from gateway.model import HttpResponse, QlikUser, Secret
from gateway.protocol.qps import TargetUnknown, TicketReply, read_node, read_ticket_response, ticket_body, ticket_call, ticket_json

NODE = read_node("https://qlik1.corp.example:4243/qps/", reach_at="https://10.1.2.3:14243/qps/")
TARGET = "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c"
ALICE = QlikUser(directory="CONTOSO", user_id="alice", attributes=(("group", "a"), ("group", "b"), ("email", "ä@example.com")))
ANSWER = {
    "UserDirectory": "CONTOSO",
    "UserId": "alice",
    "Attributes": [{"group": "a"}],
    "Ticket": "iokrVXS-IndQgEON",
    "TargetUri": "https://qlik.example.com/hub",
}


def answer(status: int = 201, **changes: object) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps({**ANSWER, **changes}).encode())


def text(status: int, body: str) -> HttpResponse:
    return HttpResponse(status=status, body=body.encode())


# ---- the request -----------------------------------------------------------------------------------------------------


def test_the_request_is_the_documented_one() -> None:
    request = ticket_call(node=NODE, prefix="sales", xrfkey="abcdefghij012345")
    assert request.method == "POST"
    assert request.url == "https://10.1.2.3:14243/qps/sales/ticket?Xrfkey=abcdefghij012345"
    assert request.headers == {
        "Host": "qlik1.corp.example:4243",
        "Content-Type": "application/json",
        "X-Qlik-Xrfkey": "abcdefghij012345",
    }
    body = ticket_json(ALICE, TARGET)
    assert body.isascii()
    assert json.loads(body) == {
        "UserDirectory": "CONTOSO",
        "UserId": "alice",
        "Attributes": [{"group": "a"}, {"group": "b"}, {"email": "ä@example.com"}],
        "TargetId": TARGET,
    }


def test_the_default_virtual_proxy_and_the_default_port_leave_nothing_behind() -> None:
    request = ticket_call(node=read_node("https://qlik1.corp.example/qps/"), prefix="", xrfkey="k" * 16)
    assert request.url == f"https://qlik1.corp.example/qps/ticket?Xrfkey={'k' * 16}"
    assert request.headers["Host"] == "qlik1.corp.example"


def test_without_a_target_id_none_is_sent() -> None:
    assert "TargetId" not in ticket_body(ALICE, None)


def test_no_ticket_request_can_be_built_round_the_gate() -> None:
    service = QlikUser(directory="Internal", user_id="sa_api")
    with pytest.raises(ReservedDirectory):
        ticket_json(service, TARGET)
    with pytest.raises(ReservedDirectory):
        ticket_body(service, None)


# ---- success ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201])
def test_201_and_200_are_success(status: int) -> None:
    reply = read_ticket_response(answer(status))
    assert reply == TicketReply(ticket=Secret("iokrVXS-IndQgEON"), target_uri="https://qlik.example.com/hub")
    assert "iokrVXS" not in repr(reply)


def test_names_are_read_in_any_case() -> None:
    body = b'{"ticket": "iokrVXS-IndQgEON", "TARGETURI": "https://qlik.example.com/", "new": {"a": [1, {"b": null}]}}'
    assert read_ticket_response(HttpResponse(status=201, body=body)).target_uri == "https://qlik.example.com/"


@pytest.mark.parametrize("changes", [{"TargetUri": None}, {"TargetUri": ""}])
def test_an_empty_target_uri_is_none(changes: dict[str, object]) -> None:
    assert read_ticket_response(answer(**changes)).target_uri is None


@pytest.mark.parametrize(
    "response",
    [
        answer(Ticket=""),
        answer(Ticket=None),
        answer(Ticket=1234567890123456),
        answer(Ticket=["iokrVXS-IndQgEON"]),
        answer(Ticket="has a blank"),
        answer(Ticket="iokrVXS-IndQgEON\n"),
        answer(Ticket="ü" * 16),
        answer(Ticket="x" * 129),
        answer(TargetUri=7),
        answer(TargetUri={"a": "b"}),
        answer(TargetUri="https://qlik.example.com/" + "a" * 8192),
        answer(ticket="another"),
        text(201, ""),
        text(201, "iokrVXS-IndQgEON"),
        text(201, '"iokrVXS-IndQgEON"'),
        text(201, '[["Ticket", "iokrVXS-IndQgEON"]]'),
        text(201, "[" * 100_000),
        text(201, "1" * 5000),
        HttpResponse(status=201, body=b'{"Ticket": "\xff"}'),
    ],
)
def test_a_success_that_is_not_the_documented_one_is_refused_and_not_repeated(response: HttpResponse) -> None:
    with pytest.raises(NodeAnswer) as caught:
        read_ticket_response(response)
    assert caught.value.code == "QGW-404"
    assert "IndQgEON" not in caught.value.detail


# ---- errors: text, not JSON ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize(
    "body",
    [
        f"Specified targetId {TARGET} was unknown",
        f"<html><body><h1>Error</h1><p>Specified targetId &#39;{TARGET}&#39; was unknown</p></body></html>",
        f"Specified&#32;targetId {TARGET} was&#x20;unknown",
    ],
)
def test_an_unknown_target_is_told_by_its_text(status: int, body: str) -> None:
    with pytest.raises(TargetUnknown):
        read_ticket_response(text(status, body))


def test_403_means_that_our_certificate_is_not_accepted() -> None:
    with pytest.raises(CertificateRejected, match="403"):
        read_ticket_response(text(403, "Forbidden"))


@pytest.mark.parametrize("status", [400, 403])
def test_a_forgery_check_is_not_mistaken_for_the_certificate_or_the_prefix(status: int) -> None:
    with pytest.raises(NodeAnswer, match="XSRF") as caught:
        read_ticket_response(text(status, "XSRF prevention check failed. Possible XSRF discovered."))
    assert caught.value.code == "QGW-404"


@pytest.mark.parametrize("body", ["", "Bad Request", "<h1>Bad Request</h1>"])
def test_400_means_that_the_prefix_is_unknown(body: str) -> None:
    with pytest.raises(PrefixUnknown):
        read_ticket_response(text(400, body))


@pytest.mark.parametrize(
    "body", ["Required property &#39;UserId&#39; not found in JSON", "Invalid UserDirectory", "Bad Request - Header Field Too Long"]
)
def test_400_for_another_reason_says_so(body: str) -> None:
    with pytest.raises(NodeAnswer) as caught:
        read_ticket_response(text(400, body))
    assert caught.value.code == "QGW-404"


@pytest.mark.parametrize("status", [100, 204, 301, 302, 401, 404, 500, 503])
def test_any_other_status_is_an_answer_that_nobody_documented(status: int) -> None:
    with pytest.raises(NodeAnswer, match=str(status)) as caught:
        read_ticket_response(answer(status))
    assert caught.value.code == "QGW-404"
    assert "IndQgEON" not in caught.value.detail


def test_the_detail_has_the_first_printable_characters_of_the_error_page() -> None:
    page = "<html>\r\n<title>Oops</title>\x00<body>It&#39;s   broken &amp; \u202e" + "z" * 500 + "</body></html>"
    with pytest.raises(NodeAnswer) as caught:
        read_ticket_response(text(500, page))
    assert "Oops It's broken & z" in caught.value.detail
    assert caught.value.detail.isascii()
    assert len(caught.value.detail) < 250
