"""One HTTP/1.1 request written, one answer read (RFC 9112). Bytes in, values out: no socket, no time.

Reading is strict: whatever two readers could take for different answers (two lengths, a length beside chunks, folded or
nameless header lines) is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import NamedTuple

from gateway.model import HttpRequest, HttpResponse

LONGEST_HEAD = 16_384
"""Bytes of a status line with all headers, and of a chunked body's trailers."""

MOST_INTERIM = 16
"""Answers on the way to one answer."""

_PLACED = frozenset({"Host", "Accept"})
"""Headers that stand in every request, at their place, with the value that a caller gives."""
_PLACED_LINES = 5
"""The first line, those two, and two of `_OURS`."""
_OURS = frozenset({"User-Agent", "Accept-Encoding", "Content-Length"})
_LONGEST_CHUNK_LINE = 256
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_METHODS = frozenset({"GET", "POST", "DELETE"})
"""What `AnswerReader` can read answers to."""
_HOST = re.compile(r"[A-Za-z0-9._~\[\]:-]+")
_NAMES = re.compile(_NAME.removesuffix("+") + "*")
_PRINTABLE = bytes(range(0x20, 0x7F))
_ANSWER = re.compile(rf"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t -~\x80-\xff]*)?\r\n((?:{_NAME}:[\t -~\x80-\xff]*\r\n)*)\r\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[\t ]*(?:;[\t -~\x80-\xff]*)?\r\n")
_TRAILERS = re.compile(rf"(?:{_NAME}:[\t -~\x80-\xff]*\r\n)*\r\n".encode("latin-1"))
_BEGINNING = b"HTTP/1."
_BLANK_LINE = b"\r\n\r\n"
_NO_BODY = b"Content-Length: 0\r\n\r\n"
_SWITCHING, _OK = 101, 200
_BODILESS = frozenset({204, 304})


class MalformedAnswer(Exception):
    """What came is no answer, or not all of one."""


class OversizeAnswer(Exception):
    """The body is larger than wanted."""

    def __init__(self, status: int, limit: int) -> None:
        super().__init__(f"status {status} and more than {limit} bytes")


class Answer(NamedTuple):
    """One answer, and whether its connection is good for another."""

    response: HttpResponse
    keeps: bool


class _Head(NamedTuple):
    status: int
    headers: dict[str, str]
    keeps: bool


def encode(request: HttpRequest) -> bytes:
    """The request as it is sent. Raises ValueError for anything in it that could pass for another line, or for a header of ours."""
    _, _, host, *rest = request.url.split("/", 3)
    path = rest[0] if rest else ""
    body, given = request.body or b"", request.headers
    fields = [f"{name}: {value}\r\n" for name, value in given.items() if name not in _PLACED]
    if body or request.method != "GET":
        fields.append(f"Content-Length: {len(body)}\r\n")
    text = (
        f"{request.method} /{path} HTTP/1.1\r\nHost: {given.get('Host', host)}\r\nUser-Agent: qlikgw\r\n"
        f"Accept: {given.get('Accept', '*/*')}\r\nAccept-Encoding: identity\r\n{''.join(fields)}"
    )
    head = text.encode("ascii")  # what it cannot hold is a ValueError, too
    named = request.method in _METHODS and " " not in path and _HOST.fullmatch(host) and _OURS.isdisjoint(given)
    ends = b"\r\n" * (_PLACED_LINES + len(fields))
    if not named or head.translate(None, _PRINTABLE) != ends or "" in given or not _NAMES.fullmatch("".join(given)):
        raise ValueError("a method, a host, a path or a header that cannot be sent")
    return b"%b\r\n%b" % (head, body)


class Letterhead:
    """A POST that is made again and again with another body, and another `word` wherever the first one stands in it: checked once."""

    def __init__(self, request: HttpRequest, word: str) -> None:
        """Raises ValueError as `encode` does."""
        self._parts = encode(request).removesuffix(_NO_BODY).split(word.encode("ascii"))

    def encode(self, word: str, body: bytes) -> bytes:
        """The request as it is sent. Raises ValueError for a word that is not made of letters and digits."""
        if not (word.isascii() and word.isalnum()):
            raise ValueError("a word that could pass for more")
        return b"%bContent-Length: %d\r\n\r\n%b" % (word.encode("ascii").join(self._parts), len(body), body)


