"""Whole logins by SAML over HTTP: browser, simulated site, a SAML provider and the gateway, all real servers on loopback."""

from __future__ import annotations

import base64
import io
import re
import sys
import zlib
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.lines import start_logging
from tests.flow.conftest import Worlds
from tests.flow.living import edit, follow
from tests.flow.world import Answer, Browser, World, start_gateway, write
from tests.peers.saml_forge import party

ROOT = Path(__file__).parents[2]
KEYS = {
    "saml_key.pem": party("sp").key_pem,
    "saml.pem": party("sp").certificate_pem,
    "saml_next.pem": party("sp-next").certificate_pem,
}
SP = {"key": "../certs/saml_key.pem", "certificate": "../certs/saml.pem", "next_certificate": "../certs/saml_next.pem"}


@pytest.fixture
async def world(worlds: Worlds) -> World:
    """One virtual proxy, one SAML provider, two nodes."""
    return await worlds(idps=(), saml=("adfs",))


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    start_logging(level="info", stream=stream)
    return stream


@dataclass
class Noticeboard:
    """A place for a metadata document, which may change or vanish."""

    server: TestServer
    document: str = ""
    fetched: int = 0

    @property
    def url(self) -> str:
        return str(self.server.make_url("/metadata.xml"))

    async def copy(self, world: World) -> None:
        """Put up what the provider itself publishes."""
        self.document = await metadata_of(world)


@pytest.fixture
async def noticeboard() -> AsyncIterator[Noticeboard]:
    application = web.Application()
    server = TestServer(application, host="127.0.0.1")
    board = Noticeboard(server)

    async def show(_request: web.Request) -> web.Response:
        board.fetched += 1
        return web.Response(text=board.document, status=200 if board.document else 503)

    application.router.add_get("/metadata.xml", show)
    await server.start_server()
    yield board
    await server.close()


async def metadata_of(world: World) -> str:
    async with world.session.get(world.saml["adfs"].entity_id) as answer:
        return await answer.text()


async def restart(world: World) -> None:
    await world.gateway.stop()
    world.gateway, _ = await start_gateway(world.folder, world.clock)


def request_of(url: str) -> str:
    """The AuthnRequest of a redirect."""
    return zlib.decompress(base64.b64decode(parse_qs(urlsplit(url).query)["SAMLRequest"][0]), -15).decode()


def fields_of(form: Answer) -> dict[str, str]:
    """What the provider's page posts to us."""
    return dict(re.findall(r'name="(SAMLResponse|RelayState)" value="([^"]*)"', form.text))


def with_sp(**settings: Any) -> Callable[[dict[str, Any]], None]:
    return lambda provider: provider.update(sp=SP | settings)


async def test_a_user_lands_in_the_hub_with_name_id_and_attributes(world: World) -> None:
    hub = await world.sign_in(world.browser())
    assert hub.status == 200
    (session,) = world.sessions("sales")
    assert (session.user.directory, session.user.user_id) == ("PARTNERS", "alice")
    assert list(session.user.attributes) == [
        ("email", "alice@example.com"),
        ("group", "qlik-users"),
        ("group", "sales"),
        ("group", "finance"),
        ("idp", "adfs"),
    ]


async def test_both_protocols_serve_one_virtual_proxy(worlds: Worlds) -> None:
    world = await worlds(saml=("adfs",))
    for idp in ("entra", "adfs"):
        browser = world.browser()
        start = (await world.ask_hub(browser)).location
        assert "Provider adfs" in (await browser.get(start)).text
        form = await browser.submit(await browser.follow(await browser.get(f"{start}&idp={idp}")), user="alice")
        if idp == "adfs":
            form = await browser.submit(form)
        assert (await browser.follow(form)).status == 200
    assert {session.user.directory for session in world.sessions("sales")} == {"CONTOSO", "PARTNERS"}


async def test_a_response_is_followed_by_a_303(world: World) -> None:
    browser = world.browser()
    back = await browser.submit(await world.to_callback(browser))
    assert back.status == 303
    assert back.headers["Cache-Control"] == "no-store"
    assert back.headers["Referrer-Policy"] == "no-referrer"


