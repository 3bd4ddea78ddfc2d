"""What our reader of answers accepts, aiohttp's reads likewise; and it is the same answer in whatever pieces it comes."""

import asyncio
from itertools import pairwise

from aiohttp.client_proto import ResponseHandler
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.exchange import MalformedAnswer, OversizeAnswer
from gateway.exchange.messages import AnswerReader
from gateway.model import HttpResponse

LIMIT = 60
CHUNKS = (b"3\r\nabc\r\n", b"1;x=y\r\nd\r\n", b"0\r\n\r\n", b"0\r\nX-T: u\r\n\r\n", b"00\r\n\r\n")
PARTS = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404 \r\n", b"HTTP/1.1 204\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 304 X\r\n"),
        *(b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"content-length:3\r\n", b"Transfer-Encoding: chunked\r\n"),
        *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"X-A: \xfc b\r\n", b"X-A:\r\n", b"\r\n", b"\n", b" ", b"abc", b"\x00"),
        *CHUNKS,
    ]
)
MESSAGES = st.lists(PARTS | st.binary(max_size=4), max_size=12).map(b"".join)
GOOD = st.builds(
    lambda first, fields, framing: first + b"".join(fields) + framing,
    st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 500\r\n", b"HTTP/1.0 201 Created\r\n"]),
    st.lists(st.sampled_from([b"X-A: b\r\n", b"x-a:c\r\n", b"Connection: close\r\n", b"Server: s (t)\r\n"]), max_size=3),
    st.one_of(
        st.binary(max_size=LIMIT).map(lambda body: b"Content-Length: %d\r\n\r\n" % len(body) + body),
        st.binary(max_size=LIMIT).map(lambda body: b"\r\n" + body),
        st.lists(st.sampled_from(CHUNKS), max_size=4).map(lambda chunks: b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)),
    ),
)


class _NoTransport(asyncio.Transport):
    def close(self) -> None:
        pass


def theirs(data: bytes) -> HttpResponse:
    async def read() -> HttpResponse:
        handler = ResponseHandler(asyncio.get_running_loop())
        handler.connection_made(_NoTransport())
        handler.set_response_params(read_until_eof=True, auto_decompress=False)
        handler.data_received(data)
        handler.connection_lost(None)
        message, payload = await handler.read()
        while message.code < 200:
            message, payload = await handler.read()
        body = b"" if message.code in (204, 304) else await payload.read()
        headers = {name.lower(): ", ".join(message.headers.getall(name)) for name in message.headers}
        return HttpResponse(status=message.code, headers=headers, body=body)

    return asyncio.run(read())


def ours(pieces: list[bytes]) -> tuple[HttpResponse | str | None, bytes]:
    """The answer, its connection ended after the pieces, or the error's name; and what was not taken for it."""
    reader = AnswerReader(LIMIT)
    answer = None
    try:
        for piece in pieces:
            answer = answer or reader.feed(piece)
        answer = answer or reader.end()
    except (MalformedAnswer, OversizeAnswer) as error:
        return type(error).__name__, b""
    return answer and answer.response, bytes(reader._held)


@given(MESSAGES | GOOD)
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
def test_what_we_accept_aiohttp_reads_likewise(data: bytes) -> None:
    answer, rest = ours([data])
    if not isinstance(answer, HttpResponse):
        return
    expected = theirs(data.removesuffix(rest))
    assert (answer.status, answer.body) == (expected.status, expected.body)
    told = {name: value.encode("utf-8", "surrogateescape") for name, value in expected.headers.items()}
    assert {name: value.encode("latin-1") for name, value in answer.headers.items()} == told


@given(GOOD, st.lists(st.integers(0, 200), max_size=8))
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(data: bytes, cuts: list[int]) -> None:
    borders = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    pieces = [data[start:end] for start, end in pairwise(borders)]
    assert ours(pieces)[0] == ours([data])[0]


@given(st.binary(max_size=200), st.lists(st.binary(max_size=20), max_size=5))
def test_any_bytes_are_an_answer_or_none(data: bytes, more: list[bytes]) -> None:
    assert ours([data, *more])[0] in ("MalformedAnswer", "OversizeAnswer")
