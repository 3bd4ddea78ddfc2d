"""A small but honest SAML identity provider on loopback, so that the demo needs nothing else: SAML 2.0, Web Browser SSO profile.

It takes requests by redirect and by POST, sends answers only to the address that is registered for the service provider,
signs assertion and Response with RSA-SHA256 by a key made at start, and asks for no password: who is signed in is chosen from a
list. Every login asks; sessions are there to be ended (`saml_sessions`). It is a demo's provider and nothing more: no real one may be
replaced by it.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from aiohttp import hdrs, web

from gateway.demo.loopback import LoopbackServer
from gateway.demo.openid_requests import read_pairs
from gateway.demo.provider_page import provider_page
from gateway.demo.saml_messages import Author, Signer, attributes_of, metadata, name_of
from gateway.demo.saml_requests import AuthnRequest, Refusal, Unanswerable, check_can_be_met, read_authn_request
from gateway.demo.saml_sessions import SamlSessions, Session
from gateway.demo.users import DEMO_USERS, DemoUser
from gateway.demo.watching import Watch, nobody
from gateway.model import Secret
from gateway.ports import Clock

SIGN_IN_LIFETIME = timedelta(minutes=30)


class DemoSamlProvider(LoopbackServer):
    """The provider and its server. Service providers are registered by `register`, before or after `start`."""

    def __init__(self, *, clock: Clock, users: Sequence[DemoUser] = DEMO_USERS, watch: Watch = nobody) -> None:
        self.users = tuple(users)
        self.sessions = SamlSessions(author=self._author, location=lambda: f"{self.url}/slo", watch=watch)
        self._clock = clock
        self._watch = watch
        self._service_providers: dict[str, str] = {}
        self._signers = [Signer.new(clock.now())]
        self._asked: dict[str, tuple[AuthnRequest, datetime]] = {}
        routes = [
            web.get("/metadata", self._metadata),
            web.get("/sso", self._sso),
            web.post("/sso", self._sso),
            web.post("/sign-in", self._sign_in),
            *self.sessions.routes(),
        ]
        super().__init__(routes, largest_body=131072)

    @property
    def entity_id(self) -> str:
        """Its metadata's address, which is what most providers are named by."""
        return f"{self.url}/metadata"

    @property
    def sso_url(self) -> str:
        return f"{self.url}/sso"

    def register(self, *, entity_id: str, acs_url: str, slo_url: str | None = None, certificate: bytes | None = None) -> None:
        """Let a service provider in, or change one. With `slo_url` and `certificate` (PEM) it takes part in logout."""
        self._service_providers[entity_id] = acs_url
        if slo_url is not None and certificate is not None:
            self.sessions.register(entity_id, slo_url=slo_url, certificate=certificate)

    async def rotate_keys(self, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on. The old ones stay published, unless they are to vanish."""
        signer = await asyncio.to_thread(Signer.new, self._clock.now())
        self._signers = [signer, *(self._signers if keep_old else [])]

    async def _metadata(self, _request: web.Request) -> web.Response:
        document = metadata(entity_id=self.entity_id, location=self.sso_url, logout=f"{self.url}/slo", signers=self._signers)
        self._watch("metadata", {"entity id": self.entity_id, "keys": str(len(self._signers))})
        return web.Response(text=document, content_type="application/samlmetadata+xml")

    async def _sso(self, request: web.Request) -> web.Response:
        """Bindings §3.4 and §3.5. A good request ends on the sign-in page; one that cannot be met, at its sender."""
        by_redirect = request.method == hdrs.METH_GET
        pairs = read_pairs(request.rel_url.raw_query_string if by_redirect else await request.text())
        try:
            asked = read_authn_request(
                pairs,
                deflated=by_redirect,
                service_providers=self._service_providers,
                location=self.sso_url,
                now=self._clock.now(),
            )
        except Unanswerable as reason:
            return provider_page("refused.html", status=400, reason=str(reason))
        try:
            check_can_be_met(asked)
        except Refusal as status:
            return self._refuse(asked, str(status))
        return self._ask(asked)

    def _ask(self, asked: AuthnRequest) -> web.Response:
        facts: dict[str, str | Secret] = {"service provider": asked.entity_id, "RelayState": Secret(asked.relay_state)}
        self._watch("authentication request", facts)
        name = secrets.token_urlsafe(24)
        self._asked[name] = (asked, self._clock.now() + SIGN_IN_LIFETIME)
        return provider_page("sign_in.html", client_id=asked.entity_id, request=name, users=self.users)

    async def _sign_in(self, request: web.Request) -> web.Response:
        """The sign-in page was sent: an assertion about the chosen user, or `AuthnFailed` where none was chosen."""
        fields = dict(read_pairs(await request.text()))
        asked, until = self._asked.pop(fields.get("request", ""), (None, self._clock.now()))
        if asked is None or self._clock.now() >= until:
            return provider_page("refused.html", status=400, reason="This sign-in page has been used already or is too old. Start again.")
        user = next((user for user in self.users if user.sub == fields.get("user")), None)
        if user is None:
            return self._refuse(asked, "AuthnFailed")
        index = f"_{secrets.token_hex(16)}"
        self.sessions.begin(
            Session(index=index, name_id=name_of(user, asked), name_id_format=asked.name_id_format, entity_id=asked.entity_id)
        )
        facts = {"sub": user.sub, "attributes": ", ".join(attributes_of(user))}
        return self._send_back(asked, self._author().answer(asked, user, index), facts)

    def _refuse(self, asked: AuthnRequest, status: str) -> web.Response:
        return self._send_back(asked, self._author().refusal(asked, status), {"status": status})

    def _author(self) -> Author:
        return Author(issuer=self.entity_id, signer=self._signers[0], now=self._clock.now())

    def _send_back(self, asked: AuthnRequest, message: str, facts: Mapping[str, str | Secret]) -> web.Response:
        """A form that posts itself (Bindings §3.5.4)."""
        posted = Secret(base64.b64encode(message.encode()).decode())
        self._watch("SAML response", {"service provider": asked.entity_id, "response": posted, **facts})
        fields = {"SAMLResponse": posted.reveal(), **({"RelayState": asked.relay_state} if asked.relay_state else {})}
        return provider_page("form_post.html", action=asked.acs_url, fields=fields, nonce=secrets.token_urlsafe(16))
