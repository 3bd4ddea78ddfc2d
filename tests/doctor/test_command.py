"""`qlikgw doctor` as people and programs call it: a process, its output, its exit code."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.flow.conftest import Worlds
from tests.flow.living import edit
from tests.flow.world import SECRET

ROOT = Path(__file__).parents[2]


async def doctor(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "doctor", *arguments),
        stdout=PIPE,
        stderr=PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, stdout.decode(), stderr.decode()


async def test_all_is_well_is_0_and_said_in_one_line(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    code, stdout, stderr = await doctor("--config", str(world.folder))
    assert code == 0, stdout
    assert stdout.splitlines()[-1] == "4 peers and sites examined: all is well"
    assert "\x1b" not in stdout
    assert stderr == ""


async def test_an_error_is_1_with_a_code_and_what_to_do(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    await world.providers["entra"].close()
    code, stdout, _ = await doctor("--config", str(world.folder))
    assert code == 1
    assert "identity provider entra\n" in stdout
    assert "  error[QGW-201]: discovery: " in stdout
    assert "      = help: may this machine go there?" in stdout
    assert stdout.splitlines()[-1] == "4 peers and sites examined: 1 error"


async def test_programs_get_json_and_nothing_else(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    await world.site.close()
    code, stdout, stderr = await doctor("--config", str(world.folder), "--format", "json")
    report = json.loads(stdout)
    assert code == 1
    assert {problem["severity"] for problem in report["problems"]} <= {"warning"}
    assert all(set(found) == {"about", "step", "status", "code", "message", "hint"} for found in report["findings"])
    assert {found["code"] for found in report["findings"] if found["status"] == "error"} == {"QGW-401"}
    assert stderr == ""


async def test_a_broken_configuration_is_told_as_check_does_and_nobody_is_asked(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    edit(world, "entra.yaml", lambda content: content.update(isuer="x"))
    asked = world.site.node().counters["rest_requests"]
    code, stdout, _ = await doctor("--config", str(world.folder))
    assert code == 1
    assert "did you mean" in stdout
    assert stdout.splitlines()[-1] == "Nothing was asked: mend these first."
    assert world.site.node().counters["rest_requests"] == asked
    code, stdout, _ = await doctor("--config", str(world.folder), "--format", "json")
    report = json.loads(stdout)
    assert (code, report["findings"]) == (1, [])
    assert "error" in {problem["severity"] for problem in report["problems"]}


async def test_usage_is_2() -> None:
    assert (await doctor("--config", "/nowhere/at/all"))[0] == 2
    assert (await doctor("--format", "sarif"))[0] == 2


async def test_no_secret_is_printed(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    await world.site.close()
    _, stdout, stderr = await doctor("--config", str(world.folder))
    assert SECRET not in stdout + stderr
    assert "PRIVATE KEY" not in stdout + stderr
