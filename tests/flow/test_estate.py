"""Two sites, four virtual proxies, five providers of both protocols: docs/many-virtual-proxies.md, checked and signed in through."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from urllib.parse import urlencode, urljoin

import pytest
from click.testing import CliRunner

from gateway import config
from gateway.cli import main
from gateway.demo.site.browser import TICKET_PARAMETERS
from gateway.events import ConfigRefused, ConfigReloaded
from gateway.model import JsonValue
from tests.flow.estate import FILES, PORTAL, Estate, answer_of, choose, finish, load, start_estate, stop_estate
from tests.flow.living import edit, follow, put
from tests.flow.world import Answer, Browser

ALICE: dict[str, JsonValue] = {
    "oid": "7e5b3f0a-0001",
    "name": "Alice",
    "email": "alice@example.com",
    "roles": ["Qlik-Users", "Qlik-Admins", "X"],
}
ENTRA = {"display_name": ["Alice"], "mail": ["alice@example.com"], "sso_role": ["Users", "Admins"]}
DOORS = {
    "entra at the hub": ("corp", "", "entra", ("CONTOSO", "7e5b3f0a-0001", ENTRA)),
    "adfs at the hub": (
        "corp",
        "",
        "adfs",
        ("FABRIKAM", "alice", {"display_name": ["Alice"], "mail": ["alice@example.com"], "sso_role": ["users"]}),
    ),
    "entra at the qmc": ("corp", "admin", "entra", ("CONTOSO", "7e5b3f0a-0001", ENTRA)),
    "partners at the extranet": (
        "dmz",
        "ext",
        "partners",
        ("PARTNERS", "alice", {"display_name": ["Alice"], "sso_role": ["Resellers", "Invoices"], "zone": ["extranet"]}),
    ),
    "suppliers at the extranet": ("dmz", "ext", "suppliers", ("SUPPLIERS", "alice", {"display_name": ["Alice"], "zone": ["extranet"]})),
    "consultants at the extranet": ("dmz", "ext", "consultants", ("ACME", "7", {"display_name": ["Alice"], "zone": ["extranet"]})),
}


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[Estate]:
    estate = await start_estate(tmp_path)
    estate.says("entra", **ALICE, amr=["pwd", "mfa"])
    estate.says("consultants", company=" acme", employee_number="7")
    yield estate
    await stop_estate(estate)


# ---- the files as they stand on the page --------------------------------------------------------------------------------


def test_the_page_has_two_sites_four_virtual_proxies_and_five_providers_of_both_protocols(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    loaded = config.load(tmp_path, environ={}, files=False)
    assert loaded.problems == ()
    assert loaded.configuration is not None
    assert {name: len(site.nodes) for name, site in loaded.configuration.sites.items()} == {"corp": 2, "dmz": 1}
    assert set(loaded.configuration.virtual_proxies) == {"hub", "mashup", "qmc", "extranet"}
    assert (
        sorted(type(provider).__name__ for provider in loaded.configuration.providers.values())
        == ["OidcSettings"] * 3 + ["SamlSettings"] * 2
    )
    assert len(loaded.acknowledged) == 3


def test_check_says_so_too(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    result = CliRunner().invoke(main, ["check", "--no-files", "--config", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}: no problems (3 findings acknowledged)\n")


async def test_with_real_files_there_is_no_problem_either(estate: Estate) -> None:
    assert load(estate.folder).problems == ()


# ---- whole logins through each door -------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
async def test_a_login_through_each_door_by_each_provider(estate: Estate, door: str) -> None:
    site, prefix, idp, (directory, user_id, attributes) = DOORS[door]
    browser = estate.browser()
    hub = await finish(browser, await answer_of(browser, await choose(estate, browser, site, prefix, idp)))
    assert hub.status == 200, hub.text
    assert hub.url.startswith(estate.sites[site].url())
    assert estate.signed_in(site) == [(prefix, directory, user_id, attributes)]
    assert estate.signed_in("dmz" if site == "corp" else "corp") == []


async def test_all_doors_at_once_each_with_its_own_answer(estate: Estate) -> None:
    """Six logins in flight in six browsers, and three in one: none gets another's user, prefix or site."""

    async def start(browser: Browser, door: str) -> None:
        site, prefix, idp, _ = DOORS[door]
        assert (await finish(browser, await answer_of(browser, await choose(estate, browser, site, prefix, idp)))).status == 200

    shared = estate.browser()
    apart = [start(estate.browser(), door) for door in DOORS]
    together = [start(shared, door) for door in ("entra at the qmc", "adfs at the hub", "suppliers at the extranet")]
    await asyncio.gather(*apart, *together)
    got = {(site, *session) for site in ("corp", "dmz") for *session, _ in estate.signed_in(site)}
    assert got == {(site, prefix, directory, user_id) for site, prefix, _, (directory, user_id, _) in DOORS.values()}
    assert sum(len(estate.signed_in(site)) for site in ("corp", "dmz")) == 9