async def test_who_is_not_allowed_gets_a_page_with_the_code_and_no_ticket(world: World) -> None:
    page = await world.sign_in(world.browser(), user="bob")
    assert (page.status, page.code) == (403, "QGW-306")
    assert world.site.count("tickets_issued") == 0


async def test_a_cancelled_sign_in_ends_on_a_page_that_offers_to_start_again(world: World) -> None:
    page = await world.sign_in(world.browser(), user="nobody")
    assert (page.status, page.code) == (403, "QGW-204")
    assert "/vp/sales/login" in page.text


async def test_the_request_says_no_more_than_is_configured(world: World) -> None:
    url = (await world.browser().get((await world.ask_hub(world.browser())).location)).location
    request, query = request_of(url), parse_qs(urlsplit(url).query)
    assert f'AssertionConsumerServiceURL="{world.url}/idp/adfs/acs"' in request
    assert f"<saml:Issuer>{world.url}/idp/adfs/metadata</saml:Issuer>" in request
    assert set(query) == {"SAMLRequest", "RelayState"}
    assert len(query["RelayState"][0].encode()) <= 80
    for word in ("ForceAuthn", "RequestedAuthnContext", "NameIDPolicy"):
        assert word not in request


async def test_force_authn_is_asked_for_and_a_fresh_sign_in_is_enough(worlds: Worlds) -> None:
    world = await worlds(idps=(), saml=("adfs",), edit_saml=lambda provider: provider.update(authentication={"force_authn": True}))
    browser = world.browser()
    sign_in = await world.to_sign_in(browser)
    assert 'ForceAuthn="true"' in request_of(browser.seen[-1].url)
    assert (await browser.follow(await browser.submit(await browser.submit(sign_in, user="alice")))).status == 200


async def test_a_wanted_authentication_context_that_does_not_come_back_is_refused(worlds: Worlds) -> None:
    def edit(provider: dict[str, Any]) -> None:
        provider["authentication"] = {"authn_context": ["urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"]}

    world = await worlds(idps=(), saml=("adfs",), edit_saml=edit)
    browser = world.browser()
    page = await browser.submit(await world.to_sign_in(browser))
    assert (page.status, page.code) == (403, "QGW-204")


async def test_requests_are_signed_on_demand(worlds: Worlds) -> None:
    world = await worlds(idps=(), saml=("adfs",), secrets=KEYS, edit_saml=with_sp(sign_requests=True))
    browser = world.browser()
    url = (await browser.get((await world.ask_hub(browser)).location)).location
    signed, _, signature = urlsplit(url).query.partition("&Signature=")
    certificate = x509.load_pem_x509_certificate(KEYS["saml.pem"])
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(base64.b64decode(parse_qs(f"s={signature}")["s"][0]), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert [part.partition("=")[0] for part in signed.split("&")] == ["SAMLRequest", "RelayState", "SigAlg"]
    assert (await world.sign_in(world.browser())).status == 200


async def test_the_request_is_posted_where_the_provider_takes_nothing_else(worlds: Worlds, noticeboard: Noticeboard) -> None:
    world = await worlds(
        idps=(), saml=("adfs",), edit_saml=lambda provider: provider.update(metadata={"url": noticeboard.url}, sp={"sign_requests": False})
    )
    await noticeboard.copy(world)
    noticeboard.document = re.sub(r"<md:SingleSignOnService[^>]*HTTP-Redirect[^>]*/>", "", noticeboard.document)
    browser = world.browser()
    form = await world.to_sign_in(browser)
    assert form.status == 200
    assert f'action="{world.saml["adfs"].sso_url}"' in form.text
    assert "form-action" not in form.headers["Content-Security-Policy"], "Chromium applies it along the provider's redirects"
    assert "<script>" in form.text
    assert form.set_cookies
    answer = await browser.submit(await browser.submit(form), user="alice")
    assert (await browser.follow(await browser.submit(answer))).status == 200


@pytest.mark.parametrize("signed", [False, True])
async def test_our_metadata_is_the_same_at_its_address_and_on_the_command_line(worlds: Worlds, signed: bool) -> None:  # noqa: FBT001
    world = await worlds(idps=(), saml=("adfs",), secrets=KEYS, edit_saml=with_sp(sign_metadata=signed, encryption=True))
    answer = await world.browser().get(f"{world.url}/idp/adfs/metadata")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/samlmetadata+xml; charset=utf-8")
    assert f'entityID="{world.url}/idp/adfs/metadata"' in answer.text
    assert ("SignatureValue" in answer.text) == signed
    published = re.findall(r'use="(\w+)">.*?<ds:X509Certificate>([^<]+)<', answer.text)
    ours, coming = party("sp").trusted.base64, party("sp-next").trusted.base64
    assert published == [("signing", ours), ("signing", coming), ("encryption", ours)]
    command = (sys.executable, "-m", "gateway", "metadata", "--config", str(world.folder), "--idp", "adfs")
    process = await create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=ROOT)
    stdout, stderr = await process.communicate()
    assert process.returncode == 0, stderr
    assert stdout.decode() == answer.text + "\n"


