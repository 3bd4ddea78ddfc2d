"""Test sign-ins: a link from the management port, the real provider, a trace, and never a ticket."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urljoin

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway import config
from gateway.config import Severity
from gateway.web import browser
from gateway.web.handlers.this_machine import from_this_machine
from tests.flow.conftest import Worlds
from tests.flow.living import edit, follow
from tests.flow.world import Answer, Browser, World

JSON = {"Content-Type": "application/json"}


async def mint(world: World, idp: str = "entra", vp: str = "sales", **headers: str) -> Answer:
    sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.browser().send(
        "POST", f"{world.management}/test-logins", headers=sent, body=json.dumps({"idp": idp, "vp": vp}).encode()
    )


async def link(world: World, **names: str) -> str:
    answer = await mint(world, **names)
    assert answer.status == 200, answer.text
    return str(answer.json()["url"])


def onward(page: Answer) -> str:
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    assert found, page.text
    return urljoin(page.url, unescape(found[1]))


async def to_provider(browser: Browser, url: str) -> Answer:
    """Open the link, press the button, follow on to the provider's sign-in page."""
    page = await browser.get(url)
    assert page.status == 200, page.text
    return await browser.get(onward(await browser.submit(page)))


async def to_callback(browser: Browser, url: str, user: str = "alice") -> Answer:
    return await browser.submit(await to_provider(browser, url), user=user)


async def trial(world: World, browser: Browser, user: str = "alice", **names: str) -> Answer:
    answer = await to_callback(browser, await link(world, **names), user)
    return await browser.submit(answer) if answer.status == 200 else await browser.get(answer.location)


