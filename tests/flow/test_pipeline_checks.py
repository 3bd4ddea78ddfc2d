"""What the pipeline looks at besides the provider's proof, each check by a login in which that one thing is wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml

from gateway import config, mapping
from gateway.app import Gateway
from gateway.errors import ConfigError
from gateway.model import Purpose, VerifiedIdentity
from gateway.protocol import oidc
from gateway.sealing import Sealer, open_login, seal_login
from gateway.stores.counting import MemoryCounter
from gateway.stores.memory import MemoryReplayStore
from gateway.stores.memory_index import MemorySessionIndex
from gateway.stores.opening import Stores
from tests.flow.conftest import Worlds
from tests.flow.world import World, start_gateway


async def test_an_id_token_ends_one_login_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two logins of one browser, two transactions, and a provider that gives the same proof for both."""
    genuine = oidc.verify_id_token

    def same_proof(*arguments: Any, **more: Any) -> VerifiedIdentity:
        return replace(genuine(*arguments, **more), proof_id="the same")

    monkeypatch.setattr(oidc, "verify_id_token", same_proof)
    assert (await world.sign_in(world.browser())).status == 200
    answer = await world.sign_in(world.browser())
    assert (answer.status, answer.code) == (400, "QGW-222")
    assert world.site.count("tickets_issued") == 1


async def test_a_transaction_of_another_purpose_is_no_login(world: World) -> None:
    """It ends as the test that it was sealed for: with a trace, and without a ticket."""
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    ((name, sealed),) = [cookie for cookie in browser.cookies["127.0.0.1"].items() if cookie[0].startswith("qgw-login-")]
    sealer = Sealer([b"c" * 32], purpose="login in flight")
    login = open_login(sealer, sealed, context=name)
    test = replace(login, purpose=Purpose.TEST)  # type: ignore[type-var]
    browser.cookies["127.0.0.1"][name] = seal_login(sealer, test, context=name, nonce=b"n" * 12)
    answer = await browser.get(callback)
    assert answer.status == 200
    assert world.site.count("rest_requests") == 0


async def restarted_with(world: World, change: Any) -> None:
    await world.gateway.stop()
    file = world.folder / "gateway.yaml"
    settings = yaml.safe_load(file.read_text())
    change(settings)
    file.write_text(yaml.safe_dump(settings))
    world.gateway, _ = await start_gateway(world.folder, world.clock)


async def test_a_provider_that_the_virtual_proxy_no_longer_offers_ends_no_login(worlds: Worlds) -> None:
    world = await worlds(idps=("entra", "partners"))
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    page = await browser.follow(await browser.get(f"{start}&idp=entra"))
    callback = (await browser.submit(page, user="alice")).location
    await restarted_with(world, lambda settings: settings["virtual_proxies"]["sales"].update(identity_providers=["partners"]))
    answer = await browser.get(callback)
    assert (answer.status, answer.code) == (400, "QGW-113")
    assert world.site.count("tickets_issued") == 0


async def test_two_files_of_one_registration_stay_two_providers(world: World) -> None:
    """The same issuer and client id, but another mapping: the digest of the registration tells them not apart."""
    (world.folder / "again.yaml").write_text((world.folder / "entra.yaml").read_text().replace("CONTOSO", "ADMINS"))
    await restarted_with(world, lambda settings: settings["virtual_proxies"]["sales"].update(identity_providers=["entra", "again"]))
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    callback = (await browser.submit(await browser.follow(await browser.get(f"{start}&idp=entra")), user="alice")).location
    answer = await browser.get(callback.replace("/idp/entra/", "/idp/again/"))
    assert (answer.status, answer.code) == (400, "QGW-113")
    assert (await browser.follow(await browser.get(callback))).status == 200
    assert [session.user.directory for session in world.sessions()] == ["CONTOSO"]


async def test_a_node_that_is_no_longer_listed_ends_no_login(world: World) -> None:
    browser = world.browser()
    callback = (await world.to_callback(browser, node="qlik2.corp.example")).location
    await restarted_with(world, lambda settings: settings["qlik_sites"]["prod"]["nodes"].pop())
    answer = await browser.get(callback)
    assert (answer.status, answer.code) == (400, "QGW-113")
    assert world.site.count("tickets_issued") == 0


async def test_a_full_store_refuses_with_503_and_the_login_goes_on_once_there_is_room(world: World) -> None:
    loaded = config.load(world.folder, environ={})
    assert loaded.configuration
    store = MemoryReplayStore(world.clock, capacity=2)
    await world.gateway.stop()
    world.gateway = Gateway(
        loaded.configuration,
        clock=world.clock,
        stores=Stores(replay=store, counter=MemoryCounter(world.clock), index_under=lambda _: MemorySessionIndex(world.clock)),
    )
    await world.gateway.start()
    for key in "ab":
        await store.claim(key, world.clock.now() + timedelta(minutes=1))
    browser = world.browser()
    callback = (await world.to_callback(browser)).location
    answer = await browser.get(callback)
    assert (answer.status, answer.code) == (503, "QGW-602")
    assert world.site.count("tickets_issued") == 0
    world.clock.advance(30)
    store._capacity = 10
    assert (await browser.follow(await browser.get(callback))).status == 200


async def test_nothing_starts_on_an_expression_runtime_that_fails_its_self_test(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ConfigError("errors look like values")

    loaded = config.load(world.folder, environ={})
    assert loaded.configuration
    monkeypatch.setattr(mapping, "self_test", fails)
    with pytest.raises(ConfigError):
        Gateway(loaded.configuration)


async def test_starting_needs_no_network(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.gateway.stop()

    def connect(*_: object, **__: object) -> None:
        raise AssertionError("somebody wants to connect")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(asyncio.get_running_loop(), "create_connection", connect)
        world.gateway, _ = await start_gateway(world.folder, world.clock)
    assert (await world.sign_in(world.browser())).status == 200


async def test_a_state_is_unguessable_and_never_the_same(world: World) -> None:
    browser = world.browser()
    seen = set()
    for _ in range(50):
        url = (await browser.get((await world.ask_hub(browser)).location)).location
        seen.add(url.partition("state=")[2].partition("&")[0])
    assert len(seen) == 50
    assert all(len(base64.urlsafe_b64decode(state + "==")) == 16 for state in seen)
    assert json.dumps(sorted(seen)).isascii()
