"""The nastiest attacks on a SAML login, over HTTP: a good login with one thing changed. No node is asked for a ticket."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from gateway.demo.saml_messages import Author, Signer
from gateway.demo.saml_requests import UNSPECIFIED, AuthnRequest
from gateway.demo.users import DEMO_USERS
from tests.flow.conftest import Worlds, certificates, worlds
from tests.flow.world import Answer, Browser, World

__all__ = ["certificates", "worlds"]

NS = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion", "ds": "http://www.w3.org/2000/09/xmldsig#"}
ALICE, BOB = DEMO_USERS


@dataclass
class Login:
    """A login as far as the provider's answer, in the hands of somebody who may write another one."""

    world: World
    browser: Browser
    form: Answer

    @classmethod
    async def begun(cls, world: World, browser: Browser | None = None, user: str = "alice") -> Login:
        browser = browser or world.browser()
        return cls(world, browser, await world.to_callback(browser, user=user))

    @property
    def fields(self) -> dict[str, str]:
        return dict(re.findall(r'name="(SAMLResponse|RelayState)" value="([^"]*)"', self.form.text))

    @property
    def document(self) -> str:
        return base64.b64decode(self.fields["SAMLResponse"]).decode()

    @property
    def request(self) -> AuthnRequest:
        """What the provider was asked, for a new answer to it."""
        (asked,) = set(re.findall(r'InResponseTo="([^"]+)"', self.document))
        at = f"{self.world.url}/idp/adfs"
        return AuthnRequest(
            id=asked,
            entity_id=f"{at}/metadata",
            acs_url=f"{at}/acs",
            relay_state=self.fields["RelayState"],
            name_id_format=UNSPECIFIED,
            passive=False,
            methods=(),
        )

    def answered(self, signer: Signer | None = None, after: timedelta = timedelta(), **request: str) -> str:
        """An answer that the provider signs itself (or another signer does), to a request with these changes."""
        provider = self.world.saml["adfs"]
        author = Author(issuer=provider.entity_id, signer=signer or provider._signers[0], now=self.world.clock.now() + after)
        return author.answer(replace(self.request, **request), ALICE, "_session")

    async def send(self, document: str, **fields: str) -> Answer:
        message = base64.b64encode(document.encode()).decode()
        return await self.browser.post(f"{self.world.url}/idp/adfs/acs", self.fields | {"SAMLResponse": message} | fields)


@pytest.fixture
async def world(worlds: Worlds) -> World:
    return await worlds(idps=(), saml=("adfs",))


def assert_refused(world: World, answer: Answer, code: str, status: int = 400) -> None:
    assert (answer.status, answer.code) == (status, code)
    assert world.site.count("rest_requests") == 0
    assert world.sessions() == []


def changed(mutation: Callable[[Any], Any]) -> Callable[[Login], str]:
    """The provider's own answer, changed after it was signed."""

    def forge(login: Login) -> str:
        root = etree.fromstring(login.document.encode())
        mutation(root)
        return etree.tostring(root, encoding="unicode")

    return forge


def without_signatures(root: Any) -> None:
    for signature in root.findall(".//ds:Signature", NS):
        signature.getparent().remove(signature)


def evil_twin(root: Any) -> Any:
    twin = copy.deepcopy(root.find("saml:Assertion", NS))
    twin.remove(twin.find("ds:Signature", NS))
    twin.set("ID", "_evil")
    twin.find(".//saml:NameID", NS).text = "mallory"
    return twin


def another_assertion_first(root: Any) -> None:
    root.find("saml:Assertion", NS).addprevious(evil_twin(root))


def original_inside_another(root: Any) -> None:
    original, evil = root.find("saml:Assertion", NS), evil_twin(root)
    root.remove(root.find("ds:Signature", NS))
    root.replace(original, evil)
    evil.append(original)


def another_name(root: Any) -> None:
    root.find(".//saml:NameID", NS).text = "mallory"


