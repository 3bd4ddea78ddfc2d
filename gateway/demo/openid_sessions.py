"""Sessions at the demo OpenID provider, and how they end: RP-Initiated and Back-Channel Logout 1.0.

A session is one sign-in for one client; it is remembered so that it can be ended, not so that the next login asks nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import aiohttp
from aiohttp import hdrs, web

from gateway.demo.openid_requests import Client, Unanswerable, read_pairs
from gateway.demo.provider_page import NO_STORE, provider_page
from gateway.demo.watching import Watch
from gateway.model import JsonValue, Secret

LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_MOST: Final = 10_000
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is signed in where."""

    sid: str
    sub: str
    client: Client


class OpenIdSessions:
    """The sessions of one provider. `sign`: claims and a `typ` to a token of the provider's; `read`: its own ID token to claims.

    `read` raises `Unanswerable` for a token that is not the provider's.
    """

    def __init__(
        self, *, sign: Callable[[Mapping[str, JsonValue], str], str], read: Callable[[str], Mapping[str, JsonValue]], watch: Watch
    ) -> None:
        self._sign = sign
        self._read = read
        self._watch = watch
        self._sessions: dict[str, Session] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._show),
            web.post("/", self._end_here),
            web.get("/end-session", self._end_session),
            web.post("/end-session", self._end_session),
        ]

    def begin(self, sub: str, client: Client) -> str:
        """A new session; its `sid`."""
        session = Session(sid=secrets.token_urlsafe(12), sub=sub, client=client)
        self._sessions[session.sid] = session
        if len(self._sessions) > _MOST:
            del self._sessions[next(iter(self._sessions))]
        return session.sid

    def of(self, sub: str) -> list[Session]:
        """Somebody's sessions, the oldest first."""
        return [session for session in self._sessions.values() if session.sub == sub]

    async def end(self, sid: str) -> int | None:
        """End a session and tell its client; the status of its answer. None: there is no such session, or the client did not answer."""
        session = self._sessions.pop(sid, None)
        return None if session is None else await self._tell(session)

    async def _tell(self, session: Session) -> int | None:
        """Back-Channel Logout §2.5."""
        if session.client.backchannel_logout_uri is None:
            return None
        claims: dict[str, JsonValue] = {
            "aud": session.client.client_id,
            "sub": session.sub,
            "sid": session.sid,
            "jti": secrets.token_urlsafe(12),
            "events": {LOGOUT_EVENT: {}},
        }
        token = self._sign(claims, "logout+jwt")
        status = await _post(session.client.backchannel_logout_uri, {"logout_token": token})
        facts: dict[str, str | Secret] = {"client": session.client.client_id, "sub": session.sub, "logout_token": Secret(token)}
        self._watch("logout token", facts | {"status": str(status)})
        return status

    async def _show(self, _request: web.Request) -> web.Response:
        """Who is signed in, with a button for each."""
        return provider_page("sessions.html", sessions=[(one.sid, one.sub, one.client.client_id) for one in self._sessions.values()])

    async def _end_here(self, request: web.Request) -> web.Response:
        """Somebody signs out at the provider itself."""
        await self.end(dict(read_pairs(await request.text())).get("session", ""))
        return web.Response(status=303, headers={hdrs.LOCATION: "/", **NO_STORE})

    async def _end_session(self, request: web.Request) -> web.Response:
        """RP-Initiated Logout §2 and §3. Only with a hint: without one, a person would have to be asked."""
        by_get = request.method == hdrs.METH_GET
        fields = dict(read_pairs(request.rel_url.raw_query_string if by_get else await request.text()))
        try:
            session = self._meant(fields)
        except Unanswerable as reason:
            return provider_page("refused.html", status=400, reason=str(reason))
        self._watch("logout request", {"client": session.client.client_id, "sub": session.sub, "state": Secret(fields.get("state", ""))})
        await self.end(session.sid)
        address = fields.get("post_logout_redirect_uri")
        if address is None:
            return provider_page("signed_out_here.html", outcome="The application was told.")
        state = {"state": fields["state"]} if "state" in fields else {}
        joint = "&" if "?" in address else "?"
        return web.Response(status=303, headers={hdrs.LOCATION: f"{address}{joint}{urlencode(state)}", **NO_STORE})

    def _meant(self, fields: Mapping[str, str]) -> Session:
        """Raises `Unanswerable`."""
        claims = self._read(fields.get("id_token_hint", ""))
        session = self._sessions.get(str(claims.get("sid")))
        if session is None:
            raise Unanswerable("This session has ended already.")
        if fields.get("client_id", session.client.client_id) != session.client.client_id:
            raise Unanswerable("The hint was given to another client.")
        if fields.get("post_logout_redirect_uri", "") not in ("", *session.client.post_logout_redirect_uris):
            raise Unanswerable("The post-logout redirect URI is not registered for this client.")
        return session


async def _post(address: str, fields: Mapping[str, str]) -> int | None:
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, http.post(address, data=fields, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return None
