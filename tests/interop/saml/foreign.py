"""What the identity providers that nobody here wrote have in common: what they are told, and how a scripted person signs in.

Each is started by a context manager of its own, on loopback, on a port of its own choice, and is over when that ends. It
knows us by our own metadata document or by what an administrator would copy from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import urljoin

from gateway.demo.browser import PageReader
from gateway.protocol.saml import ServiceProvider, metadata_document
from tests.flow.world import Answer, Browser

PATIENCE = 30
NAME_ID = "alice@example.com"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
ATTRIBUTES = {"mail": [NAME_ID], "displayName": ["Alice Exämple"], "groups": ["qlik-users", "R&D <core>"]}


class Signs(StrEnum):
    """Which of its elements a provider signs."""

    ASSERTION = "assertion"
    RESPONSE = "response"
    BOTH = "both"


class Encrypts(StrEnum):
    """How a provider encrypts assertions."""

    GCM = "aes-256-gcm"
    CBC = "aes-cbc"
    TRIPLE_DES = "3des-cbc"


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a provider answers.

    `post_only`: it takes requests by POST alone; `signs_metadata`: with the key that signs its answers; `logs_out_by_post`: it takes
    logout messages by POST alone.
    """

    signs: Signs = Signs.ASSERTION
    encrypts: Encrypts | None = None
    post_only: bool = False
    signs_metadata: bool = False
    logs_out_by_post: bool = False


class ForeignProvider(Protocol):
    """A running one."""

    entity_id: str
    metadata_url: str

    async def know(self, us: str) -> None:
        """Read our metadata document. Without it nobody is let in who has not been entered by hand."""
        ...

    async def sign_in(self, browser: Browser, asked: Answer) -> Answer:
        """Sign in as alice on the page that the provider answered our request with. What comes back posts itself to us."""
        ...

    async def ask_unasked(self, browser: Browser) -> Answer:
        """Sign in as alice at the provider, without a request of ours."""
        ...

    async def publish_next_key(self) -> None:
        """Publish the next key beside the present one, where the product can; sign with the present one."""
        ...

    async def sign_with_next_key(self) -> None:
        """Sign with the next key from now on; it alone is published."""
        ...


def document_of(sp: ServiceProvider) -> str:
    """Our metadata, as the product reads it."""
    return metadata_document(sp, signed=False)


async def send_form(browser: Browser, page: Answer, **fields: str) -> Answer:
    """Send a page's form with its hidden fields, and these, and follow where it leads."""
    form = PageReader(page.text).form
    assert page.status == 200, page
    assert form is not None, page.text
    return await browser.follow(await browser.post(urljoin(page.url, form.action), form.fields | fields))


@asynccontextmanager
async def running(command: Sequence[str], **options: object) -> AsyncIterator[asyncio.StreamReader]:
    """A process that ends when its standard input does. What it says on standard output comes line by line."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        **options,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE)