def name_with_a_comment(root: Any) -> None:
    name_id = root.find(".//saml:NameID", NS)
    name_id.text = "ali"
    name_id.append(etree.Comment("x"))
    name_id[0].tail = "ce"


def with_a_document_type(login: Login) -> str:
    return '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + login.document


def by_a_key_of_ones_own(login: Login) -> str:
    return login.answered(Signer.new(login.world.clock.now()))


@pytest.mark.parametrize(
    ("code", "forge"),
    [
        pytest.param("QGW-235", changed(without_signatures), id="unsigned"),
        pytest.param("QGW-237", changed(another_name), id="changed after it was signed"),
        pytest.param("QGW-234", changed(another_assertion_first), id="another assertion before the signed one"),
        pytest.param("QGW-234", changed(original_inside_another), id="the signed assertion wrapped in another"),
        pytest.param("QGW-233", changed(name_with_a_comment), id="a comment in the name"),
        pytest.param("QGW-233", with_a_document_type, id="a document type with an external entity"),
        pytest.param("QGW-237", by_a_key_of_ones_own, id="signed by a key of the attacker's"),
        pytest.param("QGW-242", lambda login: login.answered(entity_id="https://other.example/metadata"), id="for another audience"),
        pytest.param("QGW-240", lambda login: login.answered(acs_url="https://other.example/acs"), id="for another recipient"),
        pytest.param("QGW-244", lambda login: login.answered(id="_of_somebody_else"), id="to a request that was never ours"),
        pytest.param("QGW-247", lambda login: login.answered(after=timedelta(minutes=-20)), id="twenty minutes old"),
    ],
)
async def test_a_forged_response_is_refused_before_any_node_is_asked(world: World, code: str, forge: Callable[[Login], str]) -> None:
    login = await Login.begun(world)
    assert_refused(world, await login.send(forge(login)), code)
    assert (await login.browser.submit(login.form)).code == "QGW-110", "the login is used up"


async def test_what_the_provider_signs_for_us_is_good(world: World) -> None:
    """The forger's tools make a good message where nothing is changed."""
    login = await Login.begun(world)
    assert (await login.browser.follow(await login.send(login.answered()))).status == 200
    assert [session.user.user_id for session in world.sessions()] == ["alice"]


async def test_a_response_to_another_login_of_the_same_browser_is_refused(world: World) -> None:
    browser = world.browser()
    first, second = await Login.begun(world, browser), await Login.begun(world, browser)
    assert_refused(world, await second.send(first.document), "QGW-244")
    assert (await browser.follow(await browser.submit(first.form))).status == 200, "the other login is not touched"


async def test_relay_states_swapped_between_two_logins_are_refused(world: World) -> None:
    browser = world.browser()
    first, second = await Login.begun(world, browser), await Login.begun(world, browser)
    for login, other in ((first, second), (second, first)):
        assert_refused(world, await login.send(login.document, RelayState=other.fields["RelayState"]), "QGW-244")


async def test_a_response_of_the_attackers_own_login_does_not_fit_the_victims(world: World) -> None:
    """Login CSRF with a stolen RelayState is not enough: the request's id is sealed in the victim's cookie."""
    victim, attacker = await Login.begun(world), await Login.begun(world)
    assert_refused(world, await victim.send(attacker.document), "QGW-244")


@pytest.mark.parametrize("state", ["x" * 22, "x" * 129, "é", "../../etc/passwd", "https://evil.example/"])
async def test_a_relay_state_that_is_not_ours_is_refused(world: World, state: str) -> None:
    login = await Login.begun(world)
    assert_refused(world, await login.send(login.document, RelayState=state), "QGW-108")
    assert (await login.browser.follow(await login.browser.submit(login.form))).status == 200


async def test_an_empty_relay_state_is_refused(world: World) -> None:
    login = await Login.begun(world)
    assert_refused(world, await login.send(login.document, RelayState=""), "QGW-107")


