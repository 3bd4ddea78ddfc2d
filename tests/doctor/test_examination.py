"""What is found about real peers on loopback: providers and nodes of the simulator, TLS servers, a forward proxy's absence, Redis."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from joserfc.jwk import RSAKey

from gateway import config
from gateway.demo.certificates import make_site, make_web
from gateway.doctor import Finding, FindingCode, Status, examination, examine, notes
from gateway.doctor.notes import ahead
from gateway.model import HttpResponse
from gateway.ports import Clock
from gateway.system import SystemClock, SystemEntropy
from tests.fakes import FixedClock
from tests.flow.conftest import Worlds
from tests.flow.living import edit
from tests.flow.world import World
from tests.peers.redis import RedisServer
from tests.ports import unused_port

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def examined(folder: Path, clock: Clock | None = None, environ: dict[str, str] | None = None) -> list[Finding]:
    loaded = config.load(folder, environ=environ or {})
    assert loaded.configuration, loaded.problems
    return await examine(loaded.configuration, clock=clock or SystemClock(), entropy=SystemEntropy())


def wrong(findings: list[Finding]) -> list[tuple[str, str, str | None]]:
    """Everything that is not as it should be: kind of peer, step, code."""
    return [(found.about.split()[0], found.step, found.code) for found in findings if found.status is not Status.OK]


def the(findings: list[Finding], about: str, step: str) -> Finding:
    (found,) = (finding for finding in findings if finding.about.startswith(about) and finding.step == step)
    return found


@asynccontextmanager
async def https_server(handler: Handler, certificate: tuple[bytes, bytes], folder: Path) -> AsyncIterator[str]:
    """A web server on loopback that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (folder / "server.pem").write_bytes(b"".join(certificate))
    context.load_cert_chain(folder / "server.pem")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def as_issuer(world: World, issuer: str, *, ca: bytes | None) -> None:
    """The world's OpenID provider is to be found elsewhere."""
    edit(world, "entra.yaml", lambda content: content.update(issuer=issuer))
    if ca is not None:
        (world.folder.parent / "certs" / "web-ca.pem").write_bytes(ca)
        edit(world, "gateway.yaml", lambda content: content.update(outbound={"ca": "../certs/web-ca.pem"}))


# All is well


async def test_where_all_is_well_nothing_is_found_and_nothing_is_changed(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock, prefixes=("sales", ""), saml=("adfs",))
    findings = await examined(world.folder)
    assert wrong(findings) == []
    steps = [(found.about.split()[0], found.step) for found in findings]
    assert steps[:4] == [("identity", step) for step in ("name", "metadata", "clock", "signing certificate")]
    assert ("identity", "discovery") in steps
    assert ("identity", "keys") in steps
    for node in world.site.nodes:
        of_node = [found.step for found in findings if found.about.startswith(f"node https://{node}")]
        assert of_node == ["name", "virtual proxy sales", "virtual proxy default", "certificate", "clock"]
        counters = world.site.node(node).counters
        assert counters["tickets_issued"] == counters["sessions_ended"] == 0
        assert counters["rest_requests_with_certificate"] == 2
    assert [found.step for found in findings if found.about == "site prod"] == ["client_certificate", "ca"]