async def test_an_openid_provider_has_neither_metadata_nor_an_assertion_consumer_service(worlds: Worlds) -> None:
    world = await worlds(saml=("adfs",))
    browser = world.browser()
    for answer in (
        await browser.get(f"{world.url}/idp/entra/metadata"),
        await browser.post(f"{world.url}/idp/entra/acs", {"SAMLResponse": "x", "RelayState": "y"}),
        await browser.send("POST", f"{world.url}/idp/entra/acs"),
        await browser.post(f"{world.url}/idp/nobody/acs", {"SAMLResponse": "x"}),
        await browser.get(f"{world.url}/idp/adfs/jwks.json"),
    ):
        assert (answer.status, answer.code) == (404, "QGW-102")
    assert (await browser.get(f"{world.url}/idp/adfs/acs")).status == 405


async def test_over_https_the_cookie_comes_along_with_a_post_from_another_site(worlds: Worlds) -> None:
    port = unused_port()
    public = f"https://127.0.0.1:{port}"
    world = await worlds(saml=("adfs",), port=port, edit_gateway=lambda gateway: gateway.update(public_url=public))
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    answer = await browser.get(f"{start}&idp=adfs")
    cookie, handle = sorted(answer.set_cookies, reverse=True)
    assert handle.startswith("__Host-qgw-browser=") and "SameSite=Lax; Secure" in handle  # noqa: PT018
    assert cookie.startswith("__Host-qgw-login-")
    assert cookie.endswith("; Path=/; Max-Age=87300; HttpOnly; SameSite=None; Secure")
    form = await browser.submit(await browser.follow(answer), user="alice")
    assert f'action="{public}/idp/adfs/acs"' in form.text
    back = await browser.post(f"{world.url}/idp/adfs/acs", fields_of(form))
    assert back.status == 303
    assert any(line.startswith("__Host-qgw-login-") and "SameSite=None; Secure" in line for line in back.set_cookies)
    assert all("SameSite=Lax" in line for line in (await browser.get(f"{start}&idp=entra")).set_cookies)


async def test_a_response_is_good_for_one_login(world: World) -> None:
    browser = world.browser()
    form = await world.to_callback(browser)
    before = dict(browser.cookies["127.0.0.1"])
    assert (await browser.submit(form)).status == 303
    used = await browser.submit(form)
    assert (used.status, used.code) == (400, "QGW-110")
    browser.cookies["127.0.0.1"] = before
    assert (await browser.submit(form)).code == "QGW-110"
    assert world.site.count("tickets_issued") == 1


async def test_a_response_in_another_browser_is_refused(world: World) -> None:
    """Login CSRF: the cookie of the browser that began the login is missing."""
    form = await world.to_callback(world.browser())
    answer = await world.browser().submit(form)
    assert (answer.status, answer.code) == (400, "QGW-108")
    assert world.site.count("tickets_issued") == 0


async def test_a_login_begun_before_a_restart_is_finished_after_it(world: World) -> None:
    browser = world.browser()
    form = await world.to_callback(browser)
    await restart(world)
    assert (await browser.follow(await browser.submit(form))).status == 200