async def test_the_mashup_on_a_foreign_origin_signs_in_by_the_qlik_host_first(estate: Estate) -> None:
    """The mashup asks the proxy who is signed in; the ticket is spent on the Qlik host, and never travels to the mashup."""
    browser = estate.browser()
    qlik = estate.site.url()
    asked = await browser.get(f"{qlik}/mashup/qps/user?{urlencode({'targetUri': f'{PORTAL}report.html?id=7#top'})}")
    page = await browser.follow(await browser.get(asked.json()["loginUri"]))
    stop = await finish(browser, await answer_of(browser, page))
    assert stop.status == 200
    image = re.search(r'<img[^>]*src="([^"]+)"', stop.text)
    onward = re.search(r'http-equiv="refresh" content="\d+; url=([^"]+)"', stop.text)
    assert image, stop.text
    assert onward, stop.text
    assert unescape(onward[1]) == f"{PORTAL}report.html?id=7#top"
    assert unescape(image[1]).startswith(f"{qlik}/mashup/qps/user?qlikTicket=")
    who = (await browser.get(unescape(image[1]))).json()
    assert (who["userDirectory"], who["userId"]) == ("CONTOSO", "7e5b3f0a-0001")
    assert not any(f"{name}=" in onward[1].lower() for name in TICKET_PARAMETERS)


@pytest.mark.parametrize(
    "wish", ["https://portal.example.org.evil.example/sales/", "http://127.0.0.1:9/salesforce/", "http://127.0.0.1:9/"]
)
async def test_beside_the_listed_place_of_the_mashup_no_ticket_goes_anywhere(estate: Estate, wish: str) -> None:
    estate.site.virtual_proxies["mashup"].allow_list = frozenset({"portal.example.org.evil.example", "127.0.0.1"})
    browser = estate.browser()
    asked = await browser.get(f"{estate.site.url()}/mashup/qps/user?{urlencode({'targetUri': wish})}")
    page = await finish(browser, await answer_of(browser, await browser.follow(await browser.get(asked.json()["loginUri"]))))
    assert page.code is not None
    assert page.code.startswith("QGW-4")
    assert estate.signed_in("corp") == []


# ---- stronger at the QMC than elsewhere ---------------------------------------------------------------------------------


async def test_the_qmc_wants_a_second_factor_where_the_hub_does_not(estate: Estate) -> None:
    estate.says("entra", **ALICE, amr=["pwd"])
    browser = estate.browser()
    assert (await finish(browser, await answer_of(browser, await choose(estate, browser, "corp", "", "entra")))).status == 200
    stronger = estate.browser()
    again = await finish(stronger, await answer_of(stronger, await choose(estate, stronger, "corp", "admin", "entra")))
    assert again.url.startswith(estate.providers["entra"].issuer)  # sent back once
    refused = await finish(stronger, await answer_of(stronger, again))
    assert (refused.status, refused.code) == (403, "QGW-223")
    assert [session[0] for session in estate.signed_in("corp")] == [""]


