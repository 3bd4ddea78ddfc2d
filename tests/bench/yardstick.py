"""Not the product: the least that a sign-in for Qlik Sense has to do, as a yardstick for what the same libraries can reach.

No configuration, no hardening, no log, no metric, no mapping but a loop; authorization code flow with PKCE and one joserfc
check, or python3-saml with its schemas parsed once; then a ticket over kept-alive mTLS and a redirect. Run as
`python -m tests.bench.yardstick FOLDER PORT ISSUER NODE`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import ssl
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet
from lxml import etree
from onelogin.saml2.authn_request import OneLogin_Saml2_Authn_Request
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from tests.bench.identity_provider import CLIENT_ID, CLIENT_SECRET

LIFETIME = 600


def parse_schemas_once() -> None:
    """python3-saml parses its schemas anew for every response: half its time."""
    schemas: dict[str, Any] = {}

    def schema(tree: Any) -> Any:
        if tree.docinfo.URL not in schemas:
            schemas[tree.docinfo.URL] = etree.XMLSchema(tree)
        return schemas[tree.docinfo.URL]

    OneLogin_Saml2_XML._schema_class = staticmethod(schema)


class Yardstick:
    """Four handlers."""

    def __init__(self, folder: Path, port: int, issuer: str, node: str) -> None:
        self.issuer, self.base, self.node, self.folder, self.port = issuer, f"http://127.0.0.1:{port}", node, folder, port
        self.keys = KeySet.import_key_set(json.loads((folder / "jwks.json").read_text()))
        self.rules = jwt.JWTClaimsRegistry(iss={"essential": True, "value": issuer}, aud={"essential": True, "value": CLIENT_ID})
        self.begun: dict[str, tuple[str, str, str]] = {}
        self.saml = OneLogin_Saml2_Settings(
            {
                "strict": True,
                "sp": {"entityId": f"{self.base}/saml/metadata", "assertionConsumerService": {"url": f"{self.base}/saml/acs"}},
                "idp": {
                    "entityId": f"{issuer}/saml/metadata",
                    "singleSignOnService": {"url": f"{issuer}/saml/sso"},
                    "x509cert": (folder / "idp.crt").read_text(),
                },
                "security": {"wantAssertionsSigned": True},
            }
        )

    async def run(self) -> None:
        provider = ssl.create_default_context(cafile=self.folder / "ca.crt")
        qlik = ssl.create_default_context(cafile=self.folder / "node.crt")
        qlik.check_hostname, qlik.verify_flags = False, qlik.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN
        qlik.load_cert_chain(self.folder / "client.pem", self.folder / "client_key.pem")
        auth = aiohttp.BasicAuth(CLIENT_ID, CLIENT_SECRET)
        self.provider = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=provider), auth=auth)
        self.qlik = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=qlik))
        app = web.Application()
        app.add_routes([web.get("/oidc/start", self.oidc_start), web.get("/oidc/callback", self.oidc_callback)])
        app.add_routes([web.get("/saml/start", self.saml_start), web.post("/saml/acs", self.saml_acs)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, backlog=1024).start()
        await asyncio.Event().wait()

    async def oidc_start(self, request: web.Request) -> web.Response:
        state, nonce, verifier = (secrets.token_urlsafe(size) for size in (16, 16, 32))
        self.begun[state] = (request.query["targetId"], nonce, verifier)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": f"{self.base}/oidc/callback"}
        query |= {
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return self.sent(f"{self.issuer}/authorize?{urlencode(query)}", state)

    async def oidc_callback(self, request: web.Request) -> web.Response:
        target, nonce, verifier = self.open(request, request.query["state"])
        form = {"grant_type": "authorization_code", "code": request.query["code"], "redirect_uri": f"{self.base}/oidc/callback"}
        async with self.provider.post(f"{self.issuer}/token", data=form | {"code_verifier": verifier}) as answer:
            tokens = await answer.json()
        claims = jwt.decode(tokens["id_token"], self.keys, algorithms=["RS256"]).claims
        self.rules.validate(claims)
        if claims["nonce"] != nonce:
            raise web.HTTPBadRequest
        return await self.ticket(target, claims["sub"], claims["groups"])

    async def saml_start(self, request: web.Request) -> web.Response:
        asked, state = OneLogin_Saml2_Authn_Request(self.saml), secrets.token_urlsafe(16)
        self.begun[state] = (request.query["targetId"], asked.get_id(), "")
        return self.sent(f"{self.issuer}/saml/sso?{urlencode({'SAMLRequest': asked.get_request(), 'RelayState': state})}", state)

    async def saml_acs(self, request: web.Request) -> web.Response:
        form = await request.post()
        target, asked, _ = self.open(request, str(form["RelayState"]))
        response = OneLogin_Saml2_Response(self.saml, form["SAMLResponse"])
        place = {"https": "off", "http_host": f"127.0.0.1:{self.port}", "script_name": "/saml/acs", "get_data": {}, "post_data": {}}
        if not response.is_valid(place, asked):
            raise web.HTTPForbidden(text=response.get_error())
        return await self.ticket(target, response.get_nameid(), response.get_attributes()["groups"])

    def sent(self, url: str, state: str) -> web.Response:
        answer = web.Response(status=302, headers={"Location": url})
        answer.set_cookie("login", state, httponly=True, max_age=LIFETIME)
        return answer

    def open(self, request: web.Request, state: str) -> tuple[str, str, str]:
        if request.cookies.get("login") != state:
            raise web.HTTPBadRequest
        return self.begun.pop(state)

    async def ticket(self, target: str, user: str, groups: list[str]) -> web.Response:
        key = secrets.token_hex(8)
        body = {"UserDirectory": "BENCH", "UserId": user, "TargetId": target, "Attributes": [{"group": group} for group in groups]}
        url = f"{self.node}ticket?xrfkey={key}"
        async with self.qlik.post(url, headers={"X-Qlik-Xrfkey": key}, json=body) as answer:
            ticket = await answer.json()
        return web.Response(status=302, headers={"Location": f"{ticket['TargetUri']}?qlikTicket={quote(ticket['Ticket'])}"})


if __name__ == "__main__":
    parse_schemas_once()
    asyncio.run(Yardstick(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]).run())