async def test_a_response_at_the_callback_is_refused_and_leaves_the_login_in_flight(world: World) -> None:
    browser = world.browser()
    form = await world.to_callback(browser)
    fields = fields_of(form)
    callback = f"{world.url}/idp/adfs/callback"
    assert (await browser.post(callback, fields)).code == "QGW-107"
    assert (await browser.post(callback, {"RelayState": fields["RelayState"]})).code == "QGW-107"
    for answer in (
        await browser.post(callback, {"state": fields["RelayState"], "code": "x"}),
        await browser.get(f"{callback}?state={fields['RelayState']}&code=x"),
    ):
        assert (answer.status, answer.code) == (400, "QGW-113")
    assert world.site.count("tickets_issued") == 0
    assert (await browser.follow(await browser.submit(form))).status == 200


async def test_an_authorization_response_at_the_assertion_consumer_service_is_refused(worlds: Worlds) -> None:
    world = await worlds(saml=("adfs",))
    browser = world.browser()
    start = (await world.ask_hub(browser)).location
    page = await browser.submit(await browser.follow(await browser.get(f"{start}&idp=entra")), user="alice")
    state = parse_qs(urlsplit(page.location).query)["state"][0]
    answer = await browser.post(f"{world.url}/idp/adfs/acs", {"RelayState": state, "SAMLResponse": "x"})
    assert (answer.status, answer.code) == (400, "QGW-113")
    assert (await browser.follow(page)).status == 200


async def test_a_body_that_is_too_large_is_413(world: World) -> None:
    browser = world.browser()
    answer = await browser.post(f"{world.url}/idp/adfs/acs", {"RelayState": "x", "SAMLResponse": "A" * 700_000})
    assert answer.status == 413
    assert answer.code


async def test_an_unsolicited_response_ends_on_a_page(world: World) -> None:
    form = await world.to_callback(world.browser())
    message = unasked(fields_of(form)["SAMLResponse"])
    for fields in ({}, {"RelayState": world.site.hub("sales")}, {"RelayState": fields_of(form)["RelayState"]}):
        answer = await world.browser().post(f"{world.url}/idp/adfs/acs", {"SAMLResponse": message, **fields})
        assert (answer.status, answer.code) == (400, "QGW-243")
        assert not answer.set_cookies
    assert world.site.count("tickets_issued") == 0


async def test_an_unsolicited_response_only_begins_a_fresh_login_where_that_is_configured(worlds: Worlds) -> None:
    world = await worlds(
        prefixes=("sales", "finance"), idps=(), saml=("adfs",), edit_saml=lambda provider: provider.update(idp_initiated="finance")
    )
    message = unasked(fields_of(await world.to_callback(world.browser()))["SAMLResponse"])
    browser = world.browser()
    for relay_state in (None, "", "https://evil.example/", world.site.hub("sales")):
        fields = {"SAMLResponse": message} | ({} if relay_state is None else {"RelayState": relay_state})
        answer = await browser.post(f"{world.url}/idp/adfs/acs", fields)
        assert (answer.status, answer.location) == (303, world.site.hub("finance"))
        assert not answer.set_cookies
    assert world.site.count("tickets_issued") == 0
    form = await browser.submit(await browser.follow(answer), user="alice")
    assert (await browser.follow(await browser.submit(form))).status == 200
    assert [session.user.user_id for session in world.sessions("finance")] == ["alice"]
    assert world.sessions("sales") == []


async def test_what_answers_a_request_is_never_taken_for_unsolicited(worlds: Worlds) -> None:
    world = await worlds(idps=(), saml=("adfs",), edit_saml=lambda provider: provider.update(idp_initiated="sales"))
    form = await world.to_callback(world.browser())
    assert (await world.browser().submit(form)).code == "QGW-108"


def unasked(message: str) -> str:
    """The response without a trace of our request. Its signatures do not hold any more, which must not matter: nobody looks at them."""
    text = re.sub(r' InResponseTo="[^"]*"', "", base64.b64decode(message).decode())
    return base64.b64encode(text.encode()).decode()