@pytest.mark.parametrize(("prefix", "minutes", "code"), [("", 90, None), ("admin", 90, "QGW-224"), ("", 13 * 60, "QGW-224")])
async def test_each_door_has_its_own_longest_age_of_a_sign_in(estate: Estate, prefix: str, minutes: int, code: str | None) -> None:
    """12 hours from `virtual_proxy_defaults`, 1 hour at the QMC."""
    signed_in = int(estate.clock.now().timestamp()) - 60 * minutes
    estate.says("entra", **ALICE, amr=["mfa"], auth_time=signed_in)
    browser = estate.browser()
    page = await finish(browser, await answer_of(browser, await choose(estate, browser, "corp", prefix, "entra")))
    if code is None:
        assert page.status == 200
        assert estate.signed_in("corp")
    else:
        assert (await finish(browser, await answer_of(browser, page))).code == code
        assert estate.signed_in("corp") == []


@pytest.mark.parametrize(
    ("claims", "prefix", "rule"),
    [
        ({"roles": ["Qlik-Users"]}, "admin", "allow"),
        ({"roles": ["Payroll"]}, "", "allow"),
        ({"acct": 1}, "", "guests"),
    ],
)
async def test_a_rule_that_refuses_is_named_on_the_page_and_in_a_metric(
    estate: Estate, claims: dict[str, JsonValue], prefix: str, rule: str
) -> None:
    estate.says("entra", **(ALICE | claims), amr=["mfa"])
    browser = estate.browser()
    page = await finish(browser, await answer_of(browser, await choose(estate, browser, "corp", prefix, "entra")))
    assert (page.status, page.code) == (403, "QGW-306")
    assert rule in page.text
    door = "qmc" if prefix else "hub"
    assert f'qlikgw_access_refusals_total{{idp="entra",rule="{rule}",vp="{door}"}} 1.0' in await estate.metrics()


async def test_the_extranets_own_rule_has_a_message_for_people(estate: Estate) -> None:
    estate.says("consultants", company="OldCo", employee_number="7")
    browser = estate.browser()
    page = await finish(browser, await answer_of(browser, await choose(estate, browser, "dmz", "ext", "consultants")))
    assert (page.status, page.code) == (403, "QGW-306")
    assert "Your company" in page.text
    assert "blocked-companies" in page.text


# ---- finding the provider -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mail", "idp"),
    [
        ("a@partner.example", "partners"),
        ("a@supplier.example", "suppliers"),
        ("a@acme.example", "consultants"),
        ("a@globex.example", "consultants"),
    ],
)
async def test_a_mail_address_finds_its_provider_whatever_its_protocol(estate: Estate, mail: str, idp: str) -> None:
    browser = estate.browser()
    page = await browser.follow(await browser.get(estate.sites["dmz"].hub("ext")))
    onward = await browser.submit(page, email=mail)
    url = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', onward.text)
    assert url, onward.text
    at = (await browser.follow(await browser.get(urljoin(onward.url, unescape(url[1]))))).url
    provider = estate.saml[idp].url if idp in estate.saml else estate.providers[idp].issuer
    assert at.startswith(provider)


@pytest.mark.parametrize(("site", "prefix", "idp"), [("corp", "", "partners"), ("corp", "admin", "adfs"), ("dmz", "ext", "entra")])
async def test_a_hint_for_a_provider_of_another_door_is_refused(estate: Estate, site: str, prefix: str, idp: str) -> None:
    browser = estate.browser()
    start = (await browser.get(estate.sites[site].hub(prefix))).location
    page = await browser.get(f"{start}&idp={idp}")
    assert (page.status, page.code) == (400, "QGW-116")


async def test_a_node_of_one_site_is_none_of_a_door_of_the_other(estate: Estate) -> None:
    browser = estate.browser()
    start = (await browser.get(estate.sites["dmz"].hub("ext"))).location.replace("/vp/extranet/", "/vp/hub/")
    page = await browser.get(start)
    assert page.status == 400
    assert page.code is not None


