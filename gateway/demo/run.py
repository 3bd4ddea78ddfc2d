"""`qlikgw demo`: a simulated Qlik site, two demo identity providers and the real gateway, in one process on loopback.

The gateway is built from a configuration folder by the same `config.load` and the same `app.Gateway` as in production.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from gateway import config
from gateway.app import Gateway
from gateway.demo.browser import PageReader, ScriptedBrowser
from gateway.demo.folder import DIRECTORIES, DISPLAY_NAMES, HOST, OPENID, SAML, write_folder
from gateway.demo.hops import Evidence, Say, report
from gateway.demo.openid_provider import DemoOpenIdProvider
from gateway.demo.saml_provider import DemoSamlProvider
from gateway.demo.site import QlikSimulator
from gateway.demo.watching import Watch, Watcher, nobody
from gateway.lines import start_logging
from gateway.model import QlikUser
from gateway.system import SystemClock

USUAL_PORT = 8080
NODES = ("qlik1.corp.example", "qlik2.corp.example")
WHO = "alice"
PROTOCOLS = {"OpenID Connect": OPENID, "SAML": SAML}
"""The providers by what they speak: one login each."""


class CannotStart(Exception):
    """The demo cannot be set up on this machine; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs."""

    site: QlikSimulator
    openid: DemoOpenIdProvider
    saml: DemoSamlProvider
    public_url: str
    folder: Path


@asynccontextmanager
async def staged(port: int, watch: Watch = nobody) -> AsyncIterator[Stage]:
    """Set the demo up, and take it down again. `port`: the gateway's. Raises `CannotStart`."""
    clock = SystemClock()
    site = await asyncio.to_thread(lambda: QlikSimulator(clock=clock, nodes=NODES, virtual_proxies={"sales": "", "": ""}, watch=watch))
    with tempfile.TemporaryDirectory(prefix="qlikgw-demo-") as base:
        openid, saml = await asyncio.to_thread(
            lambda: (DemoOpenIdProvider(clock=clock, watch=watch), DemoSamlProvider(clock=clock, watch=watch))
        )
        async with site, openid, saml:
            folder = write_folder(Path(base), site, openid, saml, ports=(port, free_port()))
            async with running(folder):
                yield Stage(site=site, openid=openid, saml=saml, public_url=f"http://{HOST}:{port}", folder=folder)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[None]:
    """The real gateway on a configuration folder. Raises `CannotStart`."""
    loaded = config.load(folder, environ=os.environ)
    if loaded.configuration is None:
        raise CannotStart("\n".join(f"{problem.file}:{problem.line}: {problem.message}" for problem in loaded.problems))
    gateway = Gateway(loaded.configuration)
    try:
        await gateway.start()
    except OSError as error:
        await gateway.stop()
        raise CannotStart(f"{error.strerror or error}; another --port may be free") from error
    try:
        yield
    finally:
        await gateway.stop()


def free_port(preferred: int = 0) -> int:
    """A port that nobody listens on: the preferred one where that is possible."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, preferred))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def log_in_once(port: int | None, say: Say) -> int:
    """One login per protocol by a scripted browser, told hop by hop. 0: each ended with the right Qlik session."""
    log, watcher = io.StringIO(), Watcher()
    start_logging(level="info", form="json", stream=log)
    async with staged(port or free_port(), watcher) as stage:
        good = [await log_in(protocol, stage, watcher, log, say) for protocol in PROTOCOLS]
    return 0 if all(good) else 1


async def log_in(protocol: str, stage: Stage, watcher: Watcher, log: io.StringIO, say: Say) -> bool:
    """One login in a browser of its own. `watcher` and `log` go on from login to login: this one's part is what they gain."""
    hub, idp, trouble = stage.site.hub("sales"), PROTOCOLS[protocol], ""
    sightings, lines, began = len(watcher.sightings), len(log.getvalue()), time.perf_counter()
    say(f"{protocol}: {WHO} signs in at {hub}")
    async with ScriptedBrowser() as browser:
        try:
            await sign_in(browser, hub, DISPLAY_NAMES[idp])
        except (aiohttp.ClientError, TimeoutError) as error:
            trouble = f"{type(error).__name__}: {error}"
    evidence = Evidence(
        protocol=protocol,
        visits=browser.visits,
        sightings=watcher.sightings[sightings:],
        log=[json.loads(line) for line in log.getvalue()[lines:].splitlines()],
        hub=hub,
        gateway=stage.public_url,
        provider={OPENID: stage.openid.issuer, SAML: stage.saml.entity_id}[idp],
        expected=expected(idp),
    )
    return report(evidence, began, trouble, say)


def expected(idp: str) -> QlikUser:
    """Who is to be signed in when `WHO` comes from that provider."""
    attributes = (("email", f"{WHO}@example.com"), ("group", "sales"), ("group", "finance"), ("identity_provider", idp))
    return QlikUser(directory=DIRECTORIES[idp], user_id=WHO, attributes=attributes)


async def sign_in(browser: ScriptedBrowser, hub: str, provider: str) -> None:
    """Do as a person does, as far as the pages lead: choose the provider, choose the user, and let the answer be posted."""
    page = await browser.open(hub)
    chooser = PageReader(page.body).links
    if provider in chooser:
        page = await browser.click(page, chooser[provider])
    form = PageReader(page.body).form
    if form is not None and "request" in form.fields:
        page = await browser.submit(page, form, user=WHO)
    form = PageReader(page.body).form
    if form is not None and "SAMLResponse" in form.fields:
        await browser.submit(page, form)


async def stay_up(port: int | None, say: Say) -> int:
    """Run until Ctrl-C or SIGTERM."""
    start_logging(level="info", form="console", stream=sys.stdout)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with staged(port or free_port(USUAL_PORT)) as stage:
        for text in welcome(stage):
            say(text)
        await stopping.wait()
        say("Stopping.")
    return 0


def welcome(stage: Stage) -> list[str]:
    """What to open, and whom to sign in as."""
    users = [f"  sign in as  {user.sub:<7} {user.note}" for user in stage.openid.users]
    return [
        "",
        f"  Open        {stage.site.hub('sales')}",
        f"  and choose  {' or '.join(DISPLAY_NAMES.values())}",
        f"  or          {stage.site.hub('')}  (the default virtual proxy)",
        f"  or          {stage.site.hub('sales', NODES[1])}  (another node)",
        *users,
        f"  sign out    {stage.public_url}/vp/sales/logout",
        f"  or end a session at a provider: {stage.openid.issuer} or {stage.saml.url}",
        f"  gateway     {stage.public_url}, configured by {stage.folder}",
        "  Ctrl-C ends everything. What follows is the gateway's log.",
        "",
    ]
