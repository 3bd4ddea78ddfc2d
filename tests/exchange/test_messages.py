"""Requests as they are written, answers as they are read."""

import time

import pytest

from gateway.exchange import Letterhead, MalformedAnswer, OversizeAnswer, encode
from gateway.exchange.messages import LONGEST_HEAD, Answer, AnswerReader
from gateway.model import HttpRequest


def read(*pieces: bytes, limit: int = 100, ends: bool = False) -> Answer | None:
    reader = AnswerReader(limit)
    answer = None
    for piece in pieces:
        assert answer is None
        answer = reader.feed(piece)
    return reader.end() if ends and answer is None else answer


def body(*pieces: bytes, limit: int = 100, ends: bool = False) -> bytes:
    answer = read(*pieces, limit=limit, ends=ends)
    assert answer is not None
    return answer.response.body


# ---- requests --------------------------------------------------------------------------------------------------------


def test_a_request_is_written_line_by_line() -> None:
    request = HttpRequest(
        method="POST", url="https://10.1.2.3:4243/qps/ticket?Xrfkey=k", headers={"Host": "qlik1:4243", "X-Some": "thing"}, body=b"{}"
    )
    assert encode(request) == (
        b"POST /qps/ticket?Xrfkey=k HTTP/1.1\r\nHost: qlik1:4243\r\nUser-Agent: qlikgw\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        b"X-Some: thing\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_the_host_is_the_addresss_where_nothing_else_is_said() -> None:
    assert b"\r\nHost: [::1]:4243\r\n" in encode(HttpRequest(method="GET", url="https://[::1]:4243/qps/"))


def test_an_address_without_a_path_asks_for_the_root() -> None:
    assert encode(HttpRequest(method="GET", url="https://h")).startswith(b"GET / HTTP/1.1\r\nHost: h\r\n")


@pytest.mark.parametrize(("method", "length"), [("GET", b""), ("DELETE", b"Content-Length: 0\r\n"), ("POST", b"Content-Length: 0\r\n")])
def test_a_request_without_a_body_says_so_where_one_is_usual(method: str, length: bytes) -> None:
    assert encode(HttpRequest(method=method, url="https://h/p")).endswith(b"Accept-Encoding: identity\r\n" + length + b"\r\n")


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest(method="GET", url="https://h/p", headers={"X": "a\r\nY: b"}),
        HttpRequest(method="GET", url="https://h/p", headers={"X": "a\nb"}),
        HttpRequest(method="GET", url="https://h/p", headers={"X": "ü"}),
        HttpRequest(method="GET", url="https://h/p", headers={"X: a\r\nY": "b"}),
        HttpRequest(method="GET", url="https://h/p", headers={"": "b"}),
        HttpRequest(method="GET", url="https://h/p q"),
        HttpRequest(method="GET", url="https://h/p\r\nX: y"),
        HttpRequest(method="GET", url="https://h/p HTTP/1.1\r\nX: y"),
        HttpRequest(method="GET ", url="https://h/p"),
        HttpRequest(method="get", url="https://h/p"),
        HttpRequest(method="GET", url="https://h?q"),
        HttpRequest(method="GET", url="https://user@h/p"),
        HttpRequest(method="GET", url="https://h h/p"),
        HttpRequest(method="GET", url="https:///p"),
    ],
)
def test_what_could_pass_for_another_line_is_not_sent(request_: HttpRequest) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any
        encode(request_)


def test_a_letterhead_writes_what_a_request_of_its_own_would_be() -> None:
    def request(key: str, body: bytes | None = None) -> HttpRequest:
        return HttpRequest(method="POST", url=f"https://h:4243/qps/ticket?Xrfkey={key}", headers={"Host": "qlik1", "X-Key": key}, body=body)

    letterhead = Letterhead(request("HERE"), "HERE")
    for key, body in (("a1", b"{}"), ("b2", b""), ("HERE", b"\r\n\r\nHERE")):
        assert letterhead.encode(key, body) == encode(request(key, body))


@pytest.mark.parametrize("word", ["", "a b", "a\r\nX: y", "ä", "a&b", "²"])
def test_a_letterhead_takes_letters_and_digits_alone(word: str) -> None:
    letterhead = Letterhead(HttpRequest(method="POST", url="https://h/HERE"), "HERE")
    with pytest.raises(ValueError, match="a word that could pass for more"):
        letterhead.encode(word, b"")


# ---- answers ---------------------------------------------------------------------------------------------------------


def test_status_headers_and_body_are_read() -> None:
    answer = read(b"HTTP/1.1 201 Created\r\nX-Some:  Thing \r\nContent-Length: 2\r\n\r\n{}")
    assert answer is not None
    assert (answer.response.status, answer.response.body, answer.keeps) == (201, b"{}", True)
    assert answer.response.headers == {"x-some": "Thing", "content-length": "2"}


