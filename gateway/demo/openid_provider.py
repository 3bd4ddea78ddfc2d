"""A small but honest OpenID provider on loopback, so that the demo needs nothing else: OpenID Connect Core 1.0, code flow.

It signs with RS256 by a key made at start, announces and sends `iss` (RFC 9207), insists on PKCE with S256, gives codes
that are good for one use and a minute, and asks for no password: who is signed in is chosen from a list. Every login
asks; sessions are there to be ended (`openid_sessions`). It is a demo's provider and nothing more: no real one may be
replaced by it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from aiohttp import hdrs, web
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from gateway.demo.loopback import LoopbackServer
from gateway.demo.openid_requests import (
    RESPONSE_MODES,
    AuthorizationRequest,
    Client,
    OAuthError,
    Pairs,
    ReturnAddress,
    Unanswerable,
    authenticate_client,
    check_token_request,
    left_half_hash,
    read_authorization_request,
    read_pairs,
    read_return_address,
)
from gateway.demo.openid_sessions import OpenIdSessions
from gateway.demo.provider_page import NO_STORE, provider_page
from gateway.demo.users import DEMO_USERS, DemoUser
from gateway.demo.watching import Watch, nobody
from gateway.model import JsonValue, Secret
from gateway.ports import Clock

CODE_LIFETIME = timedelta(seconds=60)
SIGN_IN_LIFETIME = timedelta(minutes=30)
TOKEN_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Grant:
    request: AuthorizationRequest
    user: DemoUser
    expires_at: datetime


class DemoOpenIdProvider(LoopbackServer):
    """The provider and its server. Clients are registered by `register`, before or after `start`.

    `signs_out`: whether it offers clients to end its sessions (`end_session_endpoint`). `assurance`: what its tokens claim of how
    the user signed in (`acr`, `amr`, `auth_time`); nothing of its own, for it asks for nothing.
    """

    def __init__(self, *, clock: Clock, users: Sequence[DemoUser] = DEMO_USERS, watch: Watch = nobody) -> None:
        self.users = tuple(users)
        self.signs_out = True
        self.assurance: Callable[[AuthorizationRequest], Mapping[str, JsonValue]] = lambda _: {}
        self.sessions = OpenIdSessions(sign=self._issue, read=self._read_own, watch=watch)
        self._clock = clock
        self._watch = watch
        self._clients: dict[str, Client] = {}
        self._keys = [_new_key()]
        self._asked: dict[str, tuple[AuthorizationRequest, datetime]] = {}
        self._codes: dict[str, _Grant] = {}
        routes = [
            web.get("/.well-known/openid-configuration", self._discovery),
            web.get("/jwks", self._jwks),
            web.get("/authorize", self._authorize),
            web.post("/authorize", self._authorize),
            web.post("/sign-in", self._sign_in),
            web.post("/token", self._token),
            *self.sessions.routes(),
        ]
        super().__init__(routes, largest_body=65536)

    @property
    def issuer(self) -> str:
        """Its own address."""
        return self.url

    def register(self, client: Client) -> None:
        """Let a client in, or change one."""
        self._clients[client.client_id] = client

    async def rotate_keys(self, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on. The old ones stay published, unless they are to vanish."""
        key = await asyncio.to_thread(_new_key)
        self._keys = [key, *(self._keys if keep_old else [])]

    async def _discovery(self, _request: web.Request) -> web.Response:
        """OpenID Connect Discovery 1.0 §3."""
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                **({"end_session_endpoint": f"{self.issuer}/end-session"} if self.signs_out else {}),
                "backchannel_logout_supported": True,
                "backchannel_logout_session_supported": True,
                "response_types_supported": ["code"],
                "response_modes_supported": list(RESPONSE_MODES),
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "groups"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "request_uri_parameter_supported": False,
            }
        )

    async def _jwks(self, _request: web.Request) -> web.Response:
        self._watch("keys", {"ids": ", ".join(key.kid or "" for key in self._keys)})
        return web.json_response({"keys": [key.as_dict(private=False) for key in self._keys]})

    async def _authorize(self, request: web.Request) -> web.Response:
        """OIDC Core §3.1.2.1: GET and POST. A good request ends on the sign-in page."""
        pairs = read_pairs(request.rel_url.raw_query_string if request.method == hdrs.METH_GET else await request.text())
        try:
            address = read_return_address(pairs, self._clients)
        except Unanswerable as reason:
            return provider_page("refused.html", status=400, reason=str(reason))
        try:
            return self._ask(read_authorization_request(pairs, address))
        except OAuthError as error:
            return self._send_back(address, {"error": error.code, "error_description": error.description})

    def _ask(self, wanted: AuthorizationRequest) -> web.Response:
        self._watch(
            "authorization request",
            {
                "client": wanted.client.client_id,
                "scope": " ".join(wanted.scopes),
                "state": Secret(wanted.state),
                "nonce": Secret(wanted.nonce),
                "code_challenge": Secret(wanted.challenge),
            },
        )
        name = secrets.token_urlsafe(24)
        self._asked[name] = (wanted, self._clock.now() + SIGN_IN_LIFETIME)
        return provider_page("sign_in.html", client_id=wanted.client.client_id, request=name, users=self.users)

    async def _sign_in(self, request: web.Request) -> web.Response:
        """The sign-in page was sent: a code for the chosen user, or `access_denied` where none was chosen."""
        fields = dict(read_pairs(await request.text()))
        wanted, until = self._asked.pop(fields.get("request", ""), (None, self._clock.now()))
        if wanted is None or self._clock.now() >= until:
            return provider_page("refused.html", status=400, reason="This sign-in page has been used already or is too old. Start again.")
        address = ReturnAddress(
            client=wanted.client, redirect_uri=wanted.redirect_uri, state=wanted.state, response_mode=wanted.response_mode
        )
        user = next((user for user in self.users if user.sub == fields.get("user")), None)
        if user is None:
            return self._send_back(address, {"error": "access_denied", "error_description": "the sign-in was cancelled"})
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Grant(wanted, user, self._clock.now() + CODE_LIFETIME)
        return self._send_back(address, {"code": code})

    def _send_back(self, address: ReturnAddress, answer: Mapping[str, str]) -> web.Response:
        """The authorization response, with `iss` (RFC 9207 §2), as query or form (Form Post Response Mode §2)."""
        fields = {**answer, **({"state": address.state} if address.state else {}), "iss": self.issuer}
        if address.response_mode == "form_post":
            nonce = secrets.token_urlsafe(16)
            return provider_page("form_post.html", action=address.redirect_uri, fields=fields, nonce=nonce)
        joint = "&" if "?" in address.redirect_uri else "?"
        return web.Response(status=303, headers={hdrs.LOCATION: f"{address.redirect_uri}{joint}{urlencode(fields)}", **NO_STORE})

    async def _token(self, request: web.Request) -> web.Response:
        """OIDC Core §3.1.3: a code becomes an ID token, once; errors as RFC 6749 §5.2 says."""
        try:
            client = authenticate_client(request.headers.get(hdrs.AUTHORIZATION, ""), self._clients)
            return self._redeem(read_pairs(await request.text()), client)
        except OAuthError as error:
            unknown = error.code == "invalid_client"
            headers = NO_STORE | {hdrs.WWW_AUTHENTICATE: 'Basic realm="token"'} if unknown else NO_STORE
            body = {"error": error.code, "error_description": error.description}
            return web.json_response(body, status=401 if unknown else 400, headers=headers)

    def _redeem(self, pairs: Pairs, client: Client) -> web.Response:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise OAuthError("invalid_request", "a parameter came twice")
        if fields.get("grant_type") != "authorization_code":
            raise OAuthError("unsupported_grant_type", "only authorization_code is offered")
        grant = self._codes.pop(fields.get("code", ""), None)
        if grant is None or self._clock.now() >= grant.expires_at:
            raise OAuthError("invalid_grant", "the code is unknown, used or older than a minute")
        check_token_request(fields, grant.request, client)
        access_token = secrets.token_urlsafe(32)
        id_token = self._sign(grant, access_token)
        self._watch(
            "token",
            {
                "client": client.client_id,
                "code": Secret(fields["code"]),
                "code_verifier": Secret(fields["code_verifier"]),
                "sub": grant.user.sub,
                "claims": ", ".join(_claims(grant.user, grant.request.scopes)),
                "id_token": Secret(id_token),
            },
        )
        body = {"access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": id_token}
        return web.json_response(body, headers=NO_STORE)

    def _sign(self, grant: _Grant, access_token: str) -> str:
        """OIDC Core §2."""
        claims: dict[str, JsonValue] = {
            **_claims(grant.user, grant.request.scopes),
            "sub": grant.user.sub,
            "sid": self.sessions.begin(grant.user.sub, grant.request.client),
            "aud": grant.request.client.client_id,
            "auth_time": int(self._clock.now().timestamp()),
            "at_hash": left_half_hash(access_token),
            **({"nonce": grant.request.nonce} if grant.request.nonce else {}),
            **self.assurance(grant.request),
        }
        return self._issue(claims, "JWT")

    def _issue(self, claims: Mapping[str, JsonValue], kind: str) -> str:
        """A token of ours, signed now; `kind` is its `typ`."""
        now, key = int(self._clock.now().timestamp()), self._keys[0]
        stamped = {"iss": self.issuer, "iat": now, "exp": now + int(TOKEN_LIFETIME.total_seconds()), **claims}
        return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": kind}, stamped, key)

    def _read_own(self, token: str) -> Mapping[str, JsonValue]:
        """The claims of a token that we made, however long ago (RP-Initiated Logout §2). Raises `Unanswerable`."""
        try:
            return jwt.decode(token, KeySet([*self._keys]), algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            raise Unanswerable("Without a hint that was made here nobody knows whose session is to end.") from None


def _claims(user: DemoUser, scopes: Sequence[str]) -> dict[str, JsonValue]:
    """What the scopes ask for (OIDC Core §5.4; `groups` is a custom scope of this provider)."""
    by_scope: dict[str, dict[str, JsonValue]] = {
        "profile": {"name": user.name, "preferred_username": user.sub},
        "email": {"email": user.email, "email_verified": True},
        "groups": {"groups": list(user.groups)},
    }
    return {name: value for scope in scopes for name, value in by_scope.get(scope, {}).items()}


def _new_key() -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})
