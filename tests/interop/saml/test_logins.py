"""Whole logins, from the hub's link to the hub's page, at SAML providers that nobody here wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.system import SystemClock
from tests.flow.conftest import Worlds, certificates, worlds
from tests.flow.world import Answer, Browser, World, sharing
from tests.interop.saml.conversation import PARTS, US, start
from tests.interop.saml.foreign import Encrypts, ForeignProvider, Manner, Signs, send_form
from tests.peers.saml_forge import Party, party
from tests.ports import unused_port

__all__ = ["certificates", "worlds"]
ALL = ("simplesamlphp", "saml-idp", "pysaml2")
KEY = {"key": "../certs/saml.key", "certificate": "../certs/saml.pem"}


def each(*names: str) -> pytest.MarkDecorator:
    """Once with each of these providers."""
    return pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.needs(PARTS[name])) for name in names])


@dataclass
class Corp:
    """A world whose users are signed in by the provider `corp`."""

    world: World
    provider: ForeignProvider

    async def answer(self, browser: Browser) -> Answer:
        """As far as the page that posts itself to us."""
        asked = await browser.follow(await self.world.ask_hub(browser))
        if 'name="SAMLRequest"' in asked.text:
            asked = await browser.submit(asked)
        return await self.provider.sign_in(browser, asked)

    async def sign_in(self, browser: Browser) -> Answer:
        """The whole way; the last answer is the hub's page, or an error page."""
        return await send_form(browser, await self.answer(browser))

    def assert_alice(self, logins: int = 1) -> None:
        sessions = self.world.sessions()
        assert len(sessions) == logins
        for session in sessions:
            assert (session.user.directory, session.user.user_id) == ("PARTNERS", "alice@example.com")
            attributes = [("email", "alice@example.com"), ("group", "qlik-users"), ("group", "R&D <core>"), ("name", "Alice Exämple")]
            assert sorted(session.user.attributes, key=str) == sorted(attributes, key=str)


Start = Callable[..., Awaitable[Corp]]


def corp_yaml(provider: ForeignProvider, **keys: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "protocol": "saml",
        "display_name": "Corp",
        "entity_id": provider.entity_id,
        "metadata": {"url": provider.metadata_url},
        "mapping": {
            "user_directory": {"value": "PARTNERS"},
            "user_id": {"name_id": True},
            "attributes": {"email": {"claim": "mail"}, "group": {"claim": "groups"}, "name": {"claim": "displayName"}},
        },
        "allow": "'qlik-users' in claims.groups",
        **keys,
    }


@pytest.fixture
async def corp(worlds: Worlds, tmp_path: Path) -> AsyncIterator[Start]:
    """A world with that provider in that `Manner`. `keys` go into the provider's file."""
    async with AsyncExitStack() as stack:

        async def make(
            name: str, manner: Manner | None = None, *, metadata_signer: Party | None = None, store: str | None = None, **keys: Any
        ) -> Corp:
            port = unused_port()
            base = f"http://127.0.0.1:{port}/idp/corp"
            us = replace(
                US, entity_id=f"{base}/metadata", acs_url=f"{base}/acs", sign_requests=keys.get("sp", {}).get("sign_requests", False)
            )
            folder = tmp_path / f"{name}-{port}"
            folder.mkdir()
            provider = await stack.enter_async_context(start(name, folder, us, manner or Manner()))
            files = {"saml.key": party("sp").key_pem, "saml.pem": party("sp").certificate_pem}
            settings = corp_yaml(provider, **keys)
            if metadata_signer:
                files["metadata.pem"] = metadata_signer.certificate_pem
                settings["metadata"]["signing_certificate"] = "../certs/metadata.pem"
            options = {"edit_gateway": sharing(store), "foreign": {"corp": settings}, "secrets": files}
            world = await worlds(idps=(), port=port, clock=SystemClock(), **options)
            metadata = await world.browser().get(us.entity_id)
            assert metadata.status == 200
            await provider.know(metadata.text)
            return Corp(world, provider)

        yield make


@each(*ALL)
@pytest.mark.parametrize("signs", Signs)
async def test_a_login_with_each_signature(corp: Start, name: str, signs: Signs) -> None:
    here = await corp(name, Manner(signs=signs))
    assert (await here.sign_in(here.world.browser())).status == 200
    here.assert_alice()


