"""`qlikgw demo` as a user runs it: a process of its own, the real gateway in it."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path

import aiohttp
import pytest

from gateway.demo.browser import PageReader, ScriptedBrowser, Visit
from gateway.demo.run import free_port

TO_QLIK = ["mapping", "ticket request", "ticket", "redirect back", "session"]
HOPS = [
    *("proxy redirect", "authorization request", "callback", "token", *TO_QLIK),
    *("proxy redirect", "authentication request", "assertion consumer service", *TO_QLIK),
]
PATIENCE = 60
ROOT = Path(__file__).parents[2]


async def demo(*arguments: str, temporary: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "demo", *arguments, stdout=PIPE, stderr=STDOUT, env={"TMPDIR": str(temporary)}, cwd=ROOT
    )


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def output(process: Process) -> str:
    text, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return text.decode()


async def test_once_completes_a_login_by_each_protocol_and_prints_every_hop(tmp_path: Path) -> None:
    process = await demo("--once", temporary=tmp_path)
    text = await output(process)
    assert process.returncode == 0, text
    assert re.findall(r"^ ?\d+\. ([a-z ]+?) {2,}", text, re.MULTILINE) == HOPS
    signed_in = [line.rsplit(" in ", 1)[0] for line in text.splitlines() if line.startswith("Signed in")]
    assert signed_in == ["Signed in as DEMO\\alice", "Signed in as PARTNERS\\alice"]
    assert left_in(tmp_path) == []


async def test_once_shows_no_secret(tmp_path: Path) -> None:
    text = await output(await demo("--once", temporary=tmp_path))
    shown = re.findall(
        r"\b(state|code|nonce|code_challenge|targetId|qlikTicket|X-Qlik-Session-sales-HTTP|SAMLRequest|SAMLResponse|RelayState)=(\S+)", text
    )
    assert len(shown) >= 14
    assert all(re.fullmatch(r"\S{3}…\(\d+\)", value) for _, value in shown), shown
    assert not re.search(r"[A-Za-z0-9_-]{30,}", re.sub(r"http://\S+", "", text))


async def test_a_taken_port_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = await demo("--once", "--port", str(taken.getsockname()[1]), temporary=tmp_path)
        text = await output(process)
    assert process.returncode == 1
    assert text.startswith("qlikgw demo: ")
    assert "--port" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_without_once_it_stays_up_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    process = await demo("--port", str(free_port()), temporary=tmp_path)
    assert process.stdout is not None
    hub, lines = "", []
    while not hub:
        lines.append((await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode())
        assert lines[-1], lines
        hub = "".join(re.findall(r"^  Open +(\S+)$", lines[-1]))
    await check_that_bob_is_refused_and_alice_comes_in(hub)
    process.send_signal(number)
    text = await output(process)
    assert process.returncode == 0, text
    assert "Stopping." in text
    assert left_in(tmp_path) == []
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get(hub)


async def check_that_bob_is_refused_and_alice_comes_in(hub: str) -> None:
    for provider, directory in (("Demo OpenID provider", "DEMO"), ("Demo SAML provider", "PARTNERS")):
        async with ScriptedBrowser() as browser:
            pages = {user: await sign_in(browser, hub, provider, user) for user in ("bob", "alice")}
        assert (pages["bob"].status, "QGW-306" in pages["bob"].body) == (403, True)
        assert ("user", "", f"{directory}\\alice") in PageReader(pages["alice"].body).shown


async def sign_in(browser: ScriptedBrowser, hub: str, provider: str, user: str) -> Visit:
    """By the links and forms of the pages alone."""
    chooser = await browser.open(hub)
    page = await browser.click(chooser, PageReader(chooser.body).links[provider])
    form = PageReader(page.body).form
    assert form is not None
    page = await browser.submit(page, form, user=user)
    form = PageReader(page.body).form
    return await browser.submit(page, form) if form is not None and "SAMLResponse" in form.fields else page
