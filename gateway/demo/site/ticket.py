"""What a ticket request must hold (Qlik: "Add ticket"), read strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.model import JsonValue, QlikUser

MAX_ATTRIBUTES = 16384
"""Bytes of the header that attributes travel in inside a site: 16 KB by default [D "Add session", Limitations].

That a ticket request over it is refused is inferred [I].
"""


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """Whom a ticket is for. `target_id` is '' where none was given: both are the same [C qlik-oss/enigma.js example]."""

    user: QlikUser
    target_id: str


def read_ticket_request(body: bytes) -> TicketRequest:
    """Read the body: names in any case [D OpenAPI and help page differ; C both work]. Raises `Refusal`."""
    fields = read_object(body)
    user = QlikUser(
        directory=_name(fields, "UserDirectory"), user_id=_name(fields, "UserId"), attributes=_attributes(fields.get("attributes"))
    )
    check_size(user)
    target_id = fields.get("targetid", "")
    if not isinstance(target_id, str):
        raise Refusal(400, "Bad Request")  # [I]
    return TicketRequest(user, target_id)


def read_object(body: bytes) -> dict[str, JsonValue]:
    """The members of a JSON object by their name in lower case; anything else is a bad request [I]."""
    try:
        value = json.loads(body)
    except ValueError:
        raise Refusal(400, "Bad Request") from None
    if not isinstance(value, dict):
        raise Refusal(400, "Bad Request")
    return {name.lower(): member for name, member in value.items()}


def check_size(user: QlikUser) -> None:
    """The attributes fit into the header that they travel in, form-encoded [D header page]. 400 [I]."""
    if len(urlencode(user.attributes)) > MAX_ATTRIBUTES:
        raise Refusal(400, "Bad Request - Header Field Too Long")


def _name(fields: dict[str, JsonValue], name: str) -> str:
    """Present [C: text and status of pouc/qlik-fake-proxy], not blank, no backslash, trimmed at its ends [D]; 400 [I]."""
    value = fields.get(name.lower())
    if value is None:
        raise Refusal(500, f"Required property '{name}' not found in JSON")
    if not isinstance(value, str) or not value.strip() or "\\" in value:
        raise Refusal(400, "Bad Request")
    return value.strip()


def _attributes(value: JsonValue) -> tuple[tuple[str, str], ...]:
    """A list of objects with one member each, values are strings; none and an empty list are both good [D, C]."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Refusal(400, "Bad Request")
    return tuple(_attribute(item) for item in value)


def _attribute(item: JsonValue) -> tuple[str, str]:
    if not isinstance(item, dict) or len(item) != 1:
        raise Refusal(400, "Bad Request")
    ((name, value),) = item.items()
    if not isinstance(value, str):
        raise Refusal(400, "Bad Request")
    return name, value