@pytest.mark.parametrize(
    ("name", "encrypts"),
    [
        pytest.param("simplesamlphp", Encrypts.CBC, marks=pytest.mark.needs("simplesamlphp")),
        pytest.param("saml-idp", Encrypts.GCM, marks=pytest.mark.needs("node")),
        pytest.param("pysaml2", Encrypts.GCM, marks=pytest.mark.needs("xmlsec1")),
    ],
)
async def test_a_login_with_an_encrypted_assertion(corp: Start, name: str, encrypts: Encrypts) -> None:
    weakened = {"allow_cbc_encryption": True} if encrypts is Encrypts.CBC else {}
    here = await corp(name, Manner(signs=Signs.BOTH, encrypts=encrypts), sp={**KEY, "encryption": True}, **weakened)
    assert (await here.sign_in(here.world.browser())).status == 200
    here.assert_alice()


@each("simplesamlphp")
async def test_aes_cbc_without_the_opt_in_is_refused(corp: Start, name: str) -> None:
    here = await corp(name, Manner(signs=Signs.BOTH, encrypts=Encrypts.CBC), sp={**KEY, "encryption": True})
    page = await here.sign_in(here.world.browser())
    assert (page.status, page.code) == (400, "QGW-239")
    assert not here.world.sessions()


@each(*ALL)
async def test_keys_roll_over_in_the_middle_of_a_login(corp: Start, name: str) -> None:
    here = await corp(name)
    assert (await here.sign_in(here.world.browser())).status == 200
    browser = here.world.browser()
    asked = await browser.follow(await here.world.ask_hub(browser))
    await here.provider.publish_next_key()
    await here.provider.sign_with_next_key()
    assert (await send_form(browser, await here.provider.sign_in(browser, asked))).status == 200
    here.assert_alice(logins=2)


@each("simplesamlphp", "pysaml2")
@pytest.mark.parametrize("post_only", [False, True], ids=["redirect", "post"])
async def test_requests_are_signed_with_the_key_in_our_metadata(corp: Start, name: str, post_only: bool) -> None:  # noqa: FBT001
    here = await corp(name, Manner(post_only=post_only), sp={**KEY, "sign_requests": True})
    assert (await here.sign_in(here.world.browser())).status == 200
    here.assert_alice()


@each("simplesamlphp", "pysaml2")
async def test_signed_metadata_is_believed_with_the_configured_certificate_alone(corp: Start, name: str) -> None:
    signer = party({"simplesamlphp": "ssp"}.get(name, name))
    here = await corp(name, Manner(signs_metadata=True), metadata_signer=signer)
    assert (await here.sign_in(here.world.browser())).status == 200
    there = await corp(name, Manner(signs_metadata=True), metadata_signer=party("stranger"))
    browser = there.world.browser()
    page = await browser.follow(await there.world.ask_hub(browser))
    assert (page.status, page.code) == (502, "QGW-262")


@each(*ALL)
async def test_a_response_that_nobody_asked_for_ends_on_a_page(corp: Start, name: str) -> None:
    here = await corp(name)
    browser = here.world.browser()
    page = await send_form(browser, await here.provider.ask_unasked(browser))
    assert (page.status, page.code) == (400, "QGW-243")
    assert not here.world.sessions()


@each("simplesamlphp")
async def test_a_response_that_nobody_asked_for_may_start_a_login_that_single_sign_on_makes_silent(corp: Start, name: str) -> None:
    here = await corp(name, idp_initiated="sales")
    browser = here.world.browser()
    silent = await send_form(browser, await here.provider.ask_unasked(browser))
    assert 'name="password"' not in silent.text
    assert not here.world.sessions()
    assert (await send_form(browser, silent)).status == 200
    here.assert_alice()


@each("saml-idp")
async def test_a_response_is_good_for_one_use(corp: Start, name: str) -> None:
    here = await corp(name)
    browser = here.world.browser()
    page = await here.answer(browser)
    assert (await send_form(browser, page)).status == 200
    assert (await send_form(browser, page)).code == "QGW-110"
    here.assert_alice()


@each("pysaml2")
async def test_a_refusal_of_the_provider_ends_on_a_page_that_offers_to_start_again(corp: Start, name: str) -> None:
    here = await corp(name)
    browser = here.world.browser()
    asked = await browser.follow(await here.world.ask_hub(browser))
    page = await send_form(browser, await send_form(browser, asked, user="nobody"))
    assert (page.status, page.code) == (403, "QGW-204")
    assert "/vp/sales/login" in page.text
    assert not here.world.sessions()
