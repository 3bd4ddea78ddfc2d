"""One HTTP/1.1 request written, one answer read (RFC 9112). Bytes in, values out: no socket, no time.

Reading is strict: whatever two readers could take for different answers (two lengths, a length beside chunks, folded or
nameless header lines) is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass

from gateway.model import HttpRequest, HttpResponse

LONGEST_HEAD = 16_384
"""Bytes of a status line with all headers, and of a chunked body's trailers."""

MOST_INTERIM = 16
"""Answers on the way to one answer."""

_ALWAYS = {"User-Agent": "qlikgw", "Accept": "*/*", "Accept-Encoding": "identity"}
_LONGEST_CHUNK_LINE = 256
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HOST = re.compile(r"[A-Za-z0-9._~\[\]:-]+")
_REQUEST = re.compile(rf"[A-Z]+ /[!-~]* HTTP/1\.1\r\n(?:{_NAME}: [ -~]*\r\n)+")
_ANSWER = re.compile(rf"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t -~\x80-\xff]*)?\r\n((?:{_NAME}:[\t -~\x80-\xff]*\r\n)*)\r\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[\t ]*(?:;[\t -~\x80-\xff]*)?\r\n")
_TRAILERS = re.compile(rf"(?:{_NAME}:[\t -~\x80-\xff]*\r\n)*\r\n".encode("latin-1"))
_BEGINNING = b"HTTP/1."
_SWITCHING, _OK = 101, 200
_BODILESS = frozenset({204, 304})


class MalformedAnswer(Exception):
    """What came is no answer, or not all of one."""


class OversizeAnswer(Exception):
    """The body is larger than wanted."""

    def __init__(self, status: int, limit: int) -> None:
        super().__init__(f"status {status} and more than {limit} bytes")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and whether its connection is good for another."""

    response: HttpResponse
    keeps: bool


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    headers: dict[str, str]
    keeps: bool


def encode(request: HttpRequest) -> bytes:
    """The request as it is sent. Raises ValueError for anything in it that could pass for another line."""
    _, _, host, *rest = request.url.split("/", 3)
    path = rest[0] if rest else ""
    body = request.body or b""
    headers = {"Host": host, **_ALWAYS, **request.headers}
    if body or request.method != "GET":
        headers["Content-Length"] = str(len(body))
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = f"{request.method} /{path} HTTP/1.1\r\n{fields}"
    if not _HOST.fullmatch(host) or not _REQUEST.fullmatch(head) or head.count("\n") != 1 + len(headers):
        raise ValueError("a method, a host, a path or a header that cannot be sent")
    return f"{head}\r\n".encode("ascii") + body


class AnswerReader:
    """Reads one answer to a GET, POST or DELETE out of the bytes that come; the body may take `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.begun = False
        """Whether anything has come: from then on what breaks off is a broken answer, not a broken connection."""
        self._held = bytearray()  # in which to add and to take costs what is added or taken, however small the pieces
        self._ended = False
        self._steps = self._read(limit)

    def feed(self, data: bytes) -> Answer | None:
        """Take what has come. None: there must be more. Raises `MalformedAnswer`, `OversizeAnswer`."""
        self.begun = True
        self._held += data
        return next(self._steps, None)

    def end(self) -> Answer | None:
        """Nothing more comes. None: that was not all. Raises as `feed` does."""
        self._ended = True
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
        return _read_head((yield from self._through(b"\r\n\r\n", LONGEST_HEAD)))

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
