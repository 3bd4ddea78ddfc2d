"""`POST /revocations` on the management port: ends a user's Qlik sessions, for programs on this machine alone."""

from __future__ import annotations

from aiohttp.web_request import BaseRequest

from gateway.ending import AtNode
from gateway.errors import IdentityError, NotFound
from gateway.model import JsonValue, QlikUser
from gateway.routing import Live
from gateway.web.answers import Answer, json_response
from gateway.web.context import Services
from gateway.web.handlers.this_machine import from_this_machine, read_names, refusal


async def revoke(request: BaseRequest, live: Live[Services]) -> Answer:
    """`{"vp": …, "directory": …, "user_id": …}` becomes `{"complete": …, "nodes": [{"node": …, "sessions": …, "code": …}]}`."""
    if not from_this_machine(request):
        return refusal(403, "sessions are ended for programs on this machine only")
    names = await read_names(request, "vp", "directory", "user_id")
    if names is None:
        return refusal(400, 'send {"vp": …, "directory": …, "user_id": …} as application/json')
    virtual_proxy, directory, user_id = names
    with live.hold() as services:
        try:
            outcomes = await services.logout.revoke(services.table, virtual_proxy, QlikUser(directory=directory, user_id=user_id))
        except NotFound as error:
            return refusal(404, error.detail)
        except IdentityError as error:
            return refusal(400, f"{error.code}: {error.detail}")
    complete = not any(at.error for at in outcomes)
    return json_response({"complete": complete, "nodes": [told(at) for at in outcomes]})


def told(at: AtNode) -> JsonValue:
    """One node's part."""
    return {"node": at.node, "sessions": at.sessions, "code": None if at.error is None else at.error.code}
