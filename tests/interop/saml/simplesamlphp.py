"""SimpleSAMLphp as Debian packages it, under PHP's built-in server with a few workers. It writes only into its own folder.

It knows us by our metadata document, checks the signatures of requests if that says they are signed, and encrypts with
AES128-CBC under RSA-OAEP, which is all that version 1.19 can.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gateway.protocol.saml import ServiceProvider
from tests.flow.world import Answer, Browser
from tests.interop.saml.foreign import ATTRIBUTES, EMAIL, PATIENCE, Encrypts, Manner, Signs, running, send_form
from tests.peers.saml_forge import Party, party

WWW = Path("/usr/share/simplesamlphp/www")
ROUTER = Path(__file__).with_name("router.php")
# The shell ends the server and its workers, which are the whole process group, when standard input ends.
COMMAND = 'php -q -d error_log="$SSP_LOG" -S 127.0.0.1:0 -t "$SSP_WWW" "$SSP_ROUTER" 2>&1 & read -r _; kill 0'
PASSWORD = "alice-password"


@dataclass
class SimpleSamlPhp:
    """A running one."""

    base: str
    folder: Path
    sp: ServiceProvider
    manner: Manner
    key: Party
    next_key: Party

    @property
    def entity_id(self) -> str:
        return f"{self.base}/idp"

    @property
    def metadata_url(self) -> str:
        return f"{self.base}/saml2/idp/metadata.php"

    async def know(self, us: str) -> None:
        self.write("config", configuration(self.base, self.folder, us))

    async def sign_in(self, browser: Browser, asked: Answer) -> Answer:
        """Through the page that asks for name and password, unless the browser is signed in already."""
        page = await browser.follow(asked)
        return await send_form(browser, page, username="alice", password=PASSWORD) if 'name="password"' in page.text else page

    async def ask_unasked(self, browser: Browser) -> Answer:
        query = urlencode({"spentityid": self.sp.entity_id, "RelayState": "https://elsewhere.example/"})
        return await self.sign_in(browser, await browser.get(f"{self.base}/saml2/idp/SSOService.php?{query}"))

    async def sign_out(self, browser: Browser) -> Answer:
        """Sign out at the provider itself; where its first redirect or form leads."""
        return await browser.get(f"{self.base}/saml2/idp/SingleLogoutService.php?{urlencode({'ReturnTo': self.left_url})}")

    @property
    def left_url(self) -> str:
        """Where a browser is when its session has ended everywhere. The page is not there, and need not be."""
        return f"{self.base}/left"

    async def publish_next_key(self) -> None:
        self.describe({"new_privatekey": "next.key", "new_certificate": "next.crt"})

    async def sign_with_next_key(self) -> None:
        self.describe({"privatekey": "next.key", "certificate": "next.crt"})

    def describe(self, changes: dict[str, str]) -> None:
        """Write the provider's own entry. The server reads it for every request."""
        self.write("saml20-idp-hosted", {self.entity_id: hosted(self.manner) | changes})

    def write(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(content))

    def configure(self) -> None:
        for part, variable in {"config": "config", "authsources": "config", "saml20-idp-hosted": "metadata"}.items():
            (self.folder / f"{part}.php").write_text(
                f"<?php ${variable} = json_decode(file_get_contents('{self.folder}/{part}.json'), true);"
            )
        for name, party_ in {"idp": self.key, "next": self.next_key}.items():
            (self.folder / f"{name}.key").write_bytes(party_.key_pem)
            (self.folder / f"{name}.crt").write_bytes(party_.certificate_pem)
        self.write("config", configuration(self.base, self.folder, None))
        self.write("authsources", {"people": {0: "exampleauth:UserPass", f"alice:{PASSWORD}": ATTRIBUTES}})
        self.describe({})


def configuration(base: str, folder: Path, us: str | None) -> dict[str, Any]:
    return {
        "baseurlpath": f"{base}/",
        **dict.fromkeys(("certdir", "loggingdir", "datadir", "tempdir", "metadatadir"), f"{folder}/"),
        "attributenamemapdir": str(WWW.parent / "config" / "attributemap"),
        "technicalcontact_email": "na@example.org",
        "timezone": "UTC",
        "secretsalt": "for tests only, and long enough for them",
        "auth.adminpassword": "for tests only",
        "admin.checkforupdates": False,
        "trusted.url.domains": [],
        "showerrors": True,
        "errorreporting": False,
        "debug": {"backtraces": True},
        "logging.handler": "file",
        "logging.logfile": "simplesamlphp.log",
        "logging.level": 3,
        "enable.saml20-idp": True,
        "module.enable": {"exampleauth": True, "core": True, "saml": True},
        "session.cookie.secure": False,
        "session.cookie.samesite": None,
        "session.phpsession.savepath": str(folder),
        "session.phpsession.cookiename": "SSPSID",
        "store.type": "phpsession",
        "language.available": ["en"],
        "language.default": "en",
        "metadata.sources": [{"type": "flatfile"}, *([{"type": "xml", "xml": us}] if us else [])],
        "theme.use": "default",
        "usenewui": False,
    }


def hosted(manner: Manner) -> dict[str, Any]:
    binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-"
    return {
        "host": "__DEFAULT__",
        "privatekey": "idp.key",
        "certificate": "idp.crt",
        "auth": "people",
        "SingleSignOnServiceBinding": [binding + "POST"] if manner.post_only else [binding + "Redirect", binding + "POST"],
        "SingleLogoutServiceBinding": [binding + "POST"] if manner.logs_out_by_post else [binding + "Redirect", binding + "POST"],
        "sign.logout": True,
        "validate.logout": True,
        "saml20.sign.response": manner.signs is not Signs.ASSERTION,
        "saml20.sign.assertion": manner.signs is not Signs.RESPONSE,
        "assertion.encryption": manner.encrypts is not None,
        "metadata.sign.enable": manner.signs_metadata,
        "metadata.sign.privatekey": "idp.key",
        "metadata.sign.certificate": "idp.crt",
        "NameIDFormat": EMAIL,
        "authproc": {10: {"class": "saml:AttributeNameID", "attribute": "mail", "Format": EMAIL}},
    }


@asynccontextmanager
async def simplesamlphp(folder: Path, sp: ServiceProvider, manner: Manner) -> AsyncIterator[SimpleSamlPhp]:
    """Start it in an empty folder."""
    assert manner.encrypts in {None, Encrypts.CBC}
    environment = os.environ | {
        "PHP_CLI_SERVER_WORKERS": "3",
        "SIMPLESAMLPHP_CONFIG_DIR": str(folder),
        "SSP_WWW": str(WWW),
        "SSP_ROUTER": str(ROUTER),
        "SSP_LOG": str(folder / "php.log"),
    }
    async with running(["sh", "-c", COMMAND], env=environment, start_new_session=True) as output:
        line = await asyncio.wait_for(output.readline(), PATIENCE)
        found = re.search(rb"http://127\.0\.0\.1:\d+", line)
        assert found, line
        base = found.group().decode()
        provider = SimpleSamlPhp(base=base, folder=folder, sp=sp, manner=manner, key=party("ssp"), next_key=party("ssp-next"))
        provider.configure()
        yield provider
