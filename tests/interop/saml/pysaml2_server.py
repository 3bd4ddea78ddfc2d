"""pysaml2's `Server` behind two addresses of our own: its messages are made by it and by the `xmlsec1` binary that it calls.

It knows us by our metadata document, checks the signatures of requests if that says they are signed, and names attributes by
their OIDs. Its own encryption is 3DES; for AES-GCM its template of the ciphertext is asked for the other algorithm.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import create_metadata_string
from saml2.saml import NameID
from saml2.samlp import STATUS_AUTHN_FAILED
from saml2.server import Server
from saml2.sigver import get_pem_wrapped_unwrapped, make_temp, pre_encryption_part

from gateway.protocol.saml import ServiceProvider
from tests.flow.world import Answer, Browser
from tests.interop.saml.foreign import ATTRIBUTES, EMAIL, NAME_ID, Encrypts, Manner, Signs, send_form
from tests.peers.saml_forge import Party, party

PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
AES256_GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
Fields = dict[str, str]


class ModernServer(Server):
    """With AES-256-GCM in the place of 3DES."""

    def _encrypt_assertion(self, encrypt_cert: Any, sp_entity_id: str, response: Any, node_xpath: str | None = None) -> Any:
        assert encrypt_cert is None
        [(_, certificate)] = self.metadata.certs(sp_entity_id, "any", "encryption")
        wrapped, _ = get_pem_wrapped_unwrapped(certificate)
        with make_temp(wrapped.encode(), decode=False, delete_tmpfiles=True) as file:
            template = pre_encryption_part(msg_enc=AES256_GCM)
            return self.sec.crypto.encrypt_assertion(response, file.name, template, "aes-256", node_xpath)


@dataclass
class Pysaml2:
    """A running one."""

    base: str
    folder: Path
    sp: ServiceProvider
    manner: Manner
    key: Party
    next_key: Party
    us: str | None = None
    published: tuple[Party, ...] = ()
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def entity_id(self) -> str:
        return f"{self.base}/entity"

    @property
    def metadata_url(self) -> str:
        return f"{self.base}/metadata"

    async def know(self, us: str) -> None:
        self.us = us

    async def sign_in(self, browser: Browser, asked: Answer, user: str = "alice") -> Answer:
        return await send_form(browser, await browser.follow(asked), user=user)

    async def ask_unasked(self, browser: Browser) -> Answer:
        return await browser.get(f"{self.base}/unasked")

    async def publish_next_key(self) -> None:
        self.published = (self.next_key,)

    async def sign_with_next_key(self) -> None:
        self.key, self.published = self.next_key, ()

    def config(self) -> IdPConfig:
        service = f"{self.base}/sso"
        bindings = [BINDING_HTTP_POST] if self.manner.post_only else [BINDING_HTTP_REDIRECT, BINDING_HTTP_POST]
        return IdPConfig().load(
            {
                "entityid": self.entity_id,
                "key_file": self.file(self.key, "key"),
                "cert_file": self.file(self.key, "crt"),
                "additional_cert_files": [self.file(one, "crt") for one in self.published],
                "metadata": {"inline": [self.us] if self.us else []},
                "service": {
                    "idp": {
                        "endpoints": {"single_sign_on_service": [(service, binding) for binding in bindings]},
                        "signing_algorithm": RSA_SHA256,
                        "digest_algorithm": SHA256,
                        "want_authn_requests_signed": self.sp.sign_requests,
                        "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
                    }
                },
            }
        )

    def file(self, owner: Party, kind: str) -> str:
        path = self.folder / f"{owner.name}.{kind}"
        path.write_bytes(owner.key_pem if kind == "key" else owner.certificate_pem)
        return str(path)

    def metadata(self) -> str:
        signs = self.manner.signs_metadata
        document = create_metadata_string(None, config=self.config(), sign=signs, sign_alg=RSA_SHA256, digest_alg=SHA256)
        return document if isinstance(document, str) else bytes(document).decode()  # signed: a string, else bytes

    def server(self) -> Server:
        return (ModernServer if self.manner.encrypts is Encrypts.GCM else Server)(config=self.config())

    def read(self, fields: Fields, binding: str) -> str:
        """The ID of the request. Raises whatever pysaml2 raises for a bad one."""
        more = {"relay_state": fields.get("RelayState"), "sigalg": fields.get("SigAlg"), "signature": fields.get("Signature")}
        request = self.server().parse_authn_request(fields["SAMLRequest"], binding, **(more if binding == BINDING_HTTP_REDIRECT else {}))
        return str(request.message.id)

    def answer(self, in_response_to: str | None, relay_state: str, user: str) -> str:
        """The page that posts itself to us."""
        server, destination = self.server(), self.sp.acs_url
        if user == "alice":
            response = server.create_authn_response(
                ATTRIBUTES,
                in_response_to,
                destination,
                self.sp.entity_id,
                name_id=NameID(format=EMAIL, text=NAME_ID),
                authn={"class_ref": PASSWORD},
                sign_assertion=self.manner.signs is not Signs.RESPONSE,
                sign_response=self.manner.signs is not Signs.ASSERTION,
                encrypt_assertion=self.manner.encrypts is not None,
            )
        else:
            response = server.create_error_response(in_response_to, destination, (STATUS_AUTHN_FAILED, "no"), sign=True)
        page = server.apply_binding(BINDING_HTTP_POST, str(response), destination, relay_state, response=True)
        return str(page["data"])


def routes(provider: Pysaml2) -> list[web.RouteDef]:
    async def page(make: Callable[[], str]) -> web.Response:
        """pysaml2 waits for its binary, so off the loop."""
        return web.Response(text=await asyncio.to_thread(make), content_type="text/html")

    async def metadata(_request: web.Request) -> web.Response:
        return web.Response(text=await asyncio.to_thread(provider.metadata), content_type="application/samlmetadata+xml")

    async def sso(request: web.Request) -> web.Response:
        by_post = request.method == "POST"
        fields = {name: str(value) for name, value in (await request.post() if by_post else request.query).items()}
        asked = await asyncio.to_thread(provider.read, fields, BINDING_HTTP_POST if by_post else BINDING_HTTP_REDIRECT)
        provider.asked[asked] = fields.get("RelayState", "")
        form = f'<form method="post" action="/sign-in"><input type="hidden" name="request" value="{asked}"><button>Sign in</button></form>'
        return web.Response(text=form, content_type="text/html")

    async def sign_in(request: web.Request) -> web.Response:
        fields = await request.post()
        asked = str(fields["request"])
        return await page(partial(provider.answer, asked, provider.asked.pop(asked), str(fields["user"])))

    async def unasked(_request: web.Request) -> web.Response:
        return await page(partial(provider.answer, None, "https://elsewhere.example/", "alice"))

    return [
        web.get("/metadata", metadata),
        web.get("/sso", sso),
        web.post("/sso", sso),
        web.post("/sign-in", sign_in),
        web.get("/unasked", unasked),
    ]


@asynccontextmanager
async def pysaml2(folder: Path, sp: ServiceProvider, manner: Manner) -> AsyncIterator[Pysaml2]:
    """Start it in this process."""
    assert manner.encrypts is not Encrypts.CBC
    provider = Pysaml2(base="", folder=folder, sp=sp, manner=manner, key=party("pysaml2"), next_key=party("pysaml2-next"))
    application = web.Application()
    application.add_routes(routes(provider))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
