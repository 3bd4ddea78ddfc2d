"""Connections: kept, retried once when they turn out to be dead, and given up in time."""

import asyncio
import contextlib
import gc
import random
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.errors import NodeAnswer, NodeUnreachable
from gateway.model import HttpRequest
from gateway.protocol.qps import Node, read_node
from gateway.qlik import connections
from gateway.qlik.connections import SiteConnections
from gateway.qlik.material import read_client, read_roots
from gateway.qlik.trust import SiteTrust
from tests.peers.node import NAME, Answer, Fault, Reply, Request, TlsNode, always, in_turn, site_certificates

SITE = site_certificates()
OK = Reply(200, b"well")


@pytest.fixture
async def pool() -> AsyncIterator[SiteConnections]:
    trust = SiteTrust(client=read_client(SITE.client, SITE.client_key, None), roots=read_roots(SITE.root), pins={})
    opened = SiteConnections(trust)
    yield opened
    await opened.close()


def route(node: TlsNode, **names: str) -> Node:
    return read_node(f"https://{NAME}:4243/qps/", reach_at=node.reach_at, **names)


def request(node: TlsNode, *, timeout: float = 10.0, limit: int = 1000) -> HttpRequest:
    return HttpRequest(method="POST", url=f"{node.reach_at}ticket", body=b"{}", timeout=timeout, limit=limit)


async def test_one_connection_serves_many_requests(pool: SiteConnections) -> None:
    async with TlsNode(answers=always(OK)) as node:
        for _ in range(20):
            assert (await pool.to(route(node)).send(request(node))).body == b"well"
    assert [len(seen.requests) for seen in node.seen] == [20]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_requests_at_the_same_time_open_connections_and_later_ones_use_them(pool: SiteConnections, version: ssl.TLSVersion) -> None:
    async with TlsNode(answers=always(OK), version=version) as node:
        for _ in range(3):
            await asyncio.gather(*(pool.to(route(node)).send(request(node)) for _ in range(5)))
        assert len(node.seen) == 5


async def test_connections_to_one_node_are_bounded(pool: SiteConnections) -> None:
    all_in, arrived = asyncio.Event(), 0

    async def answer(_request: Request) -> Answer:
        nonlocal arrived
        arrived += 1
        if arrived == connections.CONNECTIONS_PER_NODE:
            all_in.set()
        await all_in.wait()
        return OK

    async with TlsNode(answers=answer) as node:
        await asyncio.gather(*(pool.to(route(node)).send(request(node)) for _ in range(connections.CONNECTIONS_PER_NODE + 20)))
        assert len(node.seen) == connections.CONNECTIONS_PER_NODE


async def test_nodes_with_other_names_at_the_same_address_share_no_connection(pool: SiteConnections) -> None:
    async with TlsNode(answers=always(OK)) as node:
        await pool.to(route(node)).send(request(node))
        with contextlib.suppress(Exception):
            await pool.to(route(node, server_name="QLIK_1")).send(request(node))
    assert [len(seen.requests) for seen in node.seen] == [1, 0]


async def test_the_answer_is_handed_on_as_it_came(pool: SiteConnections) -> None:
    async with TlsNode(answers=always(Reply(418, b"\x00\xff", ("X-Some: Thing",)))) as node:
        response = await pool.to(route(node)).send(request(node))
    assert (response.status, response.headers["x-some"], response.body) == (418, "Thing", b"\x00\xff")


async def test_a_body_may_take_its_limit_and_no_more(pool: SiteConnections) -> None:
    async with TlsNode(answers=always(Reply(200, b"x" * 1000))) as node:
        assert len((await pool.to(route(node)).send(request(node, limit=1000))).body) == 1000
        with pytest.raises(NodeAnswer, match="more than 999 bytes"):
            await pool.to(route(node)).send(request(node, limit=999))


# ---- a dead kept-alive connection ------------------------------------------------------------------------------------


