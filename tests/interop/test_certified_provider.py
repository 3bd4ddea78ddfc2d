"""Logins at a provider that nobody here wrote: the certified `oidc-provider` from npm."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.system import SystemClock
from tests.flow.conftest import Worlds, certificates, worlds
from tests.flow.world import Browser, World, sharing
from tests.interop.node_provider import node_provider
from tests.ports import unused_port

__all__ = ["certificates", "worlds"]
pytestmark = pytest.mark.needs("node")
SECRET = "0123456789-0123456789-0123456789-0123456789"
WEIRD = "p%ss+w:rd/ &=" + "x" * 30
Start = Callable[..., Awaitable[World]]


@pytest.fixture
async def start(worlds: Worlds) -> AsyncIterator[Start]:
    """A world whose provider `certified` is registered with the given client metadata and configured with the given keys."""
    async with AsyncExitStack() as stack:

        async def make(client: dict[str, Any], *, secrets: dict[str, bytes] | None = None, store: str | None = None, **keys: Any) -> World:
            port = unused_port()
            registered = {"client_id": "qlikgw", "redirect_uris": [f"http://127.0.0.1:{port}/idp/certified/callback"], **client}
            ours = f"http://127.0.0.1:{port}/idp/certified"
            registered |= {
                "post_logout_redirect_uris": [f"{ours}/slo"],
                "backchannel_logout_uri": f"{ours}/backchannel-logout",
                "backchannel_logout_session_required": True,
            }
            if registered.get("token_endpoint_auth_method") == "private_key_jwt":
                registered["jwks_uri"] = f"http://127.0.0.1:{port}/idp/certified/jwks.json"
            issuer = await stack.enter_async_context(node_provider([registered]))

            def edit(provider: dict[str, Any]) -> None:
                provider.update(issuer=issuer, client_id=registered["client_id"], allow="'sales' in claims.groups", **keys)

            files = {"idp.secret": str(registered.get("client_secret", "unused")).encode()} | (secrets or {})
            settings: dict[str, Any] = {"edit_provider": edit, "edit_gateway": sharing(store), "secrets": files}
            return await worlds(idps=("certified",), port=port, clock=SystemClock(), **settings)

        yield make


async def sign_in(world: World, browser: Browser, user: str | None = None) -> Any:
    """The provider signs the hint's user in at once: no page to fill in."""
    request = (await browser.get((await world.ask_hub(browser)).location)).location
    return await browser.follow(await browser.get(request + (f"&login_hint={user}" if user else "")))


def assert_alice(world: World) -> None:
    (session,) = world.sessions()
    assert (session.user.directory, session.user.user_id) == ("CONTOSO", "alice")
    assert ("group", "finance") in session.user.attributes


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_login_with_each_signature_algorithm(start: Start, algorithm: str) -> None:
    world = await start({"client_secret": SECRET, "id_token_signed_response_alg": algorithm}, id_token_algorithms=[algorithm])
    assert (await sign_in(world, world.browser())).status == 200
    assert_alice(world)


async def test_a_token_of_another_algorithm_than_the_registered_one_is_refused(start: Start) -> None:
    world = await start({"client_secret": SECRET, "id_token_signed_response_alg": "PS256"}, id_token_algorithms=["RS256"])
    page = await sign_in(world, world.browser())
    assert (page.status, page.code) == (502, "QGW-212")


async def test_a_client_secret_with_reserved_characters_is_form_encoded(start: Start) -> None:
    """RFC 6749 §2.3.1: the provider refuses it otherwise."""
    world = await start({"client_id": "rp:weird id", "client_secret": WEIRD})
    assert (await sign_in(world, world.browser())).status == 200


async def test_client_secret_post(start: Start) -> None:
    auth = {"method": "client_secret_post", "secret": {"file": "../certs/idp.secret"}}
    world = await start({"client_secret": SECRET, "token_endpoint_auth_method": "client_secret_post"}, client_auth=auth)
    assert (await sign_in(world, world.browser())).status == 200


async def test_a_public_client(start: Start) -> None:
    world = await start({"token_endpoint_auth_method": "none"}, client_auth={"method": "none"})
    assert (await sign_in(world, world.browser())).status == 200