async def test_the_provider_may_roll_its_key_in_the_middle_of_a_login(world: World, log: io.StringIO) -> None:
    assert (await world.sign_in(world.browser())).status == 200
    browser = world.browser()
    sign_in = await world.to_sign_in(browser)
    await world.saml["adfs"].rotate_keys(keep_old=False)
    assert (await browser.follow(await browser.submit(await browser.submit(sign_in, user="alice")))).status == 200
    assert '"event":"keys_refreshed"' in log.getvalue()
    metrics = await world.metrics()
    assert 'qlikgw_idp_key_refreshes_total{idp="adfs",outcome="changed"} 2.0' in metrics


async def test_without_its_metadata_the_gateway_is_ready_and_a_login_says_who_is_missing(worlds: Worlds, noticeboard: Noticeboard) -> None:
    world = await worlds(idps=(), saml=("adfs",), edit_saml=lambda provider: provider.update(metadata={"url": noticeboard.url}))
    async with world.session.get(f"{world.management}/readyz") as response:
        assert response.status == 200
    assert noticeboard.fetched == 0
    answer = await world.to_sign_in(world.browser())
    assert (answer.status, answer.code) == (502, "QGW-202")
    await noticeboard.copy(world)
    assert (await world.sign_in(world.browser())).status == 200
    await noticeboard.server.close()
    await restart(world)
    answer = await world.to_sign_in(world.browser())
    assert (answer.status, answer.code) == (504, "QGW-201")


async def test_after_a_restart_the_last_good_copy_serves_where_the_provider_is_down(worlds: Worlds, noticeboard: Noticeboard) -> None:
    world = await worlds(
        idps=(),
        saml=("adfs",),
        edit_gateway=lambda gateway: gateway.update(cache_dir="../var"),
        edit_saml=lambda provider: provider.update(metadata={"url": noticeboard.url}),
    )
    await noticeboard.copy(world)
    assert (await world.sign_in(world.browser())).status == 200
    assert (world.folder.parent / "var" / "adfs.metadata.xml").read_text() == noticeboard.document
    noticeboard.document = ""
    await restart(world)
    assert (await world.sign_in(world.browser())).status == 200
    assert 'qlikgw_idp_key_refreshes_total{idp="adfs",outcome="failed"} 1.0' in await world.metrics()


async def test_metadata_of_another_entity_is_refused(worlds: Worlds, noticeboard: Noticeboard, log: io.StringIO) -> None:
    world = await worlds(idps=(), saml=("adfs",), edit_saml=lambda provider: provider.update(metadata={"url": noticeboard.url}))
    await noticeboard.copy(world)
    honest, noticeboard.document = (
        noticeboard.document,
        re.sub(r'entityID="[^"]*"', 'entityID="https://evil.example/"', noticeboard.document),
    )
    answer = await world.to_sign_in(world.browser())
    assert (answer.status, answer.code) == (502, "QGW-263")
    noticeboard.document, evil = honest, noticeboard.document
    assert (await world.sign_in(world.browser())).status == 200
    noticeboard.document = evil
    world.clock.advance(timedelta(hours=7))
    assert (await world.sign_in(world.browser())).status == 200, "the last good one stays in use"
    assert '"code":"QGW-263"' in log.getvalue()
    assert '"event":"provider_trouble"' in log.getvalue()


async def test_metadata_may_be_a_file_or_single_settings(world: World) -> None:
    certs = world.folder.parent / "certs"
    document = await metadata_of(world)
    (certs / "adfs.xml").write_text(document)
    (der,) = re.findall(r"<ds:X509Certificate>([^<]+)<", document)
    (certs / "adfs.pem").write_text(f"-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n")
    provider = world.saml["adfs"]
    good = {
        "schema": 1,
        "protocol": "saml",
        "entity_id": provider.entity_id,
        "mapping": {"user_directory": {"value": "PARTNERS"}, "user_id": {"name_id": True}},
    }
    for source in (
        {"metadata": {"file": "../certs/adfs.xml"}},
        {"sso_url": provider.sso_url, "certificates": ["../certs/adfs.pem"]},
    ):
        write(world.folder, "adfs.yaml", good | source)
        await restart(world)
        assert "qlikgw_saml_certificate_end_timestamp_seconds" in await metrics_of(world, at_start=True)
        assert (await world.sign_in(world.browser())).status == 200


