"""The call that ends a user's sessions, and its answers, as documented and as seen."""

from __future__ import annotations

import json

import pytest

from gateway.errors import CertificateRejected, MalformedUser, NodeAnswer, PrefixUnknown, ReservedDirectory
from gateway.model import HttpResponse, QlikUser
from gateway.protocol.qps import end_sessions_request, read_ended_sessions, read_node

NODE = read_node("https://qlik1.corp.example:4243/qps/", reach_at="https://10.1.2.3:14243/qps/")
KEY = "abcdefghij012345"
SESSION = {"UserDirectory": "CONTOSO", "UserId": "alice", "SessionId": "f2b68d0c-e0f0-47fb-8fd6-60a95237db78"}


def url(directory: str = "CONTOSO", user_id: str = "alice", prefix: str = "sales") -> str:
    user = QlikUser(directory=directory, user_id=user_id, attributes=(("group", "a"),))
    return end_sessions_request(user, node=NODE, prefix=prefix, xrfkey=KEY).url


def test_the_request_is_the_documented_one() -> None:
    request = end_sessions_request(QlikUser(directory="CONTOSO", user_id="alice"), node=NODE, prefix="sales", xrfkey=KEY)
    assert (request.method, request.body) == ("DELETE", None)
    assert request.url == f"https://10.1.2.3:14243/qps/sales/user/CONTOSO/alice?Xrfkey={KEY}"
    assert request.headers == {"Host": "qlik1.corp.example:4243", "X-Qlik-Xrfkey": KEY}
    assert request.timeout <= 4, "a user waits for the slowest node"


def test_the_default_virtual_proxy_has_no_prefix() -> None:
    assert url(prefix="") == f"https://10.1.2.3:14243/qps/user/CONTOSO/alice?Xrfkey={KEY}"


@pytest.mark.parametrize(
    ("user_id", "path"),
    [
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("a?b#c&d", "a%3Fb%23c%26d"),
        ("a%2fb", "a%252fb"),
        ("alice@example.com", "alice%40example.com"),
        ("é", "%C3%A9"),
        ("...", "..."),
        ("a../.b/...", "a..%2F.b%2F..."),
    ],
)
def test_names_are_percent_encoded_as_one_segment_each(user_id: str, path: str) -> None:
    assert url(user_id=user_id) == f"https://10.1.2.3:14243/qps/sales/user/CONTOSO/{path}?Xrfkey={KEY}"


@pytest.mark.parametrize("dots", [".", "..", "../ticket", "../FABRIKAM/bob", "alice/..", "alice/./b"])
def test_a_name_that_no_address_can_hold_is_refused_before_it_ever_gets_a_ticket(dots: str) -> None:
    with pytest.raises(MalformedUser):
        url(user_id=dots)
    with pytest.raises(MalformedUser):
        url(directory=dots)


def test_the_service_accounts_are_left_alone() -> None:
    with pytest.raises(ReservedDirectory):
        url(directory="Internal", user_id="sa_repository")


@pytest.mark.parametrize(
    ("response", "ended"),
    [
        (HttpResponse(status=200, body=b"[]"), 0),
        (HttpResponse(status=200, body=json.dumps([SESSION, SESSION]).encode()), 2),
        (HttpResponse(status=200, body=json.dumps({"Sessions": [SESSION]}).encode()), 1),
        (HttpResponse(status=204), 0),
    ],
)
def test_what_was_ended_is_counted(response: HttpResponse, ended: int) -> None:
    assert read_ended_sessions(response) == ended


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (HttpResponse(status=200, body=b"<html>"), NodeAnswer),
        (HttpResponse(status=200, body=b""), NodeAnswer),
        (HttpResponse(status=200, body=b'"ended"'), NodeAnswer),
        (HttpResponse(status=200, body=b'{"a": [], "b": []}'), NodeAnswer),
        (HttpResponse(status=200, body=b"[" * 100_000), NodeAnswer),
        (HttpResponse(status=404, body=b"Not Found"), NodeAnswer),
        (HttpResponse(status=500, body=b"oops"), NodeAnswer),
        (HttpResponse(status=302), NodeAnswer),
        (HttpResponse(status=403, body=b"Forbidden"), CertificateRejected),
        (HttpResponse(status=400, body=b"Bad Request"), PrefixUnknown),
    ],
)
def test_anything_else_is_not_taken_for_an_end(response: HttpResponse, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        read_ended_sessions(response)
    assert caught.type is error
