"""Canaries: whatever is secret in a login is planted or recorded, and searched in every line, page, metric and error."""

from __future__ import annotations

import io
import re
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from gateway.demo.site import Fault
from gateway.lines import start_logging
from gateway.model import Secret
from tests.flow.conftest import Worlds
from tests.flow.world import SECRET, Browser, World


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    start_logging(level="debug", stream=stream)
    return stream


def secrets_of(browser: Browser, world: World) -> dict[str, str]:
    """Every secret value that passed through this browser, that the provider saw or gave, or that lies in the configuration."""
    seen = [fact for sighting in world.watcher.sightings for fact in sighting.facts.values() if isinstance(fact, Secret)]
    found = {f"seen by the provider {number}": fact.reveal() for number, fact in enumerate(seen)} | configured(world)
    for answer in browser.seen:
        for url in (answer.url, answer.headers.get("Location", "")):
            for name, values in parse_qs(urlsplit(url).query).items():
                if name in {"code", "state", "nonce", "qlikTicket", "code_challenge"}:
                    found[f"{name} {values[0]}"] = values[0]
        for line in answer.set_cookies:
            if line.partition("=")[0].startswith(("qgw", "__Host-qgw")) and (value := line.partition("=")[2].partition(";")[0]):
                found[f"cookie {value[:8]}"] = value
    return found


def configured(world: World) -> dict[str, str]:
    found = {"client secret": SECRET, "cookie key": (world.folder.parent / "certs/cookie.key").read_text()}
    key = (world.folder.parent / "certs/client_key.pem").read_text().splitlines()
    found |= {f"line {number} of the client key": line for number, line in enumerate(key[1:-1])}
    return found


def assert_no_secret(text: str, secrets: dict[str, str]) -> None:
    leaked = [name for name, value in secrets.items() if value in text or quote(value, safe="") in text]
    assert not leaked


async def test_no_secret_is_in_any_line_page_or_metric(worlds: Worlds, log: io.StringIO) -> None:
    world = await worlds()
    browser = world.browser()
    assert (await world.sign_in(browser)).status == 200
    callback = next(answer.url for answer in browser.seen if "/idp/entra/callback" in answer.url)
    used = await browser.get(callback)
    stranger = await world.browser().get(callback)
    damaged = await browser.get(callback + "&code=CANARY-CODE-1&state=CANARY-STATE-1")
    refused = await browser.get(f"{world.url}/idp/entra/callback?state=CANARY-STATE-2&code=CANARY-CODE-2&error=CANARY-ERROR")
    world.site.node().faults.always = Fault.SERVER_ERROR
    other = world.browser()
    failed = await world.sign_in(other)
    denied = await world.sign_in(other, user="bob")
    assert failed.code == "QGW-404"
    secrets = (
        secrets_of(browser, world)
        | secrets_of(other, world)
        | {name: name for name in ("CANARY-CODE-1", "CANARY-STATE-1", "CANARY-CODE-2", "CANARY-STATE-2")}
    )
    assert len(secrets) > 30
    assert '"event":"login_succeeded"' in log.getvalue()
    assert '"event":"login_rejected"' in log.getvalue()
    assert_no_secret(log.getvalue(), secrets)
    assert_no_secret(await world.metrics(), secrets)
    for page in (denied, used, stranger, damaged, refused, failed):
        assert_no_secret(page.text, secrets)


async def test_no_secret_of_a_logout_is_in_any_line_metric_or_last_page(worlds: Worlds, log: io.StringIO) -> None:
    world = await worlds(single_logout=True)
    browser = world.browser()
    await world.sign_in(browser)
    world.site.node("qlik2.corp.example").faults.always = Fault.SERVER_ERROR
    question = await browser.get(f"{world.url}/vp/sales/logout", Sec_Fetch_Site="cross-site", Referer="https://evil.example/CANARY-PATH")
    onward = await browser.submit(question)
    to_provider = unescape(onward.text.partition("0; url=")[2].partition('"')[0])
    last = await browser.follow(await browser.get(to_provider))
    forged = await browser.post(f"{world.url}/idp/entra/backchannel-logout", {"logout_token": "CANARY.TOKEN.X"})
    wrong = await browser.get(f"{world.url}/idp/entra/slo?state=CANARY-STATE-3")
    (hint,) = parse_qs(urlsplit(to_provider).query)["id_token_hint"]
    secrets = secrets_of(browser, world) | {name: name for name in ("CANARY-PATH", "CANARY.TOKEN.X", "CANARY-STATE-3")} | {"hint": hint}
    assert {'"event":"sessions_left"', '"event":"logout_refused"'} <= set(re.findall(r'"event":"[a-z_]+"', log.getvalue()))
    assert_no_secret(log.getvalue(), secrets)
    assert_no_secret(await world.metrics(), secrets)
    for page in (last, forged, wrong):
        assert_no_secret(page.text, secrets)


@pytest.mark.parametrize(
    ("path", "headers", "reason"),
    [
        ("/vp/saless/login", {}, "saless"),
        ("/vp/sales/login", {"Sec_Fetch_Mode": "cors"}, "cors"),
        ("/vp/sales/login", {"Sec_Purpose": "prefetch"}, "Sec-Purpose"),
        ("/idp/nobody/callback", {}, "nobody"),
    ],
)
async def test_what_is_no_login_yet_has_its_reason_in_the_line_of_its_request(
    worlds: Worlds, log: io.StringIO, path: str, headers: dict[str, str], reason: str
) -> None:
    world = await worlds()
    body = (await world.browser().get(world.url + path, Accept="application/json", **headers)).json()
    (line,) = [line for line in log.getvalue().splitlines() if body["correlation_id"] in line]
    assert f'"code":"{body["code"]}"' in line
    assert reason in line


async def test_the_page_s_reference_is_in_the_log_beside_its_code_and_reason(worlds: Worlds, log: io.StringIO) -> None:
    world = await worlds()
    browser = world.browser()
    await browser.get(f"{world.url}/vp/sales/login?targetId=x", Accept="application/json")
    body = browser.seen[-1].json()
    lines = [line for line in log.getvalue().splitlines() if body["correlation_id"] in line]
    assert any('"login_rejected"' in line and f'"code":"{body["code"]}"' in line and '"detail"' in line for line in lines)
    assert sum('"event":"request"' in line for line in lines) == 1


async def test_one_line_per_request_and_one_event_per_outcome(worlds: Worlds, log: io.StringIO) -> None:
    world = await worlds()
    await world.sign_in(world.browser())
    lines = log.getvalue().splitlines()
    assert sum('"event":"request"' in line for line in lines) == 2
    assert sum('"event":"login_started"' in line for line in lines) == 1
    assert sum('"event":"login_succeeded"' in line for line in lines) == 1
    assert "alice@example.com" not in log.getvalue()