class AnswerReader:
    """Reads one answer to a GET, POST or DELETE out of the bytes that come; the body may take `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.begun = False
        """Whether anything has come: from then on what breaks off is a broken answer, not a broken connection."""
        self._held = bytearray()  # in which to add and to take costs what is added or taken, however small the pieces
        self._ended = False
        self._limit = limit
        self._steps: Generator[Answer | None, None, None] | None = None

    def feed(self, data: bytes) -> Answer | None:
        """Take what has come. None: there must be more. Raises `MalformedAnswer`, `OversizeAnswer`."""
        if not self.begun:
            self.begun = True
            if (whole := _read_whole(data, self._limit)) is not None:
                return whole
        self._held += data
        return self._next()

    def end(self) -> Answer | None:
        """Nothing more comes. None: that was not all. Raises as `feed` does."""
        self._ended = True
        return self._next()

    def _next(self) -> Answer | None:
        self._steps = self._steps or self._read(self._limit)
        return next(self._steps, None)

    def _read(self, limit: int) -> Generator[Answer | None, None, None]:
        interim = 0
        while (head := (yield from self._head())).status < _OK:  # on the way, not there yet (RFC 9110 §15.2)
            interim += 1
            if interim > MOST_INTERIM:
                raise MalformedAnswer("an answer that is always on its way")
        body = yield from self._body(head, limit)
        response = HttpResponse(status=head.status, headers=head.headers, body=body)
        yield Answer(response, head.keeps and not self._held and not self._ended)

    def _head(self) -> Generator[None, None, _Head]:
        """What does not begin like an answer is none, however little of it there is."""
        while len(self._held) < len(_BEGINNING) and _BEGINNING.startswith(bytes(self._held)):
            yield from self._more()
        if not self._held.startswith(_BEGINNING):
            raise MalformedAnswer("something that is not HTTP/1.1")
        return _read_head((yield from self._through(_BLANK_LINE, LONGEST_HEAD)))

    def _body(self, head: _Head, limit: int) -> Generator[None, None, bytes]:
        """RFC 9112 §6.3."""
        length = head.headers.get("content-length")
        if head.status in _BODILESS:
            return b""
        if "transfer-encoding" in head.headers:
            return (yield from self._chunks(head.status, limit))
        if length is None:
            return (yield from self._rest(head.status, limit))
        if int(length) > limit:
            raise OversizeAnswer(head.status, limit)
        return (yield from self._exactly(int(length)))

    def _chunks(self, status: int, limit: int) -> Generator[None, None, bytes]:
        """RFC 9112 §7.1. Extensions and trailers mean nothing here."""
        chunks: list[bytes] = []
        total = 0
        while size := _read_chunk_size((yield from self._through(b"\r\n", _LONGEST_CHUNK_LINE))):
            total += size
            if total > limit:
                raise OversizeAnswer(status, limit)
            chunk = yield from self._exactly(size + 2)
            if not chunk.endswith(b"\r\n"):
                raise MalformedAnswer("a chunk that does not end where it should")
            chunks.append(chunk[:-2])
        trailers = b""
        while not trailers.endswith(b"\r\n\r\n") and trailers != b"\r\n":
            trailers += yield from self._through(b"\r\n", LONGEST_HEAD - len(trailers))
        if not _TRAILERS.fullmatch(trailers):
            raise MalformedAnswer("trailers that are no headers")
        return b"".join(chunks)

    def _through(self, end: bytes, limit: int) -> Generator[None, None, bytes]:
        while (found := self._held.find(end, 0, limit)) < 0:
            if len(self._held) >= limit:
                raise MalformedAnswer(f"a part of more than {limit} bytes that should be short")
            yield from self._more()
        return self._take(found + len(end))

    def _exactly(self, size: int) -> Generator[None, None, bytes]:
        while len(self._held) < size:
            yield from self._more()
        return self._take(size)

    def _rest(self, status: int, limit: int) -> Generator[None, None, bytes]:
        """One that was cut off on the way looks the same (RFC 9112 §9.8): believe only what shows its own end, as JSON does."""
        while not self._ended and len(self._held) <= limit:
            yield
        if len(self._held) > limit:
            raise OversizeAnswer(status, limit)
        return self._take(len(self._held))

    def _more(self) -> Generator[None, None, None]:
        if self._ended:
            raise MalformedAnswer("an answer that breaks off")
        yield

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken


def _read_whole(data: bytes, limit: int) -> Answer | None:
    """An answer with a length that comes in one piece, as most do; None for any other. Raises `MalformedAnswer`."""
    end = data.find(_BLANK_LINE, 0, LONGEST_HEAD)
    if end < 0:
        return None
    start = end + len(_BLANK_LINE)
    head = _read_head(data[:start])
    length = int(head.headers.get("content-length", -1))
    if head.status < _OK or head.status in _BODILESS or length > limit or length != len(data) - start:
        return None
    return Answer(HttpResponse(status=head.status, headers=head.headers, body=data[start:]), head.keeps)


def _read_head(data: bytes) -> _Head:
    match = _ANSWER.fullmatch(data.decode("latin-1"))
    if match is None:
        raise MalformedAnswer("something that is not HTTP/1.1")
    headers: dict[str, str] = {}
    for line in match[3].split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value  # RFC 9110 §5.3
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if length is not None and (coding is not None or not _LENGTH.fullmatch(length)):
        raise MalformedAnswer("a length that is none, or not the only one")
    if coding is not None and (coding.lower() != "chunked" or match[1] == "0"):
        raise MalformedAnswer("a transfer coding that is not chunked")
    status, keeps = int(match[2]), match[1] == "1" and "close" not in headers.get("connection", "").lower()
    if status == _SWITCHING:
        raise MalformedAnswer("another protocol, that nobody asked for")
    announced = coding is not None or int(length or 0) > 0
    if announced and status < _OK:  # RFC 9110 §8.6
        raise MalformedAnswer("a body on the way to an answer")
    if announced and status in _BODILESS:  # if it came after all, it would pass for the next answer
        keeps = False
    return _Head(status, headers, keeps)


def _read_chunk_size(line: bytes) -> int:
    match = _CHUNK.fullmatch(line)
    if match is None:
        raise MalformedAnswer("a chunk without a size")
    return int(match[1], 16)