async def test_users_of_the_subsidiarys_network_go_straight_to_its_provider(tmp_path: Path) -> None:
    estate = await start_estate(tmp_path, also={"10.20.0.0/16": "127.0.0.0/8"})
    try:
        page = await estate.browser().follow(await (browser := estate.browser()).get(estate.site.hub("")))
        assert page.url.startswith(estate.saml["adfs"].url)
        assert "Choose how to sign in" in (await browser.follow(await browser.get(estate.sites["dmz"].hub("ext")))).text
    finally:
        await stop_estate(estate)


# ---- a reload in the middle ---------------------------------------------------------------------------------------------


async def test_a_reload_in_the_middle_of_a_login_at_every_door(estate: Estate) -> None:
    """Every provider's file is changed while a login of each is at the provider: all end, by the rules of now."""
    life = follow(estate, load=lambda: load(estate.folder))
    waiting = []
    for site, prefix, idp, _ in DOORS.values():
        browser = estate.browser()
        waiting.append((browser, await answer_of(browser, await choose(estate, browser, site, prefix, idp))))
    for name in (*estate.providers, *estate.saml):
        edit(estate, f"{name}.yaml", lambda provider: (provider.update(display_name="New"), provider.pop("tests", None)))
        edit(estate, f"{name}.yaml", lambda provider: provider["mapping"]["attributes"].update(since={"value": "reload"}))
    assert await life.reloader.reload()
    for browser, answer in waiting:
        assert (await finish(browser, answer)).status == 200
    sessions = [session for site in ("corp", "dmz") for session in estate.signed_in(site)]
    assert len(sessions) == len(DOORS)
    assert all(attributes["since"] == ["reload"] for *_, attributes in sessions)


@pytest.mark.parametrize(
    ("door", "key", "value"),
    [
        ("entra at the hub", "client_id", "another"),
        ("partners at the extranet", "issuer", "http://127.0.0.1:9/other"),
        ("suppliers at the extranet", "sp", {"entity_id": "https://sso.example.com/another"}),
        ("adfs at the hub", "entity_id", "http://127.0.0.1:9/another"),
    ],
)
async def test_a_login_whose_registration_changed_in_the_middle_starts_again(estate: Estate, door: str, key: str, value: object) -> None:
    """Issuer or entity id, client id or ours: what was begun with another party is not finished with this one."""
    life = follow(estate, load=lambda: load(estate.folder))
    site, prefix, idp, _ = DOORS[door]
    browser, other = estate.browser(), estate.browser()
    answer = await answer_of(browser, await choose(estate, browser, site, prefix, idp))
    bystander = await answer_of(other, await choose(estate, other, "dmz", "ext", "consultants"))
    edit(estate, f"{idp}.yaml", lambda provider: provider.update({key: value}))
    assert await life.reloader.reload()
    page = await finish(browser, answer)
    assert (page.status, page.code) == (400, "QGW-113"), page.text
    assert "Start again" in page.text
    assert estate.signed_in(site) == []
    assert (await finish(other, bystander)).status == 200


# ---- test sign-ins ------------------------------------------------------------------------------------------------------


async def trial(estate: Estate, door: str, idp: str) -> Answer:
    """Mint a link, open it, press the button, sign in at the provider; what comes back."""
    body = json.dumps({"idp": idp, "vp": door}).encode()
    minted = await estate.browser().send(
        "POST", f"{estate.management}/test-logins", headers={"Content-Type": "application/json"}, body=body
    )
    assert minted.status == 200, minted.text
    browser = estate.browser()
    started = await browser.submit(await browser.get(minted.json()["url"]))
    onward = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', started.text)
    assert onward, started.text
    return await finish(browser, await answer_of(browser, await browser.get(urljoin(started.url, unescape(onward[1])))))