async def test_a_kept_alive_connection_that_is_dead_costs_one_more_connection(pool: SiteConnections) -> None:
    async with TlsNode(answers=in_turn([OK, Fault.DROP, OK])) as node:
        await pool.to(route(node)).send(request(node))
        assert (await pool.to(route(node)).send(request(node))).body == b"well"
    assert [len(seen.requests) for seen in node.seen] == [2, 1]


async def test_the_retry_is_not_retried(pool: SiteConnections) -> None:
    async with TlsNode(answers=in_turn([OK, Fault.DROP, Fault.DROP, OK])) as node:
        await pool.to(route(node)).send(request(node))
        with pytest.raises(NodeUnreachable):
            await pool.to(route(node)).send(request(node))
    assert [len(seen.requests) for seen in node.seen] == [2, 1]


async def test_the_retry_does_not_take_another_dead_connection_from_the_pool(pool: SiteConnections) -> None:
    together, arrived = asyncio.Event(), 0

    async def answer(_request: Request) -> Answer:
        nonlocal arrived
        arrived += 1
        if arrived <= 2:
            if arrived == 2:
                together.set()
            await together.wait()
            return OK
        return Fault.DROP if arrived == 3 else OK

    async with TlsNode(answers=answer) as node:
        await asyncio.gather(*(pool.to(route(node)).send(request(node)) for _ in range(2)))
        assert (await pool.to(route(node)).send(request(node))).body == b"well"
    assert sorted(len(seen.requests) for seen in node.seen) == [1, 1, 2]


async def test_a_fresh_connection_that_breaks_off_is_not_retried(pool: SiteConnections) -> None:
    async with TlsNode(answers=always(Fault.DROP)) as node:
        with pytest.raises(NodeUnreachable):
            await pool.to(route(node)).send(request(node))
    assert len(node.requests) == 1


