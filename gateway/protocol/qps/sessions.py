"""The call that ends a user's sessions: `DELETE /qps/{prefix}/user/{directory}/{id}` (Qlik "Delete user", part of the Logout API).

It ends all sessions of the user in one virtual proxy at one node: Qlik Sense knows a session's user, not the sign-in that it
came from. The answer lists what was ended.
"""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

from gateway.errors import NodeAnswer
from gateway.model import HttpRequest, HttpResponse, QlikUser
from gateway.protocol.qps.addresses import origin_text
from gateway.protocol.qps.answers import refusal
from gateway.protocol.qps.nodes import Node
from gateway.protocol.qps.users import check_user

SECONDS = 3.0
"""How long one node has: a user waits for the slowest."""

_OK, _NO_CONTENT = 200, 204


def end_sessions_request(user: QlikUser, *, node: Node, prefix: str, xrfkey: str) -> HttpRequest:
    """End all sessions of `user`. `xrfkey`: 16 fresh letters and digits. Raises what `check_user` raises."""
    check_user(replace(user, attributes=()))
    names = f"{quote(user.directory, safe='')}/{quote(user.user_id, safe='')}"
    return HttpRequest(
        method="DELETE",
        url=f"{node.reach_at}/{f'{prefix}/' if prefix else ''}user/{names}?Xrfkey={xrfkey}",
        headers={"Host": origin_text(*node.origin).removeprefix("https://"), "X-Qlik-Xrfkey": xrfkey},
        timeout=SECONDS,
    )


def read_ended_sessions(response: HttpResponse) -> int:
    """How many sessions the node ended. Raises `CertificateRejected`, `PrefixUnknown` or `NodeAnswer`.

    The answer is an array; one that stands inside an object is read as well: that of "Delete session" does, against its documentation.
    """
    if response.status == _NO_CONTENT:
        return 0
    if response.status != _OK:
        raise refusal(response)
    try:
        told = json.loads(response.body)
    except (ValueError, RecursionError):
        raise NodeAnswer("something that is not JSON") from None
    if isinstance(told, dict) and len(told) == 1:
        (told,) = told.values()
    if not isinstance(told, list):
        raise NodeAnswer("JSON that is not a list of sessions")
    return len(told)
