"""`qlikgw serve` as a process: probes, metrics, a graceful stop, and a clear refusal to start."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import yaml

from tests.flow.conftest import Worlds
from tests.flow.world import World

ROOT = Path(__file__).parents[2]


async def serve(folder: Path, *, before: Sequence[str] = ()) -> Process:
    command = (*before, sys.executable, "-m", "gateway", "serve", "--config", str(folder))
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})


async def lines_until(process: Process, event: str) -> list[dict[str, object]]:
    assert process.stdout
    lines: list[dict[str, object]] = []
    while not lines or lines[-1]["event"] != event:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert line, await process.stderr.read() if process.stderr else ""
        lines.append(json.loads(line))
    return lines


@asynccontextmanager
async def served(world: World, drain: str = "0s", before: Sequence[str] = ()) -> AsyncIterator[Process]:
    """The world's gateway, as a process of its own in the place of the one in this process."""
    await world.gateway.stop()
    file = world.folder / "gateway.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"drain": drain}))
    process = await serve(world.folder, before=before)
    try:
        await lines_until(process, "started")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_serves_logins_and_stops_gracefully(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    async with served(world) as process:
        assert (await world.sign_in(world.browser())).status == 200
        async with world.session.get(f"{world.management}/readyz") as response:
            assert (response.status, await response.json()) == (200, {"status": "ok"})
        async with world.session.get(f"{world.management}/livez") as response:
            assert response.status == 200
        metrics = await world.metrics()
        assert 'qlikgw_logins_total{code="",idp="entra",outcome="success",vp="sales"} 1.0' in metrics
        process.send_signal(signal.SIGTERM)
        lines = await lines_until(process, "stopped")
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert {"login_started", "login_succeeded", "request", "draining", "stopped"} <= {line["event"] for line in lines}


async def test_while_it_drains_it_is_not_ready_but_finishes_logins(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    async with served(world, drain="20s") as process:
        browser = world.browser()
        callback = await world.to_callback(browser)
        process.send_signal(signal.SIGTERM)
        await lines_until(process, "draining")
        async with world.session.get(f"{world.management}/readyz") as response:
            assert response.status == 503
        async with aiohttp.ClientSession() as fresh:
            browser._session = fresh
            assert (await browser.follow(callback)).status == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_broken_configuration_is_told_on_stderr_and_nothing_starts(worlds: Worlds) -> None:
    world = await worlds()
    await world.gateway.stop()
    (world.folder / "entra.yaml").write_text("schema: 1\nprotocol: oidc\nisuer: x\n")
    process = await serve(world.folder)
    stdout, stderr = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"did you mean" in stderr
    assert b"entra.yaml:3:1" in stderr
    assert not stdout


async def test_an_address_in_use_is_a_sentence_and_exit_1(worlds: Worlds) -> None:
    world = await worlds()
    process = await serve(world.folder)
    stdout, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"cannot_listen" in stdout
    assert b"Traceback" not in stdout


async def test_sighup_and_the_watch_reload_a_running_process(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    file = world.folder / "entra.yaml"
    async with served(world) as process:
        good = file.read_text()
        file.write_text(good.replace("qlik-users", "others"))
        process.send_signal(signal.SIGHUP)
        line = (await lines_until(process, "config_reloaded"))[-1]
        assert line["changed"] == ["identity provider entra"]
        assert (await world.sign_in(world.browser())).code == "QGW-306"
        file.write_text("protocol: oidc\n")
        refused = (await lines_until(process, "config_refused"))[-1]
        assert "entra.yaml:1:1: QGW-505" in str(refused["errors"])
        assert "qlikgw_config_last_reload_successful 0.0" in await world.metrics()
        file.write_text(good)
        await lines_until(process, "config_reloaded")
        assert (await world.sign_in(world.browser())).status == 200
        process.send_signal(signal.SIGHUP)
        assert (await lines_until(process, "config_reloaded"))[-1]["changed"] == []
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_the_log_level_follows_the_configuration(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    file = world.folder / "gateway.yaml"
    async with served(world) as process:
        whole = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(whole | {"logging": {"level": "warning"}}))
        process.send_signal(signal.SIGHUP)
        reloads = 'qlikgw_config_reloads_total{outcome="applied"} 1.0'
        while reloads not in await world.metrics():
            pass
        assert (await world.sign_in(world.browser(), user="bob")).code == "QGW-306"
        lines = await lines_until(process, "login_rejected")
        assert [line["event"] for line in lines] == ["login_rejected"]


async def test_more_connections_come_in_than_a_process_may_have_open_at_first(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    async with served(world, before=("sh", "-c", 'ulimit -S -n 64; exec "$@"', "sh")):
        port = int(world.url.rpartition(":")[2])
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        for reader, writer in clients:
            writer.write(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b" 404 " in await asyncio.wait_for(reader.readline(), 20)
        for _, writer in clients:
            writer.close()


async def test_a_system_that_allows_too_few_open_files_is_told_of(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    await world.gateway.stop()
    process = await serve(world.folder, before=("sh", "-c", 'ulimit -n 256; exec "$@"', "sh"))
    lines = await lines_until(process, "started")
    process.terminate()
    await process.communicate()
    assert [(line["allowed"], line["level"]) for line in lines if line["event"] == "few_open_files"] == [(256, "warning")]