async def test_private_key_jwt_with_the_keys_that_the_gateway_publishes(start: Start) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    world = await start(
        {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256"},
        secrets={"idp.key": key},
        client_auth={"method": "private_key_jwt", "key": "../certs/idp.key"},
    )
    assert (await sign_in(world, world.browser())).status == 200
    assert (await sign_in(world, world.browser())).status == 200
    assert len(world.sessions()) == 2


async def test_userinfo_adds_what_the_id_token_lacks(start: Start) -> None:
    world = await start({"client_secret": SECRET, "userinfo_signed_response_alg": "RS256"}, userinfo=True)
    assert (await sign_in(world, world.browser())).status == 200
    assert_alice(world)


async def test_an_answer_by_form_post(start: Start) -> None:
    world = await start({"client_secret": SECRET}, response_mode="form_post")
    browser = world.browser()
    form = await sign_in(world, browser)
    assert (await browser.follow(await browser.submit(form))).status == 200
    assert_alice(world)


@pytest.mark.parametrize("drop", ["", "?drop=1"], ids=["old keys stay published", "old keys vanish"])
async def test_keys_rotate_in_the_middle_of_a_login(start: Start, drop: str) -> None:
    world = await start({"client_secret": SECRET})
    assert (await sign_in(world, world.browser())).status == 200
    browser = world.browser()
    request = (await browser.get((await world.ask_hub(browser)).location)).location
    callback = await browser.follow(await browser.get(request), until=world.url)
    issuer = request.partition("/auth?")[0]
    assert (await browser.post(f"{issuer}/__rotate{drop}", {})).status == 200
    assert (await browser.follow(callback)).status == 200
    assert len(world.sessions()) == 2


async def test_denied_consent_ends_on_a_page_that_offers_to_start_again(start: Start) -> None:
    world = await start({"client_secret": SECRET})
    page = await sign_in(world, world.browser(), user="deny")
    assert (page.status, page.code) == (403, "QGW-204")
    assert "/vp/sales/login" in page.text
    assert not world.sessions()


# ---- logout ------------------------------------------------------------------------------------------------------------------

NODES = ("qlik1.corp.example", "qlik2.corp.example")


async def signed_in_on_both_nodes(world: World) -> Browser:
    """One session at the provider, one at each node; every one of them alive."""
    browser = world.browser()
    for node in NODES:
        request = (await browser.get((await world.ask_hub(browser, node=node)).location)).location
        assert (await browser.follow(await browser.get(request))).status == 200
        assert (await world.ask_hub(browser, node=node)).status == 200
    return browser


async def issuer_of(world: World) -> str:
    asked = await world.browser().get((await world.ask_hub(world.browser())).location)
    return asked.location.partition("/auth?")[0]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_logout_at_the_provider_reaches_every_hub_within_seconds(start: Start, algorithm: str) -> None:
    """Back-Channel Logout 1.0: the provider signs its logout tokens as it signs ID tokens."""
    world = await start({"client_secret": SECRET, "id_token_signed_response_alg": algorithm}, id_token_algorithms=[algorithm])
    browser = await signed_in_on_both_nodes(world)
    issuer = await issuer_of(world)
    began = time.monotonic()
    question = await browser.get(f"{issuer}/session/end")
    assert (await browser.submit(question, logout="yes")).status in {200, 302, 303}
    for node in NODES:
        assert (await world.ask_hub(browser, node=node)).status == 302, "the hub asks for a login"
        assert not world.sessions(node=node)
    assert time.monotonic() - began < 5


async def test_a_logout_in_qlik_sense_ends_the_providers_session_too(start: Start) -> None:
    """RP-Initiated Logout 1.0: with `id_token_hint` the provider knows whose, and comes back with `state`."""
    world = await start({"client_secret": SECRET})
    browser = await signed_in_on_both_nodes(world)
    onward = await browser.get(f"{world.url}/vp/sales/logout", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="navigate")
    assert all(not world.sessions(node=node) for node in NODES)
    question = await browser.get(onward.location)
    assert question.status == 200, question.text
    last = await browser.follow(await browser.submit(question, logout="yes"))
    assert last.url.startswith(f"{world.url}/idp/certified/slo?state=")
    assert "You are signed out of Qlik Sense" in last.text


async def test_the_provider_that_was_logged_out_of_asks_who_it_is(start: Start) -> None:
    """Without `login_hint` this provider signs alice in; another user shows that no session of hers is left."""
    world = await start({"client_secret": SECRET})
    browser = await signed_in_on_both_nodes(world)
    onward = await browser.get(f"{world.url}/vp/sales/logout", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="navigate")
    await browser.follow(await browser.submit(await browser.get(onward.location), logout="yes"))
    assert (await sign_in(world, browser, user="bob")).status == 200
    assert [session.user.user_id for session in world.sessions()] == ["bob"]
