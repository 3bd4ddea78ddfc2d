"""npm saml-idp, a test provider of the Node world (libraries samlp, saml, xml-crypto, xml-encryption), as a process of its own.

It signs the assertion always unless its settings page says otherwise, does not check the signatures of requests, takes them
by redirect and POST alike, and publishes one certificate.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.demo.browser import PageReader
from gateway.protocol.saml import ServiceProvider
from tests.flow.world import Answer, Browser
from tests.interop.saml.foreign import ATTRIBUTES, EMAIL, NAME_ID, PATIENCE, Encrypts, Manner, Signs, running
from tests.peers.saml_forge import Party, party

SCRIPT = Path(__file__).with_name("saml_idp.cjs")
CIPHERS = {Encrypts.GCM: "http://www.w3.org/2009/xmlenc11#aes256-gcm", Encrypts.CBC: "http://www.w3.org/2001/04/xmlenc#aes256-cbc"}
PERSON = {
    "user": {"userName": NAME_ID, "nameIdFormat": EMAIL} | {name: ",".join(values) for name, values in ATTRIBUTES.items()},
    "metadata": [{"id": name, "displayName": name, "multiValue": True} for name in ATTRIBUTES],
}


@dataclass
class SamlIdp:
    """A running one."""

    base: str
    key: Party
    next_key: Party
    administrator: aiohttp.ClientSession
    entity_id: str = "urn:example:saml-idp"

    @property
    def metadata_url(self) -> str:
        return f"{self.base}/metadata"

    async def know(self, us: str) -> None:
        """It reads none: we were entered by hand."""

    async def sign_in(self, browser: Browser, asked: Answer) -> Answer:
        """Press the button of its page, where alice is filled in already."""
        form = PageReader((await browser.follow(asked)).text).form
        assert form, asked.text
        return await browser.post(f"{self.base}/signin", form.fields)

    async def ask_unasked(self, browser: Browser) -> Answer:
        return await browser.post(f"{self.base}/signin", {})

    async def publish_next_key(self) -> None:
        """It cannot."""

    async def sign_with_next_key(self) -> None:
        await self.set(key=self.next_key.key_pem.decode(), cert=self.next_key.certificate_pem.decode())

    async def set(self, **options: str) -> None:
        """Change options on its settings page."""
        async with self.administrator.post(f"{self.base}/settings", data=options, allow_redirects=False) as answer:
            assert answer.status == 302


def options(sp: ServiceProvider, manner: Manner, folder: Path, key: Party, tls: tuple[bytes, bytes] | None) -> dict[str, Any]:
    """What an administrator gives on the command line."""
    given = {
        "host": "127.0.0.1",
        "port": 0,
        "issuer": SamlIdp.entity_id,
        "acsUrl": sp.acs_url,
        "audience": sp.entity_id,
        "disableRequestAcsUrl": True,
        "signResponse": manner.signs is not Signs.ASSERTION,
        "config": PERSON,
        "cert": written(folder / "idp.crt", key.certificate_pem),
        "key": written(folder / "idp.key", key.key_pem),
    }
    if sp.keys:
        certificate = sp.keys[0].certificate.x509
        given["encryptionCert"] = written(folder / "sp.crt", certificate.public_bytes(Encoding.PEM))
        public_key = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        given["encryptionPublicKey"] = written(folder / "sp.pub", public_key)
    if tls:
        given |= {"https": True, "httpsCert": written(folder / "tls.crt", tls[0]), "httpsPrivateKey": written(folder / "tls.key", tls[1])}
    return given


def written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def settings(manner: Manner) -> dict[str, str]:
    """What the command line does not offer."""
    changes = {"signAssertion": "false"} if manner.signs is Signs.RESPONSE else {}
    if manner.encrypts:
        changes |= {"encryptAssertion": "true", "encryptionAlgorithm": CIPHERS[manner.encrypts]}
        changes["disallowEncryptionWithInsecureAlgorithm"] = "false"
    return changes


@asynccontextmanager
async def saml_idp(
    folder: Path, sp: ServiceProvider, manner: Manner, *, host: str = "127.0.0.1", tls: tuple[bytes, bytes] | None = None
) -> AsyncIterator[SamlIdp]:
    """Start it. `host`: what browsers call it; `tls`: certificate and key for https."""
    assert not manner.post_only
    assert not manner.signs_metadata
    key = party("saml-idp")
    command = ["node", str(SCRIPT), json.dumps(options(sp, manner, folder, key, tls))]
    async with running(command) as output, aiohttp.ClientSession() as administrator:
        port = int(await asyncio.wait_for(output.readline(), PATIENCE))
        provider = SamlIdp(f"http{'s' if tls else ''}://{host}:{port}", key, party("saml-idp-next"), administrator)
        if changes := settings(manner):
            await provider.set(**changes)
        yield provider
