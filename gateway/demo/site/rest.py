"""The REST face of a node: tickets, users, sessions by mutual TLS (Qlik: "Qlik Sense Proxy Service API").

Answers that are not documented are marked [I]; error bodies are text, HTML-escaped, never JSON [C pouc/qlik-fake-proxy].
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from aiohttp import hdrs, web

from gateway.demo.site.memory import Session
from gateway.demo.site.node import Node
from gateway.demo.site.ticket import Refusal, read_object, read_ticket_request
from gateway.demo.site.tls import client_certificate
from gateway.model import JsonValue, QlikUser, Secret

MAX_HEADER_LINE = 8192
MAX_HEADERS = 16384
"""`maxHeaderLineBytes` and `maxHeaderSizeBytes` [D QRS "Get local proxy service"]; that the REST face keeps to them [I]."""
PARSER_LIMIT = 4 * MAX_HEADERS
"""What the HTTP library lets through, so that the limits above are the ones that answer."""

XRFKEY = re.compile(r"[0-9a-zA-Z]{16}", re.ASCII)
XSRF = "XSRF prevention check failed. Possible XSRF discovered."
ABOUT_SITE = frozenset({"alive", "error"})
"""Resources that stand right behind /qps/ and belong to no virtual proxy [D "Error logging"; C Informatiqal/qlik-proxy-api]."""
RESOURCES = frozenset({"ticket", "user", "session"}) | ABOUT_SITE


@dataclass(frozen=True, slots=True)
class Call:
    """One request, taken apart: what follows the prefix, percent-decoded."""

    prefix: str
    method: str
    resource: str
    names: tuple[str, ...]
    body: bytes


class RestFace:
    """Answers everything on one node's REST port."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._answers: dict[tuple[str, str, int], Callable[[Call], web.Response]] = {
            (hdrs.METH_POST, "ticket", 0): self._add_ticket,
            (hdrs.METH_GET, "user", 2): self._user,
            (hdrs.METH_DELETE, "user", 2): self._end_user,
            (hdrs.METH_GET, "session", 1): self._get_session,
            (hdrs.METH_DELETE, "session", 1): self._end_session,
            (hdrs.METH_GET, "alive", 0): lambda _call: web.json_response({"value": True}),
            (hdrs.METH_POST, "error", 0): self._log_error,
        }

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer, with the fault that is planned for this request."""
        self.node.counters["rest_requests"] += 1
        fault = self.node.faults.take()
        failed = await self.node.faults.before(fault, request)
        return failed or await self.node.faults.after(fault, request, await self._answer_or_refuse(request))

    async def _answer_or_refuse(self, request: web.BaseRequest) -> web.Response:
        try:
            return await self._answer(request)
        except Refusal as refusal:
            self.node.counters[f"refused_{refusal.status}"] += 1
            # .NET writes an apostrophe as &#39;: `Required property &#39;UserId&#39; not found in JSON` [C pouc/qlik-fake-proxy].
            text = html.escape(refusal.text).replace("&#x27;", "&#39;")
            return web.Response(status=refusal.status, text=text, content_type="text/html")

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        """The order of the checks is inferred [I]; the certificate comes first in any case."""
        await self._check_certificate(request)
        check_headers(request)
        check_xrfkey(request)
        call = self._read_call(request, await request.read())
        answer = self._answers.get((call.method, call.resource, len(call.names)))
        if answer is None:
            raise Refusal(404, "Not Found")
        if call.method == hdrs.METH_POST and request.content_type != "application/json":
            raise Refusal(415, "Unsupported Media Type")  # that the header is needed [C]; the status [I]
        return answer(call)

    async def _check_certificate(self, request: web.BaseRequest) -> None:
        """Without the certificate: 403 [C braathen/qlik-auth-net#3]; another one fails in the handshake."""
        if await client_certificate(request.transport, late=self.node.late_certificate) is None:
            raise Refusal(403, "Forbidden")
        self.node.counters["rest_requests_with_certificate"] += 1

    def _read_call(self, request: web.BaseRequest, body: bytes) -> Call:
        """`/qps/{prefix/}resource/…`: the prefix stands after /qps/ at this port [D "Add ticket"].

        A prefix that is not linked, or in another case, is a bad request [C braathen/qlik-auth-net README].
        """
        root, *names = [unquote(name) for name in request.rel_url.raw_path.removeprefix("/").split("/")]
        if root != "qps" or not names or not names[0]:
            raise Refusal(404, "Not Found")
        prefix = "" if names[0] in RESOURCES else names.pop(0)
        resource = names.pop(0) if names else ""
        if prefix not in self.node.virtual_proxies and resource not in ABOUT_SITE:
            raise Refusal(400, "Bad Request")
        return Call(prefix, request.method, resource, tuple(names), body)

    def _add_ticket(self, call: Call) -> web.Response:
        """Qlik: "Add ticket" [D]: 201, PascalCase, `TargetUri` only when a `TargetId` was given."""
        wanted = read_ticket_request(call.body)
        user = wanted.user
        facts = {"node": self.node.name, "prefix": call.prefix, "user": f"{user.directory}\\{user.user_id}"}
        groups = ", ".join(f"{name}={value}" for name, value in user.attributes)
        self.node.watch("ticket request", {**facts, "attributes": groups, "targetId": Secret(wanted.target_id)})
        reply: dict[str, JsonValue] = {**_user(user)}
        if wanted.target_id:
            reply["TargetUri"] = self._target(call.prefix, wanted.target_id)
        ticket = self.node.memory.add_ticket(call.prefix, user)
        self.node.counters["tickets_issued"] += 1
        self.node.watch("ticket", {**facts, "ticket": Secret(ticket), "TargetUri": str(reply.get("TargetUri", ""))})
        return web.json_response({**reply, "Ticket": ticket}, status=201)

    def _target(self, prefix: str, target_id: str) -> str:
        """A targetId that is unknown or has expired: this text [C pouc/qlik-utils]; the status is that of a public test double [C]."""
        uri = self.node.memory.target(prefix, target_id)
        if uri is None:
            self.node.counters["targets_unknown"] += 1
            raise Refusal(500, f"Specified targetId {target_id} was unknown")
        return uri

    def _user(self, call: Call) -> web.Response:
        """Qlik: "Get user" [D]: the sessions of one user in this virtual proxy, at this node [I]."""
        directory, user_id = call.names
        return web.json_response([_session(session) for session in self.node.memory.sessions_of(call.prefix, directory, user_id)])

    def _end_user(self, call: Call) -> web.Response:
        """Qlik: "Delete user" [D]: ends all of them and returns what it ended."""
        directory, user_id = call.names
        ended = self.node.memory.sessions_of(call.prefix, directory, user_id)
        for session in ended:
            self._end(session)
        return web.json_response([_session(session) for session in ended])

    def _get_session(self, call: Call) -> web.Response:
        """Qlik: "Get session" [D]: flat."""
        return web.json_response(_session(self._known_session(call)))

    def _end_session(self, call: Call) -> web.Response:
        """Qlik: "Delete session" [D]: the session, wrapped [C mhamano/qlik-session-auth tests, status 200 C Informatiqal]."""
        session = self._known_session(call)
        self._end(session)
        return web.json_response({"Session": _session(session)})

    def _known_session(self, call: Call) -> Session:
        """An unknown one: 404 [C ctrl-q], a text that begins like this [C mhamano/qlik-session-auth tests]."""
        session = self.node.memory.session(call.prefix, call.names[0])
        if session is None:
            raise Refusal(404, f"No session with id {call.names[0]} exists")
        return session

    def _log_error(self, call: Call) -> web.Response:
        """Qlik: "Error logging" [D]: `Message` and, optionally, the user. The status of success is not documented [I]."""
        if "message" not in read_object(call.body):
            raise Refusal(400, "Bad Request")
        self.node.counters["errors_logged"] += 1
        return web.Response(status=200)

    def _end(self, session: Session) -> None:
        self.node.memory.end(session)
        self.node.counters["sessions_ended"] += 1


def check_xrfkey(request: web.BaseRequest) -> None:
    """Qlik: "Using Xrfkey headers" [D]: 16 letters or digits, the same in query and header; the case of the query's name is free [C].

    The text is the one of its sibling for WebSockets and of the repository's API; 403 [I].
    """
    keys = [value for name, value in request.query.items() if name.lower() == "xrfkey"]
    if len(keys) != 1 or not XRFKEY.fullmatch(keys[0]) or request.headers.getall("X-Qlik-Xrfkey", []) != keys:
        raise Refusal(403, XSRF)


def check_headers(request: web.BaseRequest) -> None:
    """Lines and sum within the proxy's limits; 400 [I]."""
    first = len(request.method) + len(request.raw_path) + len(" HTTP/1.1 \r\n")
    lines = [first, *(len(name) + len(value) + len(": \r\n") for name, value in request.raw_headers)]
    if max(lines) > MAX_HEADER_LINE or sum(lines) > MAX_HEADERS:
        raise Refusal(400, "Bad Request - Request Too Long")


def _user(user: QlikUser) -> dict[str, JsonValue]:
    """Qlik: a `TicketResponse` or `SessionData` begins so [D OpenAPI], in PascalCase [C all clients]."""
    attributes: list[JsonValue] = [{name: value} for name, value in user.attributes]
    return {"UserDirectory": user.directory, "UserId": user.user_id, "Attributes": attributes}


def _session(session: Session) -> dict[str, JsonValue]:
    return {**_user(session.user), "SessionId": session.id}