def test_a_header_that_comes_twice_is_one_list() -> None:
    answer = read(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n")
    assert answer is not None
    assert answer.response.headers["x-a"] == "1, 2"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nconnection: Close\r\n",
        b"HTTP/1.0 200 OK\r\n",
    ],
)
def test_an_answer_may_be_the_last_of_its_connection(head: bytes) -> None:
    answer = read(head + b"Content-Length: 1\r\n\r\nx")
    assert answer is not None
    assert not answer.keeps


def test_what_follows_an_answer_spoils_its_connection() -> None:
    answer = read(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n")
    assert answer is not None
    assert (answer.response.body, answer.keeps) == (b"x", False)


@pytest.mark.parametrize("status", [b"204", b"304"])
@pytest.mark.parametrize("framing", [b"", b"Content-Length: 0\r\n", b"Content-Length: 00\r\n"])
def test_some_answers_have_no_body(status: bytes, framing: bytes) -> None:
    answer = read(b"HTTP/1.1 " + status + b" None\r\n" + framing + b"\r\n")
    assert answer is not None
    assert (answer.response.body, answer.keeps) == (b"", True)


@pytest.mark.parametrize("status", [b"204", b"304"])
@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_one_that_speaks_of_a_body_all_the_same_is_the_last_of_its_connection(status: bytes, framing: bytes) -> None:
    answer = read(b"HTTP/1.1 " + status + b" None\r\n" + framing + b"\r\n")
    assert answer is not None
    assert (answer.response.body, answer.keeps) == (b"", False)


def test_interim_answers_are_passed_over() -> None:
    assert body(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") == b"x"


def test_interim_answers_come_to_an_end() -> None:
    hint = b"HTTP/1.1 103 Hints\r\n\r\n"
    assert body(hint * 16 + LENGTH % 1 + b"x") == b"x"
    with pytest.raises(MalformedAnswer, match="always on its way"):
        read(hint * 17)


def test_an_answer_has_begun_with_its_first_byte() -> None:
    reader = AnswerReader(100)
    assert not reader.begun
    assert reader.feed(b"H") is None
    assert reader.begun


def test_what_a_body_costs_to_read_does_not_grow_with_the_number_of_its_pieces() -> None:
    """Eight times as many take eight times as long, not 64 times: else small chunks keep the gateway busy."""

    def seconds(size: int) -> float:
        began = time.process_time()
        assert body(CHUNKED + b"1\r\nx\r\n" * size + b"0\r\n\r\n", limit=size) == b"x" * size
        return time.process_time() - began

    assert seconds(160_000) < 25 * min(seconds(20_000) for _ in range(3))


def test_chunks_are_put_together() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    answer = read(head + b"3\r\nabc\r\n", b"0A ;name=value\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n")
    assert answer is not None
    assert (answer.response.body, answer.keeps) == (b"abc0123456789", True)


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    answer = read(b"HTTP/1.1 200 OK\r\n\r\nab", b"c", ends=True)
    assert answer is not None
    assert (answer.response.body, answer.keeps) == (b"abc", False)


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\n\r\n"


def test_a_body_may_take_its_limit() -> None:
    assert len(body(LENGTH % 100 + b"x" * 100)) == 100
    assert len(body(CHUNKED + b"32\r\n" + b"x" * 50 + b"\r\n32\r\n" + b"x" * 50 + b"\r\n0\r\n\r\n")) == 100
    assert len(body(CLOSING + b"x" * 100, ends=True)) == 100


@pytest.mark.parametrize("data", [LENGTH % 101, CHUNKED + b"32\r\n" + b"x" * 50 + b"\r\n33\r\n", CLOSING + b"x" * 101, LENGTH % 10**17])
def test_a_body_may_take_no_more(data: bytes) -> None:
    with pytest.raises(OversizeAnswer, match="status 200 and more than 100 bytes"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"220 smtp.corp.example ESMTP\r\n",
        b"\x15\x03\x01",
        b"HTTP/2 200\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nnameless\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: nameless\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\rc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * LONGEST_HEAD,
        CHUNKED + b"\r\n",
        CHUNKED + b"g\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"0x1\r\n",
        CHUNKED + b"123456789\r\n",
        CHUNKED + b" 1\r\nx\r\n",
        CHUNKED + b"1\nx\r\n",
        CHUNKED + b"1;a\nb\r\nx\r\n",
        CHUNKED + b"1" + b" " * 300,
        CHUNKED + b"1\r\nxyz\r\n",
        CHUNKED + b"1\r\nxyz0\r\n\r\n",
        CHUNKED + b"0\r\nnameless\r\n\r\n",
        CHUNKED + b"0\r\n" + b"X-A: b\r\n" * 3000,
    ],
)
def test_what_two_readers_could_take_for_different_answers_is_none(data: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read(data)


@pytest.mark.parametrize("data", [b"", b"HTTP", CLOSING[:-1], LENGTH % 2 + b"x", CHUNKED + b"1\r\nx\r\n", CHUNKED + b"0\r\nX-A: b\r\n"])
def test_an_answer_that_breaks_off_is_none(data: bytes) -> None:
    with pytest.raises(MalformedAnswer, match="breaks off"):
        read(data, ends=True)
