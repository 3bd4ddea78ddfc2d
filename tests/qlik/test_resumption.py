"""Sessions towards nodes are resumed where that is sound, and only there."""

import asyncio
import contextlib
import gc
import random
import ssl
import time
import weakref

import pytest

from gateway.errors import NodeNotVerified, NodeUnreachable
from gateway.protocol.qps import Node, read_node
from gateway.qlik import resumption
from gateway.qlik.connections import SiteConnections
from gateway.qlik.material import read_client, read_roots
from gateway.qlik.trust import SiteTrust
from tests.peers.node import NAME, Ask, Fault, Reply, TlsNode, always, in_turn, other_site_certificates, site_certificates
from tests.qlik.test_connections import request

SITE = site_certificates()
CLOSE = Reply(200, b"well", closes=True)
CLOSING = always(CLOSE)
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


def new_trust() -> SiteTrust:
    return SiteTrust(client=read_client(SITE.client, SITE.client_key, None), roots=read_roots(SITE.root), pins={})


def route(node: TlsNode, **names: str) -> Node:
    return read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at, **names)


async def ask(trust: SiteTrust, node: TlsNode, times: int = 1, **names: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        pool = SiteConnections(trust)
        stack.push_async_callback(pool.close)
        for _ in range(times):
            await pool.to(route(node, **names)).send(request(node))


@VERSIONS
async def test_a_second_connection_resumes_the_first_and_bears_the_certificate_on(version: ssl.TLSVersion) -> None:
    async with TlsNode(answers=CLOSING, version=version) as node:
        await ask(new_trust(), node, 3)
        await node.settled()
    assert [seen.resumed for seen in node.seen] == [False, True, True]
    assert {seen.certificate for seen in node.seen} == {ssl.PEM_cert_to_DER_cert(SITE.client.decode())}


async def test_a_node_that_asks_late_gets_the_certificate_on_every_connection() -> None:
    async with TlsNode(answers=CLOSING, ask=Ask.LATE, version=ssl.TLSVersion.TLSv1_3) as node:
        await ask(new_trust(), node, 3)
    assert {seen.certificate for seen in node.seen} == {ssl.PEM_cert_to_DER_cert(SITE.client.decode())}


@VERSIONS
async def test_a_node_that_forgot_its_sessions_gets_a_full_handshake(version: ssl.TLSVersion) -> None:
    trust, seen = new_trust(), []
    for _ in range(2):
        async with TlsNode(answers=CLOSING, version=version) as node:  # with keys of its own for tickets
            await ask(trust, node, 2)
        seen += [one.resumed for one in node.seen]
    assert seen == [False, True, False, True]


@VERSIONS
async def test_after_a_failure_the_node_gets_a_full_handshake(version: ssl.TLSVersion) -> None:
    """It may be the resumption that it cannot do: then nobody would come in before the session is too old."""
    trust = new_trust()
    async with TlsNode(answers=in_turn([CLOSE, CLOSE, Fault.DROP, CLOSE, CLOSE]), version=version) as node:
        await ask(trust, node, 2)
        with pytest.raises(NodeUnreachable):
            await ask(trust, node)
        await ask(trust, node, 2)
    assert [seen.resumed for seen in node.seen] == [False, True, True, False, True]


@pytest.mark.parametrize("versions", [(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3), (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)])
async def test_a_node_may_change_its_version_of_tls(versions: tuple[ssl.TLSVersion, ...]) -> None:
    trust = new_trust()
    for version in versions:
        async with TlsNode(answers=CLOSING, version=version) as node:
            await ask(trust, node, 2)
        assert [seen.resumed for seen in node.seen] == [False, True]


@VERSIONS
async def test_a_session_that_cannot_be_used_costs_no_more_than_a_full_handshake(version: ssl.TLSVersion) -> None:
    trust, other = new_trust(), new_trust()
    async with TlsNode(answers=CLOSING, version=version) as node:
        for one in (trust, other):
            await ask(one, node)
        context = trust.context(route(node))
        context._known[NAME].session = other.context(route(node))._known[NAME].session  # "refers to a different SSLContext"
        with pytest.raises(ValueError, match="SSLContext"):
            ssl.SSLContext.wrap_bio(context, ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=NAME, session=context._known[NAME].session)
        await ask(trust, node, 2)
    assert [seen.resumed for seen in node.seen] == [False, False, False, True]


@pytest.mark.parametrize("trouble", [ValueError("i2d() failed"), ssl.SSLError("internal error")])
async def test_a_session_that_cannot_be_had_costs_no_login(trouble: Exception) -> None:
    class Unwilling:
        session_reused = False

        def version(self) -> str:
            return "TLSv1.3"

        @property
        def session(self) -> ssl.SSLSession:
            raise trouble

    context = new_trust().context(read_node(f"https://{NAME}:4243/qps/"))
    server, unwilling = server_context(ssl.TLSVersion.TLSv1_3), Unwilling()
    assert [one_connection(context, server) for _ in range(2)] == [False, True]
    context._known[NAME].newest = weakref.ref(unwilling)  # type: ignore[arg-type]
    context.learn(NAME)
    assert one_connection(context, server) is True


@VERSIONS
@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_order_no_connection_rests_on_an_older_proof(
    monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion, seed: int
) -> None:
    """Each connection's proof is its own full handshake, or that of the session it was offered when it began."""
    now, dice = 10.0, random.Random(seed)  # noqa: S311 - a repeatable test
    monkeypatch.setattr(time, "monotonic", lambda: now)
    context, server = new_trust().context(read_node(f"https://{NAME}:4243/qps/")), server_context(version)
    proof_of: dict[int, float] = {}  # of a session, by its identity: `kept` has them live
    kept, resumed = [], 0

    class Begun:
        def __init__(self) -> None:
            there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
            known = context._sessions().get(NAME)
            self.offered, self.begun = known and known.session, now
            self.ours = context.wrap_bio(back, there, server_hostname=NAME)
            self.theirs = server.wrap_bio(there, back, server_side=True)

        def go_on(self) -> bool:
            """Whether it has come to its answer."""
            for side in (self.ours, self.theirs):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
            return self.ours.version() is not None and self.theirs.version() is not None

        def answer(self) -> float:
            self.theirs.write(b"an answer")
            self.ours.read()
            return proof_of[id(self.offered)] if self.ours.session_reused else self.begun

    under_way: list[Begun] = []
    proofs: dict[ssl.SSLObject, float] = {}
    for _ in range(150):
        now += dice.choice([0, 1, 50, 250])
        if dice.random() < 0.4 or not under_way:
            under_way.append(Begun())
        chosen = dice.choice(under_way)
        if chosen.go_on():
            under_way.remove(chosen)
            proof = proofs[chosen.ours] = chosen.answer()
            resumed += bool(chosen.ours.session_reused)
            assert chosen.begun - proof < resumption.PROOF_SECONDS
            context.learn(NAME)
            known = context._known[NAME]
            if known.session is not None and id(known.session) not in proof_of:
                newest = known.newest()
                assert newest is not None
                kept.append(known.session)
                proof_of[id(known.session)] = proofs[newest]
    assert resumed


@VERSIONS
async def test_a_session_serves_its_own_server_name_alone(version: ssl.TLSVersion) -> None:
    trust = new_trust()
    async with TlsNode(answers=CLOSING, version=version) as node:
        await ask(trust, node, 2)
        with pytest.raises(NodeNotVerified):
            await ask(trust, node, server_name="qlik2.corp.example")
    assert [seen.resumed for seen in node.seen] == [False, True, False]


@VERSIONS
async def test_another_machine_under_that_name_has_to_prove_itself(version: ssl.TLSVersion) -> None:
    trust = new_trust()
    async with TlsNode(answers=CLOSING, version=version) as node:
        await ask(trust, node)
    async with TlsNode(other_site_certificates().servers[NAME], answers=CLOSING, version=version) as foreign:
        with pytest.raises(NodeNotVerified):
            await ask(trust, foreign)
    assert foreign.requests == []


async def test_a_new_configuration_resumes_nothing_of_the_one_before() -> None:
    async with TlsNode(answers=CLOSING) as node:
        await ask(new_trust(), node, 2)
        await ask(new_trust(), node)
    assert [seen.resumed for seen in node.seen] == [False, True, False]


@VERSIONS
async def test_after_a_while_the_node_proves_itself_again_however_often_it_was_resumed(
    monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    context = new_trust().context(read_node(f"https://{NAME}:4243/qps/"))
    server = server_context(version)
    resumed = []
    for _ in range(7):
        resumed.append(await asyncio.to_thread(one_connection, context, server))
        now += resumption.PROOF_SECONDS / 3 + 1
    assert resumed == [False, True, True, False, True, True, False]


def server_context(version: ssl.TLSVersion) -> ssl.SSLContext:
    node = TlsNode(version=version)
    return node._context


def one_connection(context: resumption.ResumingContext, server: ssl.SSLContext) -> bool:
    """A handshake in memory, one answer, and what was learnt; whether it was resumed."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = context.wrap_bio(back, there, server_hostname=NAME), server.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    theirs.write(b"an answer")
    assert ours.read() == b"an answer"
    context.learn(NAME)
    return bool(ours.session_reused)


@VERSIONS
async def test_nothing_is_learnt_of_a_connection_whose_handshake_is_under_way(version: ssl.TLSVersion) -> None:
    async with TlsNode(version=version) as node:
        trust = new_trust()
        pool = SiteConnections(trust)
        await asyncio.gather(*(pool.to(route(node)).send(request(node)) for _ in range(12)))
        await pool.close()
        await ask(trust, node)
    assert [seen.resumed for seen in node.seen][-1:] == [True]


@VERSIONS
def test_a_handshake_may_stand_at_any_point_while_another_connection_is_learnt_of(version: ssl.TLSVersion) -> None:
    context, server = new_trust().context(read_node(f"https://{NAME}:4243/qps/")), server_context(version)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = context.wrap_bio(back, there, server_hostname=NAME), server.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs) * 3:
        context.learn(NAME)
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    one_connection(context, server)
    assert one_connection(context, server) is True


def test_a_connection_without_a_ticket_takes_nothing_away() -> None:
    context = new_trust().context(read_node(f"https://{NAME}:4243/qps/"))
    server, sparing = server_context(ssl.TLSVersion.TLSv1_3), server_context(ssl.TLSVersion.TLSv1_3)
    sparing.num_tickets = 0
    assert [one_connection(context, each) for each in (server, sparing, server)] == [False, False, True]


def test_a_context_that_nobody_uses_any_more_goes_with_its_sessions() -> None:
    context, server = new_trust().context(read_node(f"https://{NAME}:4243/qps/")), server_context(ssl.TLSVersion.TLSv1_3)
    assert [one_connection(context, server) for _ in range(2)] == [False, True]
    gone = weakref.ref(context)
    del context
    gc.collect()
    assert gone() is None