@pytest.mark.parametrize("piece", [b"H", b"HTTP/1.1 201 Cre", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_an_answer_of_which_only_the_first_bytes_come_is_not_retried(pool: SiteConnections, piece: bytes) -> None:
    """The node has done what was asked."""
    async with TlsNode(answers=in_turn([OK, piece])) as node:
        await pool.to(route(node)).send(request(node))
        waiting = asyncio.create_task(pool.to(route(node)).send(request(node)))
        while len(node.requests) < 2:  # noqa: ASYNC110 - what is waited for is the loop's own doing
            await asyncio.sleep(0)
        await node.end_connections()
        with pytest.raises(NodeAnswer, match="breaks off"):
            await waiting
    assert [len(seen.requests) for seen in node.seen] == [2]


async def test_a_request_may_be_given_up_at_any_moment_and_the_next_one_gets_its_own_answer(pool: SiteConnections) -> None:
    async def answer(asked: Request) -> Answer:
        await asyncio.sleep(0)
        return Reply(200, asked.path.encode(), closes=asked.path.endswith("0"))

    dice = random.Random(1)  # noqa: S311 - a repeatable test
    async with TlsNode(answers=answer) as node:
        way = pool.to(route(node))

        async def ask(number: int, moments: int) -> None:
            sent = replace(request(node), url=f"{node.reach_at}{number}")
            asking = asyncio.create_task(way.send(sent))
            for _ in range(moments):
                await asyncio.sleep(0)
            if number % 3:
                asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                assert (await asking).body == f"/qps/{number}".encode()

        for turn in range(0, 200, 5):
            await asyncio.gather(*(ask(number, dice.randrange(80)) for number in range(turn, turn + 5)))
        assert way._pool._room._value == connections.CONNECTIONS_PER_NODE
        assert sum(connection.usable for connection in way._pool._all) <= 5
    gc.collect()  # a socket that nobody closed says so


async def test_an_answer_that_trickles_is_given_up_in_time(pool: SiteConnections) -> None:
    """Each byte comes soon; all of them would not."""
    async with TlsNode(answers=always(Fault.TRICKLE)) as node:
        with pytest.raises(NodeUnreachable, match="in time"):
            await pool.to(route(node)).send(request(node, timeout=0.3))
        await node.settled()
    assert len(node.requests) == 1


async def test_an_answer_that_breaks_off_is_not_retried(pool: SiteConnections) -> None:
    async with TlsNode(answers=in_turn([OK, Reply(201, b"half", length=100, closes=True)])) as node:
        await pool.to(route(node)).send(request(node))
        with pytest.raises(NodeAnswer):
            await pool.to(route(node)).send(request(node))
    assert len(node.requests) == 2


# ---- time ------------------------------------------------------------------------------------------------------------


async def test_a_slow_answer_within_the_time_is_good(pool: SiteConnections) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def answer(_request: Request) -> Answer:
        asked.set()
        await release.wait()
        return OK

    async with TlsNode(answers=answer) as node:
        waiting = asyncio.create_task(pool.to(route(node)).send(request(node)))
        await asked.wait()
        assert not waiting.done()
        release.set()
        assert (await waiting).status == 200


async def test_a_node_that_never_answers_is_unreachable(pool: SiteConnections) -> None:
    async with TlsNode(answers=always(Fault.HANG)) as node:
        with pytest.raises(NodeUnreachable, match="does not answer in time") as caught:
            await pool.to(route(node)).send(request(node, timeout=0.2))
    assert caught.value.status == 504
    assert NAME in caught.value.detail


async def test_a_listener_that_never_shakes_hands_is_given_up_before_the_whole_time(
    pool: SiteConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.2)
    done = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        base = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/qps"
        with pytest.raises(NodeUnreachable, match="in time"):
            await pool.to(read_node(f"https://{NAME}/qps/", reach_at=base)).send(
                HttpRequest(method="POST", url=f"{base}/ticket", timeout=600)
            )
        done.set()


async def test_a_port_where_nobody_listens_is_unreachable(pool: SiteConnections) -> None:
    async with TlsNode() as node:
        pass
    with pytest.raises(NodeUnreachable, match=NAME) as caught:
        await pool.to(route(node)).send(request(node))
    assert caught.value.code == "QGW-401"
    assert "Connect call failed" in caught.value.detail
    assert "object at 0x" not in caught.value.detail


async def test_a_name_that_nobody_knows_is_unreachable(pool: SiteConnections) -> None:
    node = read_node("https://qlik1.invalid:4243/qps/")
    with pytest.raises(NodeUnreachable, match=r"qlik1\.invalid"):
        await pool.to(node).send(HttpRequest(method="POST", url=f"{node.reach_at}/ticket"))


# ---- the end ---------------------------------------------------------------------------------------------------------


async def test_after_the_end_nothing_is_sent(pool: SiteConnections) -> None:
    async with TlsNode(answers=always(OK)) as node:
        await pool.to(route(node)).send(request(node))
        await pool.close()
        with pytest.raises(NodeUnreachable, match="closed"):
            await pool.to(route(node)).send(request(node))
    assert len(node.requests) == 1


async def test_a_request_under_way_ends_with_its_pool(pool: SiteConnections) -> None:
    asked = asyncio.Event()

    async def answer(_request: Request) -> Answer:
        asked.set()
        return Fault.HANG

    async with TlsNode(answers=answer) as node:
        waiting = asyncio.create_task(pool.to(route(node)).send(request(node)))
        await asked.wait()
        await pool.close()
        with pytest.raises(NodeUnreachable):
            await waiting


async def test_a_connection_that_is_being_opened_when_the_end_comes_carries_nothing(pool: SiteConnections) -> None:
    async with TlsNode(answers=always(OK)) as node:
        waiting = asyncio.create_task(pool.to(route(node)).send(request(node)))
        while not node.seen:  # noqa: ASYNC110 - what is waited for is the loop's own doing
            await asyncio.sleep(0)
        await pool.close()
        with pytest.raises(NodeUnreachable):
            await waiting
        await node.settled()
    assert node.requests == []


async def test_a_pool_that_was_never_used_can_be_closed(pool: SiteConnections) -> None:
    await pool.close()
