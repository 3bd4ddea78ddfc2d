"""For any string: a listed value or a `GatewayError`; and a browser always ends up where the configuration says.

`browser_reads` is the part of the WHATWG URL standard that decides about origins and paths of http addresses, written from
the standard and independent of the code under test; `tests/interop` asks a real implementation.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from string import ascii_letters
from urllib.parse import parse_qsl, unquote, unquote_plus

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import IdentityError, MalformedStart, QlikError, TargetRefused, UnknownNode
from gateway.exchange import encode
from gateway.model import AuthModuleRedirect, HttpResponse, QlikUser, Secret, attributes_size
from gateway.protocol.qps import (
    Targets,
    TicketReply,
    check_target,
    check_user,
    end_sessions_request,
    match_node,
    read_node,
    read_redirect,
    read_target,
    read_ticket_response,
    ticket_body,
    ticket_json,
    ticket_location,
)
from gateway.protocol.qps.users import MOST_AROUND, MOST_BYTES, check_name, check_unusual_name

NODES = [read_node("https://qlik1.corp.example:4243/qps/"), read_node("https://qlik2.corp.example/qps/")]
QLIK = read_target("https://qlik.example.com")
MASHUP = read_target("https://mashup.example.com/sales/")
LOCAL = read_target("http://127.0.0.1:8080")
TARGETS = Targets(allowed=(QLIK, MASHUP, LOCAL), default="https://qlik.example.com/sales/hub/")
GOOD = (
    "https://qlik.example.com/sales/hub/?a=1&qlikTicket=old#b",
    "https://mashup.example.com/sales/a/b.html?c",
    "http://127.0.0.1:8080/",
    "https://qlik1.corp.example:4243/qps/sales/",
    "https://qlik2.corp.example/qps/sales",
)
PIECES = (
    *(
        "https",
        "http",
        "HTTPS",
        "javascript",
        ":",
        "/",
        "//",
        "\\",
        "@",
        "?",
        "#",
        ".",
        "..",
        ";",
        "&",
        "=",
        "%",
        "%2e",
        "%2F",
        "%5c",
        "%25",
    ),
    *("qlik.example.com", "mashup.example.com", "evil.example", "127.0.0.1", "qlik1.corp.example", "[::1]", "2130706433", "0x7f.1"),
    *(
        ":443",
        ":8080",
        ":4243",
        "/sales",
        "/sales/",
        "/qps",
        "qlikTicket=x",
        "X-Qlik-Ticket",
        "\t",
        "\n",
        "\r",
        " ",
        "\0",
        "\u3002",
        "\uff0f",
    ),
)


@st.composite
def edited(draw: st.DrawFn) -> str:
    """A good address with a few edits."""
    text = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.characters(), st.just("")))
        text = text[:at] + piece + text[at + draw(st.integers(0, 4)) :]
    return text


addresses = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=14).map("".join), edited())


def browser_reads(url: str) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and resolved path as a browser takes them; None where it takes the address for no http address."""
    text = re.sub(r"[\t\n\r]", "", url.strip("".join(map(chr, range(0x21)))))
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):[/\\]*([^/\\?#]*)([^?#]*)", text)
    if match is None or match[1].lower() not in ("http", "https"):
        return None
    scheme, authority, path = match[1].lower(), match[2].rpartition("@")[2], match[3]
    host, colon, port = authority.partition(":") if not authority.startswith("[") else (authority, "", "")
    if not host or (colon and port and not port.isascii()):
        return None
    return scheme, unquote(host).lower(), int(port or {"http": 80, "https": 443}[scheme]), _resolved(path.replace("\\", "/"))


def _resolved(path: str) -> str:
    done: list[str] = []
    for segment in path.split("/")[1:]:
        plain = re.sub("%2e", ".", segment, flags=re.IGNORECASE)
        if plain == "..":
            done = done[:-1]
        elif plain != ".":
            done.append(segment)
    return "/" + "/".join(done)


@given(addresses)
@example("https://qlik1.corp.example:4243/qps/sales/")
def test_a_redirect_selects_a_configured_node_or_is_refused(uri: str) -> None:
    try:
        node = match_node(AuthModuleRedirect(target_id="x", proxy_rest_uri=uri), NODES, "sales")
    except UnknownNode:
        return
    assert node in NODES
    assert browser_reads(uri) == (*node.origin, uri[uri.index("/qps") :])


@given(st.lists(st.tuples(st.one_of(st.sampled_from(["targetId", "proxyRestUri"]), st.text()), st.one_of(st.uuids().map(str), st.text()))))
def test_any_query_is_a_redirect_or_none_or_malformed(fields: list[tuple[str, str]]) -> None:
    names = [name for name, _ in fields]
    try:
        read = read_redirect(fields)
    except MalformedStart:
        return
    if read is None:
        assert not {"targetId", "proxyRestUri"} & set(names)
    else:
        assert names.count("targetId") == names.count("proxyRestUri") == 1
        assert ("targetId", read.target_id) in fields
        assert ("proxyRestUri", read.proxy_rest_uri) in fields


@given(addresses)
@example("https://mashup.example.com/sales/a")
def test_a_checked_target_is_a_listed_one(uri: str) -> None:
    try:
        checked = check_target(uri, TARGETS)
    except TargetRefused:
        return
    assert checked.target in TARGETS.allowed


@given(addresses)
@example("https://mashup.example.com/sales/..")
@example("https://qlik.example.com")
def test_the_browser_goes_to_a_configured_origin_and_below_a_configured_path(uri: str) -> None:
    try:
        ticket = ticket_location(Secret("iokrVXS-IndQgEON"), uri, TARGETS, NODES[0], prefix="sales")
    except TargetRefused:
        return
    seen = browser_reads(ticket.location)
    assert seen is not None
    target = next(target for target in TARGETS.allowed if target.origin == seen[:3])
    assert f"{seen[3]}/".startswith(f"{target.path}/")
    assert ticket.location.isascii()
    assert ticket.location.isprintable()


@given(addresses)
@example("https://qlik.example.com/?%71LIKTICKET=old&a=%26#b?c")
def test_there_is_exactly_one_ticket_and_everything_else_survives(uri: str) -> None:
    try:
        location = ticket_location(Secret("iokrVXS-IndQgEON"), uri, TARGETS, NODES[0], prefix="sales").location
    except TargetRefused:
        return
    query, _, fragment = location.partition("?")[2].partition("#")
    tickets = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0].lower() in ("qlikticket", "x-qlik-ticket")]
    assert tickets == [("qlikTicket", "iokrVXS-IndQgEON")]
    assert fragment == uri.partition("#")[2]
    before = uri.partition("#")[0].partition("?")[2]
    kept = "&".join(pair for pair in before.split("&") if not is_ticket(pair))
    assert query == (f"{kept}&qlikTicket=iokrVXS-IndQgEON" if kept else "qlikTicket=iokrVXS-IndQgEON")


