"""What a node's refusal means: errors are text or HTML whatever the request accepts, and their words say more than their number."""

from __future__ import annotations

import html
import re

from gateway.errors import CertificateRejected, NodeAnswer, PrefixUnknown, QlikError
from gateway.model import HttpResponse

_UNKNOWN_TARGET = re.compile(r"Specified targetId .{0,200}? was unknown", re.IGNORECASE)
_FORGERY = re.compile(r"XSRF", re.IGNORECASE)
_BAD_BODY = re.compile(r"Required property|JSON|UserId|UserDirectory|Too Long", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_TICKET_VALUE = re.compile(r"(ticket\W{1,5})\w[^\s\"'&,}<]*", re.IGNORECASE)
_READ = 4096
_SHOWN = 200
_BAD_REQUEST, _FORBIDDEN = 400, 403


class TargetUnknown(NodeAnswer):
    """The node does not know the targetId (any more): ask once more without it."""


def refusal(response: HttpResponse) -> QlikError:
    """What an error status means: its text says more than its number, as far as it is known."""
    text = _readable(response.body)
    masked = _TICKET_VALUE.sub(r"\1***", text)
    detail = f"status {response.status}: {masked[:_SHOWN]!a}"
    if _UNKNOWN_TARGET.search(text):
        return TargetUnknown(detail)
    if _FORGERY.search(text):
        return NodeAnswer(detail)
    if response.status == _FORBIDDEN:
        return CertificateRejected(detail)
    if response.status == _BAD_REQUEST and not _BAD_BODY.search(text):
        return PrefixUnknown(detail)
    return NodeAnswer(detail)


def _readable(body: bytes) -> str:
    """The words of a text or HTML error page on one line."""
    text = _TAG.sub(" ", body[:_READ].decode("utf-8", errors="replace"))
    try:
        words = html.unescape(text)
    except ValueError:  # a character reference of thousands of digits
        words = text
    return " ".join("".join(character if character.isprintable() else " " for character in words).split())