def shown(page: Answer) -> list[str]:
    return [unescape(text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", page.text, re.DOTALL)]


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
async def test_a_test_sign_in_shows_claims_steps_rules_and_ticket_and_asks_for_none(worlds: Worlds, response_mode: str) -> None:
    world = await worlds(edit_provider=lambda provider: provider.update(response_mode=response_mode))
    browser = world.browser()
    page = await trial(world, browser)
    assert page.status == 200
    assert "Test sign-in: let in" in page.text
    claims, ticket, case = shown(page)
    assert json.loads(claims)["preferred_username"] == "alice"
    assert json.loads(ticket)["UserId"] == "alice"
    assert "user_directory" in page.text
    assert "identity provider entra" in page.text
    assert "claims:\n" in case
    assert world.site.count("tickets_issued") == 0
    assert "qlikgw_logins_total{" not in await world.metrics()
    assert "qlikgw_logins_started_total{" not in await world.metrics()


async def test_a_refused_test_sign_in_says_which_rule_and_why(world: World) -> None:
    page = await trial(world, world.browser(), "bob")
    assert page.status == 200
    assert "Test sign-in: refused" in page.text
    assert "QGW-306" in page.text
    assert "identity provider entra" in page.text
    assert "refused: &#34;QGW-306&#34;" in page.text
    assert world.site.count("tickets_issued") == 0


@pytest.mark.parametrize("user", ["alice", "bob"])
async def test_the_copied_test_case_is_one_that_check_runs_and_finds_true(worlds: Worlds, user: str) -> None:
    """And the page keeps whatever a claim may hold apart from YAML's own signs."""
    world = await worlds()
    world.providers["entra"].assurance = lambda _: {
        "odd: key": ["no", "1e3", "0x1f", "- a", "#", "'\"\\", "ä☃", ""],
        "true": True,
        "deep": {"a": {}},
    }
    case = shown(await trial(world, world.browser(), user))[-1]
    file = world.folder / "entra.yaml"
    text = file.read_text()
    file.write_text(text + "tests:\n" + case + "\n")
    assert config.load(world.folder, environ={}).configuration is not None
    file.write_text(text.replace("CONTOSO", "FABRIKAM").replace("qlik-users", "warehouse") + "tests:\n" + case + "\n")
    problems = config.load(world.folder, environ={}).problems
    assert {problem.code.name for problem in problems if problem.severity is Severity.ERROR} == {"TRIAL"}


async def test_a_sign_in_that_the_provider_refuses_ends_on_the_error_page(world: World) -> None:
    page = await trial(world, world.browser(), "nobody")
    assert (page.status, page.code) == (403, "QGW-204")


async def test_tokens_inside_claims_are_not_shown(world: World) -> None:
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
    world.providers["entra"].assurance = lambda _: {
        "_claim_sources": {"src1": {"endpoint": "https://graph.example/x", "access_token": "canary-at"}, "src2": {"JWT": jwt}},
        "nested": [{"refresh_token": "canary-rt", "deep": [jwt, f"Bearer {jwt}"]}],
        "assertion": "canary-assertion",
        "version": "1.2.3",
        "host": "eyeglasses.example-company.com",
    }
    page = await trial(world, world.browser())
    assert page.status == 200
    assert "canary" not in page.text
    assert "eyJ" not in page.text
    assert "1.2.3" in page.text
    assert "eyeglasses.example-company.com" in page.text
    assert "(not shown)" in page.text


async def test_the_demanded_strength_holds_in_a_test_too(worlds: Worlds) -> None:
    def edit(settings: dict[str, Any]) -> None:
        settings["virtual_proxies"]["sales"]["authentication"] = {"require_amr": ["mfa"]}

    world = await worlds(edit_gateway=edit)
    world.providers["entra"].assurance = lambda asked: {"amr": ["mfa"] if "login" in asked.prompt else ["pwd"]}
    browser = world.browser()
    again = await trial(world, browser)
    assert again.status == 302
    page = await browser.follow(await browser.submit(await browser.get(again.location), user="alice"))
    assert "Test sign-in: let in" in page.text
    world.providers["entra"].assurance = lambda _: {"amr": ["pwd"]}
    again = await trial(world, browser)
    page = await browser.follow(await browser.submit(await browser.get(again.location), user="alice"))
    assert (page.status, page.code) == (403, "QGW-223")
    assert world.site.count("tickets_issued") == 0


# ---- the link ----------------------------------------------------------------------------------------------------------


async def test_looking_at_a_link_does_not_use_it_up_but_starting_does(world: World) -> None:
    """Programs look at links in messages before people do."""
    url = await link(world)
    browser = world.browser()
    for _ in range(3):
        page = await browser.get(url)
        assert page.status == 200
        assert not page.set_cookies
    assert (await browser.send("HEAD", url)).status == 405
    assert (await to_callback(browser, url)).status == 303
    answer = await browser.post(url, {})
    assert (answer.status, answer.code) == (400, "QGW-119")


async def test_two_who_start_at_once_are_one(world: World) -> None:
    url = await link(world)
    browsers = [world.browser() for _ in range(6)]
    answers = await asyncio.gather(*(browser.post(url, {}) for browser in browsers))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 5


async def test_a_link_is_good_for_ten_minutes(world: World) -> None:
    url = await link(world)
    world.clock.advance(timedelta(minutes=10, seconds=-1))
    assert (await world.browser().get(url)).status == 200
    world.clock.advance(timedelta(seconds=1))
    for answer in (await world.browser().get(url), await world.browser().post(url, {})):
        assert (answer.status, answer.code) == (400, "QGW-119")


@pytest.mark.parametrize("token", ["x", "x" * 5000, "%00", "AAAA" * 20])
async def test_a_link_that_is_none_is_refused(world: World, token: str) -> None:
    answer = await world.browser().get(f"{world.url}/test-login/{token}")
    assert (answer.status, answer.code) == (400, "QGW-119")


async def test_an_altered_link_is_refused(world: World) -> None:
    url = await link(world)
    at = len(url) - 10  # not the last character, of which base64url may use only some bits
    altered = url[:at] + ("A" if url[at] != "A" else "B") + url[at + 1 :]
    assert (await world.browser().get(altered)).code == "QGW-119"


async def test_only_a_navigation_sees_or_starts_a_test(world: World) -> None:
    url = await link(world)
    assert (await world.browser().get(url, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="image")).status == 401
    assert (await world.browser().get(url, Sec_Purpose="prefetch")).status == 503
    assert (await world.browser().post(url, {}, Sec_Fetch_Mode="cors", Sec_Fetch_Dest="empty")).status == 401
    assert (await world.browser().get(url)).status == 200


# ---- minting -----------------------------------------------------------------------------------------------------------


async def test_a_link_is_minted_only_for_a_provider_that_the_virtual_proxy_offers(worlds: Worlds) -> None:
    world = await worlds(
        idps=("entra", "partners"), edit_gateway=lambda s: s["virtual_proxies"]["sales"].update(identity_providers=["entra"])
    )
    for names in ({"idp": "partners"}, {"idp": "nobody"}, {"vp": "nobody"}, {"idp": ""}):
        answer = await mint(world, **names)
        assert answer.status == 404
        assert "url" not in answer.json()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Referer": "https://evil.example/"},
        {"Cookie": "a=b"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Host": "evil.example:8081"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "10.0.0.1"},
        {"Host": "localhost:99999"},
        {"Host": "127.0.0.1:1:2"},
    ],
)
async def test_a_browser_or_a_proxy_on_this_machine_gets_no_link(world: World, headers: Mapping[str, str]) -> None:
    """Cross-site requests and DNS rebinding."""
    answer = await world.browser().send(
        "POST", f"{world.management}/test-logins", headers={**JSON, **headers}, body=b'{"idp": "entra", "vp": "sales"}'
    )
    assert answer.status == 403
    assert "test-login/" not in answer.text


class Connection(asyncio.Transport):
    """A connection between two addresses."""

    def __init__(self, peer: str, here: str | None) -> None:
        super().__init__({"peername": (peer, 1), "sockname": here and (here, 8081)})


@pytest.mark.parametrize(
    ("peer", "here", "given"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("127.0.0.6", "10.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", False),
        ("10.9.9.9", "127.0.0.1", False),
        ("127.0.0.1", None, False),
    ],
)
def test_both_ends_of_the_connection_are_on_this_machine(peer: str, here: str | None, *, given: bool) -> None:
    """A mesh's sidecar passes on what comes from elsewhere: from 127.0.0.6, to the pod's address."""
    request = make_mocked_request("POST", "/test-logins", headers={"Host": "localhost"}, transport=Connection(peer, here))
    assert from_this_machine(request.clone(remote=peer)) is given


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b'{"idp": "entra", "vp": "sales"}'),
        ("application/x-www-form-urlencoded", b"idp=entra&vp=sales"),
        ("application/json", b"[]"),
        ("application/json", b'{"idp": "entra"}'),
        ("application/json", b'{"idp": 1, "vp": "sales"}'),
        ("application/json", b"{" * 4000),
        ("application/json", b"[" * 4000),
        ("application/json", b"\xff"),
        ("application/json", b'{"idp": "\\ud800", "vp": "sales"}'),
        ("application/json", b'{"idp": "entra", "vp": "sales"}' + b" " * 5000),
    ],
)
async def test_what_is_no_request_for_a_link_gets_none(world: World, content_type: str, body: bytes) -> None:
    answer = await world.browser().send("POST", f"{world.management}/test-logins", headers={"Content-Type": content_type}, body=body)
    assert answer.status in {400, 413}