async def metrics_of(world: World, *, at_start: bool) -> str:
    """The metrics of certificates; `at_start`: no login was tried before."""
    text = await world.metrics()
    assert ("qlikgw_logins_started_total{" in text) != at_start
    return "\n".join(line for line in text.splitlines() if "certificate_end" in line and not line.startswith("#"))


async def test_certificates_that_end_soon_are_seen_in_metrics_and_log(worlds: Worlds, log: io.StringIO) -> None:
    world = await worlds(idps=(), saml=("adfs",), secrets=KEYS, edit_saml=with_sp())
    name = 'qlikgw_saml_certificate_end_timestamp_seconds{certificate="%s",idp="adfs"} '
    ours = await metrics_of(world, at_start=True)
    assert [name % label in ours for label in ("sp-1", "sp-2", "idp-1")] == [True, True, False]
    assert (await world.sign_in(world.browser())).status == 200
    ends = world.clock.now() + timedelta(days=90)
    known = await metrics_of(world, at_start=False)
    (line,) = [line for line in known.splitlines() if name % "idp-1" in line]
    assert float(line.split()[-1]) == ends.timestamp()
    assert "certificates_end_soon" not in log.getvalue()
    world.clock.advance(timedelta(days=61))
    assert (await world.sign_in(world.browser())).status == 200
    (warning,) = [line for line in log.getvalue().splitlines() if "certificates_end_soon" in line]
    assert '"idp":"adfs"' in warning
    assert '"certificates":["idp-1"]' in warning
    await world.saml["adfs"].rotate_keys()
    world.clock.advance(timedelta(hours=7))
    assert (await world.sign_in(world.browser())).status == 200
    assert name % "idp-2" in await metrics_of(world, at_start=False)
    await world.saml["adfs"].rotate_keys(keep_old=False)
    world.clock.advance(timedelta(hours=7))
    assert (await world.sign_in(world.browser())).status == 200
    assert name % "idp-2" not in await metrics_of(world, at_start=False), "a certificate that is gone is not watched"


async def test_fixed_metadata_reminds_of_its_certificates_every_day(world: World, log: io.StringIO) -> None:
    (world.folder.parent / "certs" / "adfs.xml").write_text(await metadata_of(world))
    provider = world.folder / "adfs.yaml"
    provider.write_text(re.sub(r"url: http\S+", "file: ../certs/adfs.xml", provider.read_text()))
    world.clock.advance(timedelta(days=70))
    await restart(world)

    async def reminders() -> int:
        assert (await world.to_sign_in(world.browser())).status == 200
        return log.getvalue().count("certificates_end_soon")

    assert [await reminders(), await reminders()] == [1, 1]
    world.clock.advance(timedelta(days=1))
    assert [await reminders(), await reminders()] == [2, 2]


async def test_several_logins_in_tabs_do_not_disturb_each_other(world: World) -> None:
    browser: Browser = world.browser()
    forms = [await world.to_callback(browser) for _ in range(10)]
    for form in reversed(forms):
        assert (await browser.follow(await browser.submit(form))).status == 200


async def test_a_provider_whose_settings_stay_the_same_is_carried_over_by_a_reload(worlds: Worlds) -> None:
    world = await worlds(idps=(), saml=("adfs",), secrets=KEYS, edit_saml=with_sp(sign_requests=True))
    life, before = follow(world), world.gateway._state.ports["adfs"]
    edit(world, "adfs.yaml", lambda provider: provider.update(deny=[{"id": "nobody", "when": "false"}], authentication={"max_age": "1h"}))
    assert await life.reloader.reload()
    assert world.gateway._state.ports["adfs"] is before
    assert (await world.sign_in(world.browser())).status == 200
    edit(world, "adfs.yaml", lambda provider: provider["sp"].update(sign_requests=False))
    assert await life.reloader.reload()
    assert world.gateway._state.ports["adfs"] is not before
    assert (await world.sign_in(world.browser())).status == 200
