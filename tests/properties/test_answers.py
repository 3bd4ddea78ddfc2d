"""Answers are written by a class of ours: as aiohttp's own would be sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import HttpVersion, web
from aiohttp.http_writer import StreamWriter
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.answers import STANDING, Answer, lines_of

VISIBLE = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=30).map(str.strip)
HEADERS = st.lists(st.tuples(st.sampled_from(["Location", "Set-Cookie", "Retry-After", "Allow"]), VISIBLE), max_size=4)


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return False


async def sent(answer: web.StreamResponse | Answer, version: HttpVersion, method: str) -> tuple[bytes, Counter[bytes], bytes]:
    """The first line, the headers but the time, and the body."""
    wire = Wire()
    request = make_mocked_request(method, "/", version=version)
    request.protocol.transport, request.protocol._paused = wire, False
    request._payload_writer = StreamWriter(request.protocol, asyncio.get_running_loop())
    await answer.prepare(request)
    await answer.write_eof()
    head, _, body = wire.written.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    (date,) = [line for line in lines if line.startswith(b"Date: ")]
    assert isinstance(parsedate_to_datetime(date[6:].decode()), datetime)
    lines.remove(date)
    return first, Counter(lines), body


@given(
    status=st.sampled_from([200, 302, 303, 400, 403, 404, 405, 413, 429, 500, 502, 503]),
    headers=HEADERS,
    body=st.binary(max_size=40),
    version=st.sampled_from([HttpVersion(1, 0), HttpVersion(1, 1)]),
    how=st.tuples(st.sampled_from(["GET", "POST"]), st.booleans()) | st.just(("HEAD", True)),
)
def test_an_answer_is_sent_as_aiohttp_sends_its_own(
    status: int, headers: list[tuple[str, str]], body: bytes, version: HttpVersion, how: tuple[str, bool]
) -> None:
    method, keep_alive = how
    if method == "HEAD":
        body += b"a document"  # of an empty one aiohttp does not tell the length

    async def both() -> None:
        theirs = web.Response(status=status, headers=[*STANDING.items(), ("Content-Type", "text/plain"), *headers], body=body)
        ours = Answer(status, lines_of([*STANDING.items(), ("Content-Type", "text/plain")]), *headers, body=body)
        if not keep_alive:
            theirs.force_close()
            ours.force_close()
        assert await sent(ours, version, method) == await sent(theirs, version, method)
        assert ours.keep_alive == theirs.keep_alive

    asyncio.run(both())


@pytest.mark.parametrize("control", [*map(chr, range(32)), "\x7f", "\r\nSet-Cookie: a"])
def test_a_value_is_sent_where_aiohttp_sends_it(control: str) -> None:
    """Of the control characters, that is a tab alone: none ends a line, or hides in it from who reads along."""
    value = f"a{control}b"

    async def both() -> None:
        theirs = sent(web.Response(headers={"Location": value}), HttpVersion(1, 1), "GET")
        ours = sent(Answer(302, b"", ("Location", value)), HttpVersion(1, 1), "GET")
        for answer in (theirs, ours):
            if control == "\t":
                assert f"Location: {value}".encode() in (await answer)[1]
            else:
                with pytest.raises(ValueError, match="ontrol character"):
                    await answer

    asyncio.run(both())


@pytest.mark.parametrize("ender", ["\r", "\n", "\r\n", "\0"])
@given(before=st.text(max_size=9), after=st.text(max_size=9))
def test_no_value_ends_its_line(ender: str, before: str, after: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        asyncio.run(sent(Answer(302, b"", ("Location", before + ender + after)), HttpVersion(1, 1), "GET"))
    with pytest.raises(ValueError, match="control character"):
        lines_of([("Location", before + ender + after)])