async def test_every_finding_that_is_not_ok_has_a_code_and_says_what_to_do(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    await world.site.close()
    await world.providers["entra"].close()
    findings = await examined(world.folder)
    bad = [found for found in findings if found.status is not Status.OK]
    assert len(bad) == 3
    assert all(found.code and found.hint and found.message for found in bad)


# Identity providers


async def test_a_provider_that_does_not_answer(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    await world.providers["entra"].close()
    assert wrong(await examined(world.folder)) == [("identity", "discovery", "QGW-201")]


async def test_a_name_that_leads_nowhere(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    as_issuer(world, "https://login.invalid", ca=None)
    findings = await examined(world.folder)
    assert wrong(findings) == [("identity", "name", "QGW-201")]
    assert "the name login.invalid leads nowhere" in the(findings, "identity", "name").message
    assert "name servers" in str(the(findings, "identity", "name").hint)


async def test_an_address_that_the_gateway_would_not_go_to(worlds: Worlds, real_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads into a private network. Nothing is sent there."""
    world = await worlds(clock=real_clock)
    as_issuer(world, "https://login.example", ca=None)

    async def private(*_: object) -> tuple[str, ...]:
        return ("10.1.2.3",)

    monkeypatch.setattr("gateway.doctor.network.addresses", private)
    findings = [found for found in await examined(world.folder) if found.about.startswith("identity")]
    assert wrong(findings) == [("identity", "name", "QGW-208")]
    assert "10.1.2.3" in findings[-1].message
    assert "outbound.allow_private" in str(findings[-1].hint)


async def test_another_issuers_document(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    edit(world, "entra.yaml", lambda content: content.update(issuer=content["issuer"] + "/"))
    findings = await examined(world.folder)
    assert wrong(findings) == [("identity", "discovery", "QGW-203")]
    assert "configured is" in the(findings, "identity", "discovery").message


async def test_keys_that_fit_no_pinned_algorithm(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    edit(world, "entra.yaml", lambda content: content.update(id_token_algorithms=["ES256"]))
    findings = await examined(world.folder)
    assert wrong(findings) == [("identity", "keys", FindingCode.NO_KEY)]
    assert the(findings, "identity", "keys").status is Status.ERROR


async def test_keys_that_fit_some_pinned_algorithms(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    edit(world, "entra.yaml", lambda content: content.update(id_token_algorithms=["RS256", "ES256"]))
    assert the(await examined(world.folder), "identity", "keys").status is Status.WARNING


async def test_metadata_of_another_entity(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock, idps=(), saml=("adfs",))
    edit(world, "adfs.yaml", lambda content: content.update(entity_id="https://other.example/metadata"))
    assert [step for _, step, _ in wrong(await examined(world.folder))] == ["metadata"]


@pytest.mark.parametrize(("days", "status", "code"), [(5, Status.WARNING, "QGW-523"), (60, Status.OK, None)])
async def test_a_providers_certificate_has_an_end(worlds: Worlds, tmp_path: Path, days: int, status: Status, code: str | None) -> None:
    world = await worlds(clock=SystemClock())
    made = make_web(["localhost"], not_before=datetime.now(UTC) - timedelta(days=90 - days))

    async def nothing(_: web.Request) -> web.Response:
        return web.json_response({"issuer": "?"})

    async with https_server(nothing, made.servers["localhost"], tmp_path) as url:
        as_issuer(world, url, ca=made.ca)
        found = the(await examined(world.folder), "identity", "certificate")
    assert (found.status, found.code) == (status, code)


async def test_a_certificate_of_an_unknown_authority_is_told_in_openssls_words(worlds: Worlds, real_clock: object, tmp_path: Path) -> None:
    world = await worlds(clock=real_clock)
    made = make_web(["localhost"])

    async def nothing(_: web.Request) -> web.Response:
        raise AssertionError("no request may come this far")

    async with https_server(nothing, made.servers["localhost"], tmp_path) as url:
        as_issuer(world, url, ca=None)
        findings = await examined(world.folder)
    assert wrong(findings) == [("identity", "certificate", "QGW-201")]
    assert "unable to get local issuer certificate" in the(findings, "identity", "certificate").message
    assert "outbound.ca" in str(the(findings, "identity", "certificate").hint)


async def test_behind_a_forward_proxy_names_and_certificates_are_not_ours_to_see(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    edit(world, "gateway.yaml", lambda content: content.update(outbound={"proxy": f"http://127.0.0.1:{unused_port()}"}))
    findings = [found for found in await examined(world.folder) if found.about.startswith("identity")]
    assert [(found.step, found.code) for found in findings] == [("name", None), ("discovery", "QGW-201")]


@pytest.mark.parametrize(("host", "code"), [("localhost", None), ("tokens.invalid", "QGW-201")])
async def test_a_token_endpoint_on_another_host_is_looked_at_too(worlds: Worlds, tmp_path: Path, host: str, code: str | None) -> None:
    """Only its name and certificate: a code is sent there by a login alone."""
    world = await worlds(clock=SystemClock())
    made = make_web(["localhost"])
    asked: list[str] = []

    async def provider(request: web.Request) -> web.Response:
        asked.append(request.path)
        base = f"https://{request.host}"
        if request.path == "/jwks":
            return web.json_response({"keys": [RSAKey.generate_key(2048).as_dict(private=False)]})
        other = f"https://{host}:{tokens.rpartition(':')[2]}/token"
        return web.json_response(
            {"issuer": base, "authorization_endpoint": f"{base}/authorize", "token_endpoint": other, "jwks_uri": f"{base}/jwks"}
        )

    async with (
        https_server(provider, made.servers["localhost"], tmp_path) as tokens,
        https_server(provider, made.servers["localhost"], tmp_path) as issuer,
    ):
        as_issuer(world, issuer, ca=made.ca)
        findings = [found for found in await examined(world.folder) if found.about.startswith("identity")]
    assert asked == ["/.well-known/openid-configuration", "/jwks"]
    assert [found.step for found in findings] == [
        "name",
        "certificate",
        "discovery",
        "clock",
        "keys",
        "name",
        *(["certificate"] if not code else []),
    ]
    assert wrong(findings) == ([("identity", "name", code)] if code else [])


# Clocks


@pytest.mark.parametrize(
    ("minutes", "status"), [(0, Status.OK), (0.75, Status.WARNING), (-0.75, Status.WARNING), (10, Status.ERROR), (-10, Status.ERROR)]
)
async def test_clocks_that_differ_are_told(worlds: Worlds, real_clock: object, minutes: float, status: Status) -> None:
    """The tolerance of an OpenID provider is its clock_skew, a minute; from half of that on it is a warning."""
    world = await worlds(clock=real_clock)
    ours = FixedClock(datetime.now(UTC) - timedelta(minutes=minutes))
    found = the(await examined(world.folder, clock=ours), "identity", "clock")
    assert found.status is status
    if status is not Status.OK:
        assert found.code == FindingCode.CLOCK
        assert ("ahead of" if minutes > 0 else "behind") in found.message


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Sat, 21 Nov 2026 12:00:00 GMT", 0),
        ("Sat, 21 Nov 2026 12:00:01 GMT", 0),
        ("Sat, 21 Nov 2026 12:00:05 GMT", 3),
        ("Sat, 21 Nov 2026 11:59:59 GMT", 0),
        ("Sat, 21 Nov 2026 11:59:50 GMT", -9),
        ("Sat, 21 Nov 2026 14:00:01 +0200", 0),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_date_header_says_how_far_a_clock_is_off_at_least(date: str | None, expected: int | None) -> None:
    """Asked at 12:00:00, answered at 12:00:02. The header has no fractions of a second."""
    asked = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    response = HttpResponse(status=200, headers={} if date is None else {"date": date}, body=b"")
    found = ahead(response, asked, asked + timedelta(seconds=2))
    assert found == (None if expected is None else timedelta(seconds=expected))


# Nodes


async def test_a_node_that_does_not_answer(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    await world.site.close()
    assert wrong(await examined(world.folder)) == [("node", "virtual proxy sales", "QGW-401")] * 2


async def test_a_node_of_another_site_never_gets_the_certificate(worlds: Worlds, real_clock: object) -> None:
    other = make_site(["qlik1.corp.example"], host_of_root="qlik1")
    world = await worlds(clock=real_clock)
    (world.folder.parent / "certs" / "root.pem").write_bytes(other.root)
    findings = await examined(world.folder)
    assert wrong(findings) == [("node", "virtual proxy sales", "QGW-402")] * 2
    assert all(world.site.node(node).counters["rest_requests"] == 0 for node in world.site.nodes)


async def test_a_virtual_proxy_that_the_node_does_not_know_hides_no_other(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)

    def add(content: dict[str, Any]) -> None:
        content["virtual_proxies"] = {
            "extra": deepcopy(content["virtual_proxies"]["sales"]) | {"prefix": "extra"},
            **content["virtual_proxies"],
        }

    edit(world, "gateway.yaml", add)
    findings = await examined(world.folder)
    assert wrong(findings) == [("node", "virtual proxy extra", "QGW-405")] * 2
    assert sum(found.step == "virtual proxy sales" and found.status is Status.OK for found in findings) == 2


async def test_the_ends_of_the_sites_certificates_are_told(worlds: Worlds, real_clock: object) -> None:
    world = await worlds(clock=real_clock)
    in_ten_years = FixedClock(datetime.now(UTC) + timedelta(days=3650))
    found = wrong(await examined(world.folder, clock=in_ten_years))
    assert ("site", "client_certificate", FindingCode.ENDS_SOON) in found
    assert ("site", "ca", FindingCode.ENDS_SOON) in found
    assert ("node", "certificate", FindingCode.ENDS_SOON) in found
    later = FixedClock(datetime.now(UTC) + timedelta(days=3700))
    assert ("node", "certificate", FindingCode.ENDED) in wrong(await examined(world.folder, clock=later))


# Time


async def test_a_peer_that_never_answers_holds_up_nobody(worlds: Worlds, real_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """All peers are asked at once, and each step has its time."""
    monkeypatch.setattr(notes, "STEP_SECONDS", 0.3)
    world = await worlds(clock=real_clock)
    came: list[asyncio.StreamWriter] = []

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    as_issuer(world, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", ca=None)
    try:
        findings = await asyncio.wait_for(examined(world.folder), 10)
    finally:
        server.close()
        for writer in came:
            writer.close()
            await writer.wait_closed()
    assert len(came) == 1
    assert wrong(findings) == [("identity", "discovery", "QGW-201")]
    assert "within" in the(findings, "identity", "discovery").message


async def test_a_peer_with_too_many_slow_steps_is_broken_off(worlds: Worlds, real_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "PEER_SECONDS", 0.0)
    world = await worlds(clock=real_clock)
    findings = await examined(world.folder)
    assert {(found.step, found.code) for found in findings if found.status is Status.ERROR} == {("time", "QGW-500")}


# The store


def with_store(world: World) -> None:
    edit(world, "gateway.yaml", lambda content: content.update(store={"url": {"env": "QLIKGW_STORE_URL"}}))


@pytest.mark.needs("redis")
@pytest.mark.parametrize(("policy", "status"), [("noeviction", Status.OK), ("allkeys-lru", Status.WARNING)])
async def test_a_store_that_may_forget_is_told(worlds: Worlds, real_clock: object, redis: RedisServer, policy: str, status: Status) -> None:
    world = await worlds(clock=real_clock)
    with_store(world)
    redis.ask("CONFIG", "SET", "maxmemory-policy", policy)
    findings = await examined(world.folder, environ={"QLIKGW_STORE_URL": redis.url})
    found = the(findings, "store", "maxmemory-policy")
    assert (found.status, found.code) == (status, None if status is Status.OK else FindingCode.MAY_FORGET)
    assert the(findings, "store", "write").status is Status.OK


@pytest.mark.needs("redis")
async def test_a_store_that_does_not_answer(worlds: Worlds, real_clock: object, redis: RedisServer) -> None:
    world = await worlds(clock=real_clock)
    with_store(world)
    redis.stop()
    findings = await examined(world.folder, environ={"QLIKGW_STORE_URL": redis.url})
    assert wrong(findings) == [("store", "write", "QGW-601")]


def test_the_documentation_has_every_code_of_its_own() -> None:
    text = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    assert [code for code in FindingCode if code.value not in text] == []
