"""Systems under test as processes: started on a core of their own with a clean environment, waited for, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.bench import wire
from tests.bench.browser import Journey
from tests.bench.product import JOURNEYS, PUBLIC_URL, TICKET, journey, write_folder
from tests.bench.stage import HOST, Stage
from tests.ports import unused_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)
"""What the product and the yardstick run with: by `./dev bench`, an environment with nothing else in it than a site installs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What can be measured. `ready`: where an answer of 200 says that it serves, or None: an open port does. `journeys`: by row name."""

    name: str
    command: Sequence[str]
    journeys: Mapping[str, Journey]
    ready: tuple[str, int, str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A system that serves. `pid`: the root of its process tree; `after`: seconds from its start to its readiness."""

    system: System
    pid: int
    after: float


@asynccontextmanager
async def started(system: System, folder: Path, *, core: int | None, patience: float = START_SECONDS) -> AsyncIterator[Running]:
    """Run a system, which may take `patience` seconds to start.

    An inherited SSL_CERT_FILE alone can cost a peer most of its speed: it gets a clean environment.
    """
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder), **system.environment}
    began = time.perf_counter()
    with (folder / f"{system.name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220
            system.command,
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=None if core is None else partial(os.sched_setaffinity, 0, {core}),  # noqa: PLW1509
        )
    try:
        await _until_ready(system, process, patience)
        yield Running(system=system, pid=process.pid, after=time.perf_counter() - began)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, 10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def _until_ready(system: System, process: subprocess.Popen[bytes], patience: float) -> None:
    host, port, path = system.ready
    end = time.perf_counter() + patience
    while time.perf_counter() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{system.name} ended with {process.returncode}")
        try:
            _, connection = await asyncio.get_running_loop().create_connection(wire.ClientSide, host, port)
            if not path or (await connection.exchange(wire.request("GET", path, {"Host": host}))).status == 200:
                connection.close()
                return
        except (OSError, ConnectionError):
            pass
        await asyncio.sleep(0.01)
    raise RuntimeError(f"{system.name} does not serve")


def product(stage: Stage, **options: object) -> System:
    """The whole product; `options` are those of `write_folder`."""
    ports = (unused_port(), unused_port())
    folder = write_folder(stage, ports=ports, **options)  # type: ignore[arg-type]
    return System(
        name=f"qlikgw-{ports[0]}",
        command=[PYTHON, "-m", "gateway", "serve", "--config", str(folder)],
        journeys={name: journey(virtual_proxy, ports[0]) for name, virtual_proxy in JOURNEYS.items()},
        ready=(HOST, ports[1], "/readyz"),
    )


def yardstick(stage: Stage) -> System:
    """The least that the same libraries can do."""
    port = unused_port()
    node = f"https://{HOST}:{stage.qlik_port}/qps/bench/"
    query = "?targetId={target}&proxyRestUri=" + PUBLIC_URL
    return System(
        name="yardstick",
        command=[PYTHON, "-m", "tests.bench.yardstick", str(stage.folder), str(port), stage.provider.issuer, node],
        journeys={
            name: Journey(start=f"http://{HOST}:{port}/{start}/start{query}", ends=TICKET, address=(HOST, port))
            for name, start in (("OIDC", "oidc"), ("SAML", "saml"))
        },
        ready=(HOST, port, ""),
    )