def is_ticket(pair: str) -> bool:
    return unquote_plus(pair.partition("=")[0]).strip().casefold() in ("qlikticket", "x-qlik-ticket")


words = st.one_of(st.text(max_size=12), st.sampled_from(["INTERNAL", "none", "group", "OS", "a b", "x\\y", "\ud800", "e\u0301"]))
dotted = st.lists(st.sampled_from([".", "..", "/", "%2e", "%2F", "?", "#", ";", "alice"]), max_size=6).map("".join)


@given(st.text(st.sampled_from("aZ0 ./~!@;\\\t\x7f\u200b\u00e4\u0308"), max_size=8) | st.integers(250, 260).map("a".__mul__))
def test_a_plain_name_passes_every_check_of_names(name: str) -> None:
    def passes(check: Callable[[str, str], None]) -> str | None:
        try:
            return check(name, "user id")
        except IdentityError as refusal:
            return refusal.detail

    assert passes(check_name) == passes(check_unusual_name)


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=600)), max_size=9))
def test_attributes_whose_bytes_are_not_counted_would_fit(attributes: list[tuple[str, str]]) -> None:
    texts = [(name, value) for name, value in attributes if (name + value).isprintable()]
    bound = MOST_AROUND * len(texts) + MOST_BYTES * sum(len(name + value) for name, value in texts)
    assert attributes_size(texts) <= bound


@given(words, words, st.lists(st.tuples(words, st.text()), max_size=4))
def test_whoever_passes_the_gate_can_be_asked_a_ticket_for(directory: str, user_id: str, attributes: list[tuple[str, str]]) -> None:
    user = QlikUser(directory=directory, user_id=user_id, attributes=tuple(attributes))
    try:
        check_user(user)
    except IdentityError:
        return
    written = ticket_json(user, None)
    assert written == json.dumps(ticket_body(user, None)).encode()
    body = json.loads(written)
    assert (body["UserDirectory"], body["UserId"]) == (directory, user_id)
    assert [pair for item in body["Attributes"] for pair in item.items()] == attributes


@given(words | dotted, words | dotted)
@example("CONTOSO", "../FABRIKAM/bob")
@example("CONTOSO", "alice HTTP/1.1\r\nX: y")
def test_whoever_passes_the_gate_has_sessions_of_their_own_to_end(directory: str, user_id: str) -> None:
    """One line, and the two names as they are, however the node takes escapes and dots."""
    user = QlikUser(directory=directory, user_id=user_id)
    try:
        request = end_sessions_request(user, node=NODES[0], prefix="sales", xrfkey=ascii_letters[:16])
    except IdentityError:
        return
    path = encode(request).split(b"\r\n")[0].decode().removeprefix("DELETE ").removesuffix(f"?Xrfkey={ascii_letters[:16]} HTTP/1.1")
    assert [unquote(part) for part in path.split("/")] == ["", "qps", "sales", "user", directory, user_id]
    assert not {".", ".."} & set(unquote(path).split("/"))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.one_of(st.text(), st.sampled_from(["Ticket", "ticket", "TargetUri"])), inner)
    ),
)


@given(
    st.one_of(st.sampled_from([200, 201, 400, 403, 500]), st.integers(100, 599)),
    st.one_of(st.binary(), json_values.map(lambda value: json.dumps(value).encode())),
)
def test_any_answer_is_a_ticket_or_an_error_of_qliks(status: int, body: bytes) -> None:
    try:
        reply = read_ticket_response(HttpResponse(status=status, body=body))
    except QlikError:
        return
    assert isinstance(reply, TicketReply)
    assert status in (200, 201)
    assert reply.ticket.reveal().isascii()


@given(addresses)
def test_a_configured_address_is_read_or_refused_with_a_value_error(text: str) -> None:
    for read in (read_node, read_target):
        with suppress(ValueError):
            read(text)