class Waiting:
    """A program that sends the head of its request, and the body when it is told to (RFC 9110 §10.1.1)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def is_told_to_send(self, size: int, header: bytes = b"") -> bool:
        head = b"POST /test-logins HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        self._writer.write(head + header + b"Content-Length: %d\r\n\r\n" % size)
        return (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 20)).startswith(b"HTTP/1.1 100 ")

    async def answer(self, body: bytes) -> bytes:
        self._writer.write(body)
        return await asyncio.wait_for(self._reader.readline(), 20)


@asynccontextmanager
async def waiting(world: World) -> AsyncIterator[Waiting]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.management.rpartition(":")[2]))
    with closing(writer):
        yield Waiting(reader, writer)


async def test_who_waits_with_names_is_told_to_send_them(world: World) -> None:
    body = b'{"idp": "entra", "vp": "sales"}'
    async with waiting(world) as program, waiting(world) as proxy:
        assert await program.is_told_to_send(len(body))
        assert await program.answer(body) == b"HTTP/1.1 200 OK\r\n"
        assert not await proxy.is_told_to_send(len(body), b"Via: 1.1 proxy\r\n")


async def test_names_that_do_not_come_are_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "FORM_SECONDS", 0.1)
    async with waiting(world) as program:
        assert await program.is_told_to_send(10)
        assert await program.answer(b"") == b"HTTP/1.1 400 Bad Request\r\n"


async def test_names_that_come_after_a_reload_mean_what_is_configured_then(worlds: Worlds) -> None:
    """And who never sends them keeps nothing of what was configured before."""
    world = await worlds(idps=("entra", "partners"))
    body, before, life = b'{"idp": "entra", "vp": "sales"}', world.gateway._state.ports["entra"].http, follow(world)
    async with waiting(world) as program:
        assert await program.is_told_to_send(len(body))
        (world.folder / "entra.yaml").unlink()
        edit(world, "gateway.yaml", lambda settings: settings["virtual_proxies"]["sales"].update(identity_providers=["partners"]))
        assert await life.reloader.reload()
        await asyncio.gather(*world.gateway._builder._retiring)
        assert before._closed
        assert await program.answer(body) == b"HTTP/1.1 404 Not Found\r\n"


async def test_a_get_gives_no_link(world: World) -> None:
    assert (await world.browser().get(f"{world.management}/test-logins")).status == 405
    assert (await world.browser().get(f"{world.url}/test-logins")).status == 404


# ---- the command -------------------------------------------------------------------------------------------------------


@dataclass
class Ran:
    """A command that ended."""

    exit_code: int
    stdout: str
    stderr: str


async def run(world: World, *arguments: str) -> Ran:
    command = [sys.executable, "-m", "gateway", "test-login", "--config", str(world.folder), *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


async def test_the_command_prints_the_link_alone(world: World) -> None:
    result = await run(world, "--idp", "entra", "--vp", "sales")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{world.url}/test-login/")
    assert result.stdout.count("\n") == 1
    assert (await world.browser().get(result.stdout.strip())).status == 200


async def test_the_command_says_what_went_wrong(world: World) -> None:
    refused = await run(world, "--idp", "nobody", "--vp", "sales")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "nobody" in refused.stderr
    silent = await run(world, "--idp", "entra", "--vp", "sales", "--management", "127.0.0.1:1")
    assert (silent.exit_code, silent.stdout) == (1, "")
    assert "No gateway answers" in silent.stderr
    assert (await run(world, "--idp", "entra", "--vp", "sales", "--management", "nowhere")).exit_code == 2
    other = await run(world, "--idp", "entra", "--vp", "sales", "--management", world.management.removeprefix("http://"))
    assert other.exit_code == 0
