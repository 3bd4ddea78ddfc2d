"""Sessions at the demo SAML provider, and how they end: Single Logout by redirect (Profiles §4.4, Bindings §3.4), every message signed.

A session is one sign-in for one service provider; it is remembered so that it can be ended, not so that the next login asks nothing.
"""

from __future__ import annotations

import base64
import secrets
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

from aiohttp import hdrs, web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.demo.openid_requests import read_pairs
from gateway.demo.pages import render
from gateway.demo.provider_page import NO_STORE, provider_page
from gateway.demo.saml_messages import LIFETIME, Author, instant
from gateway.demo.saml_requests import ASSERTION, OLDEST, PROTOCOL, Unanswerable, decode, parse
from gateway.demo.watching import Watch

RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is signed in where, and by which name. `index`: the SessionIndex."""

    index: str
    name_id: str
    name_id_format: str
    entity_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A service provider that takes part in logout: where its messages go, and what they are signed with."""

    slo_url: str
    key: rsa.RSAPublicKey


class SamlSessions:
    """The sessions of one provider.

    `author`: who writes and signs now; `location`: where its logout service is; `status`: what its answers say.
    """

    def __init__(self, *, author: Callable[[], Author], location: Callable[[], str], watch: Watch) -> None:
        self.status = SUCCESS
        self._author = author
        self._location = location
        self._watch = watch
        self._sessions: dict[str, Session] = {}
        self._participants: dict[str, Participant] = {}
        self._asked: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self._show), web.post("/", self._end_here), web.get("/slo", self._slo)]

    def register(self, entity_id: str, *, slo_url: str, certificate: bytes) -> None:
        """Let a service provider take part. `certificate`: PEM, RSA."""
        key = x509.load_pem_x509_certificate(certificate).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError("the demo verifies RSA alone")
        self._participants[entity_id] = Participant(slo_url=slo_url, key=key)

    def begin(self, session: Session) -> None:
        """Remember that somebody signed in."""
        self._sessions[session.index] = session
        if len(self._sessions) > _MOST:
            del self._sessions[next(iter(self._sessions))]

    def of(self, name_id: str) -> list[Session]:
        """Somebody's sessions, the oldest first."""
        return [session for session in self._sessions.values() if session.name_id == name_id]

    def end(self, index: str) -> str:
        """End a session; where to send its browser, so that the service provider hears of it. Raises `Unanswerable`."""
        session = self._sessions.pop(index, None)
        participant = None if session is None else self._participants.get(session.entity_id)
        if session is None or participant is None:
            raise Unanswerable("This session has ended already, or its application takes no part in logout.")
        author, name = self._author(), f"_{secrets.token_hex(16)}"
        self._asked[name] = session.entity_id
        request = render(
            "saml_logout_request.xml",
            id=name,
            session=session,
            issuer=author.issuer,
            destination=participant.slo_url,
            now=instant(author.now),
            until=instant(author.now + LIFETIME),
        )
        return redirect("SAMLRequest", request, None, participant.slo_url, author)

    async def _show(self, _request: web.Request) -> web.Response:
        """Who is signed in, with a button for each."""
        return provider_page("sessions.html", sessions=[(one.index, one.name_id, one.entity_id) for one in self._sessions.values()])

    async def _end_here(self, request: web.Request) -> web.Response:
        """Somebody signs out at the provider itself."""
        try:
            return _go(self.end(dict(read_pairs(await request.text())).get("session", "")))
        except Unanswerable as reason:
            return provider_page("refused.html", status=400, reason=str(reason))

    async def _slo(self, request: web.Request) -> web.Response:
        """A service provider asks for the end of a session, or answers to our own request."""
        raw = dict(pair.partition("=")[::2] for pair in request.rel_url.raw_query_string.split("&"))
        try:
            if "SAMLRequest" in raw:
                return _go(self._answer(raw))
            return provider_page("signed_out_here.html", outcome=self._outcome(raw))
        except Unanswerable as reason:
            return provider_page("refused.html", status=400, reason=str(reason))

    def _answer(self, raw: Mapping[str, str]) -> str:
        """Where the answer takes the browser (Profiles §4.4.3.4). Raises `Unanswerable`."""
        root, participant = self._read(raw, "SAMLRequest", "LogoutRequest")
        session = self._sessions.get(root.findtext(f"{PROTOCOL}SessionIndex", ""))
        if session is None or session.name_id != root.findtext(f"{ASSERTION}NameID", ""):
            raise Unanswerable("This session has ended already.")
        del self._sessions[session.index]
        self._watch("logout request", {"service provider": session.entity_id, "sub": session.name_id})
        author = self._author()
        response = render(
            "saml_logout_response.xml",
            id=f"_{secrets.token_hex(16)}",
            request=root.get("ID", ""),
            issuer=author.issuer,
            destination=participant.slo_url,
            now=instant(author.now),
            status=self.status,
        )
        return redirect("SAMLResponse", response, raw.get("RelayState"), participant.slo_url, author)

    def _outcome(self, raw: Mapping[str, str]) -> str:
        """What the service provider made of our request. Raises `Unanswerable`."""
        root, _ = self._read(raw, "SAMLResponse", "LogoutResponse")
        if self._asked.pop(root.get("InResponseTo", ""), None) != root.findtext(f"{ASSERTION}Issuer", ""):
            raise Unanswerable("Nobody here asked for this answer.")
        codes = [code.get("Value", "") for code in root.iter(f"{PROTOCOL}StatusCode")]
        self._watch("logout answer", {"status": ", ".join(code.rpartition(":")[2] for code in codes)})
        return "The application has ended its sessions." if codes == [SUCCESS] else "The application could not end all of its sessions yet."

    def _read(self, raw: Mapping[str, str], parameter: str, kind: str) -> tuple[ET.Element, Participant]:
        """A message of a participant that it signed for us, now (Bindings §3.4.4.1). Raises `Unanswerable`."""
        root = parse(decode(unquote(raw.get(parameter, "")), deflated=True))
        participant = self._participants.get(root.findtext(f"{ASSERTION}Issuer", ""))
        if participant is None or root.tag != f"{PROTOCOL}{kind}":
            raise Unanswerable(f"This is not a {kind} of a registered application.")
        signed = "&".join(f"{name}={raw[name]}" for name in (parameter, "RelayState", "SigAlg") if name in raw)
        try:
            value = base64.b64decode(unquote(raw.get("Signature", "")), validate=True)
            participant.key.verify(value, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            age = abs(self._author().now - datetime.fromisoformat(root.get("IssueInstant", "")))
        except (InvalidSignature, ValueError, TypeError):
            raise Unanswerable(f"The {kind} is not signed by the application, or does not say when it was made.") from None
        if root.get("Destination") != self._location() or age > OLDEST:
            raise Unanswerable(f"The {kind} is too old, or was meant for another address.")
        return root, participant


def redirect(parameter: str, document: str, relay_state: str | None, location: str, author: Author) -> str:
    """Where a signed message takes the browser. `relay_state` is escaped already, as it came (Bindings §3.4.4.1)."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = compressor.compress(document.encode()) + compressor.flush()
    query = f"{parameter}={_escaped(deflated)}"
    if relay_state is not None:
        query += f"&RelayState={relay_state}"
    query += f"&SigAlg={quote(RSA_SHA256, safe='')}"
    value = author.signer.key.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{location}{'&' if '?' in location else '?'}{query}&Signature={_escaped(value)}"


def _go(url: str) -> web.Response:
    return web.Response(status=303, headers={hdrs.LOCATION: url, **NO_STORE})


def _escaped(data: bytes) -> str:
    return quote(base64.b64encode(data), safe="")
