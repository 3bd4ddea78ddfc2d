"""`qlikgw demo`: a simulated Qlik site, a demo OpenID provider and the real gateway, in one process on loopback.

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
from gateway.demo.folder import HOST, PROVIDER, write_folder
from gateway.demo.hops import Evidence, Say, report
from gateway.demo.openid_provider import DemoOpenIdProvider
from gateway.demo.site import QlikSimulator
from gateway.demo.watching import Watch, Watcher, nobody
from gateway.journal import start_logging
from gateway.model import QlikUser
from gateway.system import SystemClock

USUAL_PORT = 8080
NODES = ("qlik1.corp.example", "qlik2.corp.example")
WHO = "alice"
EXPECTED = QlikUser(
    directory="DEMO",
    user_id=WHO,
    attributes=(("email", "alice@example.com"), ("group", "sales"), ("group", "finance"), ("identity_provider", PROVIDER)),
)


class CannotStart(Exception):
    """The demo cannot be set up on this machine; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs."""

    site: QlikSimulator
    provider: DemoOpenIdProvider
    public_url: str
    folder: Path


@asynccontextmanager
async def staged(port: int, watch: Watch = nobody) -> AsyncIterator[Stage]:
    """Set the demo up, and take it down again. `port`: the gateway's. Raises `CannotStart`."""
    clock = SystemClock()
    site = await asyncio.to_thread(lambda: QlikSimulator(clock=clock, nodes=NODES, virtual_proxies={"sales": "", "": ""}, watch=watch))
    with tempfile.TemporaryDirectory(prefix="qlikgw-demo-") as base:
        async with site, DemoOpenIdProvider(clock=clock, watch=watch) as provider:
            folder = write_folder(Path(base), site, provider, port=port, management_port=free_port())
            async with running(folder):
                yield Stage(site=site, provider=provider, public_url=f"http://{HOST}:{port}", folder=folder)


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
    """One login by a scripted browser, told hop by hop. 0: it ended with the right Qlik session."""
    log, watcher = io.StringIO(), Watcher()
    start_logging(level="info", form="json", stream=log)
    async with staged(port or free_port(), watcher) as stage, ScriptedBrowser() as browser:
        hub, began, trouble = stage.site.hub("sales"), time.perf_counter(), ""
        say(f"OpenID Connect: {WHO} signs in at {hub}")
        try:
            await sign_in(browser, hub)
        except (aiohttp.ClientError, TimeoutError) as error:
            trouble = f"{type(error).__name__}: {error}"
        evidence = Evidence(
            visits=browser.visits,
            sightings=watcher.sightings,
            log=[json.loads(line) for line in log.getvalue().splitlines()],
            hub=hub,
            gateway=stage.public_url,
            provider=stage.provider.issuer,
            expected=EXPECTED,
        )
        return report(evidence, began, trouble, say)


async def sign_in(browser: ScriptedBrowser, hub: str) -> None:
    """Open the hub, and choose a user on the provider's sign-in page if that is where it leads."""
    page = await browser.open(hub)
    form = PageReader(page.body).form
    if form is not None and "request" in form.fields:
        await browser.submit(page, form, user=WHO)


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
    users = [f"  sign in as  {user.sub:<7} {user.note}" for user in stage.provider.users]
    return [
        "",
        f"  Open        {stage.site.hub('sales')}",
        f"  or          {stage.site.hub('')}  (the default virtual proxy)",
        f"  or          {stage.site.hub('sales', NODES[1])}  (another node)",
        *users,
        f"  gateway     {stage.public_url}, configured by {stage.folder}",
        "  Ctrl-C ends everything. What follows is the gateway's log.",
        "",
    ]