async def test_a_field_that_comes_twice_is_refused(world: World) -> None:
    login = await Login.begun(world)
    body = "&".join(f"{name}=x" for name in ("RelayState", "SAMLResponse", "SAMLResponse"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await login.browser.send("POST", f"{world.url}/idp/adfs/acs", headers=form, body=body.encode())
    assert_refused(world, answer, "QGW-107")


async def test_a_response_at_the_address_of_another_provider_is_refused(worlds: Worlds) -> None:
    """Mix-up: both providers are honest, the response is brought to the wrong door."""
    world = await worlds(idps=(), saml=("adfs", "other"))
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    login = Login(world, browser, await browser.submit(await browser.follow(await browser.get(f"{start}&idp=adfs")), user="alice"))
    assert_refused(world, await browser.post(f"{world.url}/idp/other/acs", login.fields), "QGW-113")
    assert (await browser.follow(await browser.submit(login.form))).status == 200


async def test_one_assertion_in_two_responses_ends_one_login(world: World) -> None:
    """The same assertion under another envelope, for a second login of the same request id, is a replay."""
    login = await Login.begun(world)
    cookies = dict(login.browser.cookies["127.0.0.1"])
    assert (await login.browser.submit(login.form)).status == 303
    login.browser.cookies["127.0.0.1"] = cookies
    assert (await login.send(login.document)).code == "QGW-110"
    assert world.site.count("tickets_issued") == 1


@pytest.mark.parametrize("initiated", [False, True])
async def test_an_unsolicited_response_with_the_relay_state_of_a_login_in_flight_is_no_identity(worlds: Worlds, initiated: bool) -> None:  # noqa: FBT001
    """The provider signed it, the browser has a login in flight: still nobody asked for this one.

    It does not even begin a fresh login: a provider that never says what it answers would send the browser round for ever.
    """
    settings = {"idp_initiated": "sales"} if initiated else {}
    world = await worlds(idps=(), saml=("adfs",), edit_saml=lambda provider: provider.update(settings))
    login = await Login.begun(world)
    provider = world.saml["adfs"]
    author = Author(issuer=provider.entity_id, signer=unasked_signer(provider._signers[0]), now=world.clock.now())
    answer = await login.send(author.answer(login.request, ALICE, "_session"))
    assert_refused(world, answer, "QGW-243")
    assert world.site.count("rest_requests") == 0


def unasked_signer(signer: Signer) -> Signer:
    """Takes InResponseTo out of whatever it signs."""

    class Unasked(Signer):
        def signed(self, document: str, identifier: str) -> str:
            return super().signed(re.sub(r' InResponseTo="[^"]*"', "", document), identifier)

    return Unasked(key=signer.key, certificate=signer.certificate)


async def test_a_refused_user_gets_no_ticket_by_another_ones_assertion(world: World) -> None:
    """Bob's browser brings an assertion about alice that was made for her browser."""
    alice, bob = await Login.begun(world), await Login.begun(world, user=BOB.sub)
    assert_refused(world, await bob.send(alice.document), "QGW-244")


async def test_a_large_response_without_a_login_is_not_even_parsed(worlds: Worlds) -> None:
    """Anybody can send one, and no parser on the loop shall work on it; a small one that is no XML is parsed and named as such."""
    world = await worlds(idps=(), saml=("adfs",), edit_saml=lambda provider: provider.update(idp_initiated="sales"))
    large = await world.browser().post(f"{world.url}/idp/adfs/acs", {"SAMLResponse": "A" * 40_000, "RelayState": "x"})
    small = await world.browser().post(f"{world.url}/idp/adfs/acs", {"SAMLResponse": "A" * 400, "RelayState": "x"})
    assert_refused(world, large, "QGW-108")
    assert small.code is not None
    assert small.code.startswith("QGW-23")
