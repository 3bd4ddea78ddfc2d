"""A fault outside every handler, at either port: told with its place, and neither shown nor logged with what it says."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from gateway.lines import start_logging
from gateway.metrics import Metrics
from gateway.web import middleware
from tests.flow.world import World

SAID = "what-was-sent"


def broken(*_: object, **__: object) -> bytes:
    raise RuntimeError(SAID)


@pytest.mark.parametrize("port", ["gateway", "management"])
async def test_it_is_a_page_with_a_reference_and_a_line_that_says_where(world: World, monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    log = io.StringIO()
    start_logging(stream=log)
    monkeypatch.setattr(middleware, "served", broken)
    monkeypatch.setattr(Metrics, "render", broken)
    answer = await world.browser().get(world.url + "/vp/sales/login" if port == "gateway" else world.management + "/metrics")
    assert (answer.status, answer.code) == (500, "QGW-500")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (crash,) = [line for line in lines if line["event"] == "crash"]
    assert crash["exception"] == "RuntimeError"
    assert crash["correlation_id"] in answer.text
    assert SAID not in answer.text + log.getvalue()


async def test_what_is_no_request_is_refused_at_the_management_port_as_at_the_other(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.management.rpartition(":")[2]))
    writer.write(b"CANARY<script>\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(65536), 20)
    writer.close()
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"QGW-118" in answer
    assert b"CANARY" not in answer