@pytest.mark.parametrize("door", DOORS)
async def test_a_test_sign_in_at_each_door_by_each_provider_and_its_copied_case(estate: Estate, door: str) -> None:
    """No ticket, nobody signed in; what was shown is what a login there becomes; and the copied test is one that `check` runs."""
    site, prefix, idp, (directory, user_id, attributes) = DOORS[door]
    name = {"": "hub", "admin": "qmc", "ext": "extranet"}[prefix]
    page = await trial(estate, name, idp)
    assert "Test sign-in: let in" in page.text
    claims, ticket, case = (unescape(text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", page.text, re.DOTALL))
    told = json.loads(ticket)
    assert (told["UserDirectory"], told["UserId"]) == (directory, user_id)
    assert told["Attributes"] == [{name: value} for name, values in attributes.items() for value in values]
    assert json.loads(claims)
    assert ("name_id:" in case) == (idp in estate.saml)
    assert (estate.sites[site].count("tickets_issued"), estate.signed_in(site)) == (0, [])
    assert "qlikgw_logins_total{" not in await estate.metrics()
    file = estate.folder / f"{idp}.yaml"
    file.write_text(f"{file.read_text().partition('tests:')[0]}tests:\n{case}\n")
    assert load(estate.folder).problems == ()
    file.write_text(file.read_text().replace(f"value: {directory}", "value: ELSEWHERE").replace("[trim, upper]", "[trim]"))
    assert "QGW-524" in {problem.code.value for problem in load(estate.folder).problems}


# ---- what a reload does not take ----------------------------------------------------------------------------------------


async def test_a_reload_that_breaks_a_test_of_a_provider_is_refused_and_the_last_good_one_serves_on(estate: Estate) -> None:
    life = follow(estate, load=lambda: load(estate.folder))
    edit(estate, "entra.yaml", lambda provider: provider["mapping"]["attributes"]["sso_role"].pop("steps"))
    assert not await life.reloader.reload()
    (event,) = [life.told.events.get_nowait()]
    assert isinstance(event, ConfigRefused)
    assert any("entra.yaml" in error and "QGW-524: test 'an administrator'" in error for error in event.errors), event.errors
    assert "qlikgw_config_last_reload_successful 0.0" in await estate.metrics()
    browser = estate.browser()
    assert (await finish(browser, await answer_of(browser, await choose(estate, browser, "corp", "", "entra")))).status == 200
    assert estate.signed_in("corp")[0][3] == ENTRA


async def test_a_table_in_a_file_is_followed_like_the_folder(estate: Estate) -> None:
    """`table: {file: …}` lies beside the folder; a new line in it is in use without a restart, and one that breaks it is refused."""
    table = estate.folder.parent / "tables" / "groups.csv"
    table.parent.mkdir()
    put(table, "from,to\nsales,Resellers\n")
    steps = [{"table": {"file": "../tables/groups.csv"}}]
    edit(estate, "partners.yaml", lambda provider: provider["mapping"]["attributes"]["sso_role"].update(steps=steps))
    life = follow(estate, load=lambda: load(estate.folder))
    assert await life.reloader.reload()

    async def roles() -> list[str]:
        browser = estate.browser()
        assert (await finish(browser, await answer_of(browser, await choose(estate, browser, "dmz", "ext", "partners")))).status == 200
        return estate.signed_in("dmz")[-1][3]["sso_role"]

    assert await roles() == ["Resellers"]
    life.go_on()
    try:
        put(table, "from,to\nsales,Resellers\nsales,EMEA\nfinance,Invoices\n")
        while not isinstance(event := await life.told.events.get(), ConfigReloaded) or "identity provider partners" not in event.changed:
            pass
        assert await roles() == ["Resellers", "EMEA", "Invoices"]
        put(table, "from;from\n")
        (error,) = (await life.refusal()).errors
        assert error.startswith("partners.yaml:")
        assert "the first line of a table in CSV is from,to" in error
        assert await roles() == ["Resellers", "EMEA", "Invoices"]
    finally:
        await life.rest()
