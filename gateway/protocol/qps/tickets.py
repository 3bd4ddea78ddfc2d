"""The ticket call: `POST /qps/{prefix}/ticket` and its answers (Qlik "Add ticket", "Using Xrfkey headers").

Success is 201 (200 in older releases) with JSON in PascalCase; errors are text or HTML whatever the request accepts. No
body of a request can be built for a user who does not pass the last gate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as quoted

from gateway.errors import NodeAnswer
from gateway.model import HttpRequest, HttpResponse, JsonValue, QlikUser, Secret
from gateway.noun import noun
from gateway.protocol.qps.addresses import LONGEST_ADDRESS, origin_text
from gateway.protocol.qps.answers import refusal
from gateway.protocol.qps.nodes import Node
from gateway.protocol.qps.users import check_user, runs_of

_TICKET = re.compile(r"[!-~]{1,128}")
_PAIRS = json.JSONDecoder(object_pairs_hook=tuple)
"""Objects as tuples of their members; arrays are lists."""

_OK, _CREATED = 200, 201


@noun
class TicketReply:
    """An answer to the ticket call. `target_uri` is hostile: see `targets`."""

    ticket: Secret
    target_uri: str | None


def ticket_body(user: QlikUser, target_id: str | None) -> dict[str, JsonValue]:
    """What is sent for `user`, exactly. Raises what `check_user` raises."""
    check_user(user)
    body: dict[str, JsonValue] = {
        "UserDirectory": user.directory,
        "UserId": user.user_id,
        "Attributes": [{name: value} for name, value in user.attributes],
    }
    return body if target_id is None else {**body, "TargetId": target_id}


def ticket_call(*, node: Node, prefix: str, xrfkey: str) -> HttpRequest:
    """The ticket call at one node, but for its body. `xrfkey`: 16 fresh letters and digits."""
    return HttpRequest(
        method="POST",
        url=f"{node.reach_at}/{f'{prefix}/' if prefix else ''}ticket?Xrfkey={xrfkey}",
        headers={
            # The node is asked under the name it gave itself, wherever it is reached: what answers to names sees the right one.
            "Host": origin_text(*node.origin).removeprefix("https://"),
            "Content-Type": "application/json",
            "X-Qlik-Xrfkey": xrfkey,
        },
    )


def ticket_json(user: QlikUser, target_id: str | None) -> bytes:
    """`ticket_body` as JSON, written at once: a user may have hundreds of attributes. Raises what `check_user` raises."""
    runs = runs_of(user.attributes)
    check_user(user, runs)
    attributes = ", ".join([_members(name, values) for name, values in runs])
    target = "" if target_id is None else f', "TargetId": {quoted(target_id)}'
    who = f'"UserDirectory": {quoted(user.directory)}, "UserId": {quoted(user.user_id)}'
    return f'{{{who}, "Attributes": [{attributes}]{target}}}'.encode("ascii")


def _members(name: str, values: Sequence[str]) -> str:
    """An object of one member for each value."""
    together = "".join(values)
    plain = together.isascii() and '"' not in together and "\\" not in together  # nor are there control characters, past the gate
    mark, texts = ('"', values) if plain else ("", map(quoted, values))
    begun, ended = f"{{{quoted(name)}: {mark}", f"{mark}}}"
    return begun + f"{ended}, {begun}".join(texts) + ended


def read_ticket_response(response: HttpResponse) -> TicketReply:
    """Read the answer. Raises `TargetUnknown`, `CertificateRejected`, `PrefixUnknown` or `NodeAnswer`."""
    if response.status not in (_OK, _CREATED):
        raise refusal(response)
    members = _read_members(response.body)
    ticket, target_uri = members.get("ticket"), members.get("targeturi")
    if not isinstance(ticket, str) or not _TICKET.fullmatch(ticket):
        raise NodeAnswer(f"status {response.status} without a usable Ticket")
    if target_uri is not None and not isinstance(target_uri, str):
        raise NodeAnswer("a TargetUri that is not a string")
    if target_uri and len(target_uri) > LONGEST_ADDRESS:
        raise NodeAnswer(f"a TargetUri longer than {LONGEST_ADDRESS} characters")
    return TicketReply(ticket=Secret(ticket), target_uri=target_uri or None)


def _read_members(body: bytes) -> dict[str, object]:
    """The members of the JSON object by their names in lower case. One that comes twice is refused: either might count."""
    try:
        pairs = _PAIRS.decode(body.decode(json.detect_encoding(body), "surrogatepass"))  # as json.loads, which makes a decoder each time
    except (ValueError, RecursionError):
        raise NodeAnswer("something that is not JSON") from None
    if not isinstance(pairs, tuple):
        raise NodeAnswer("JSON that is not an object")
    members = {name.lower(): value for name, value in pairs}
    if len(members) != len(pairs):
        raise NodeAnswer("an object that has a name twice")
    return members
