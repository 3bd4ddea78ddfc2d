"""A listener that closes: nobody who has come in already is lost."""

from __future__ import annotations

import asyncio
import resource
import socket

import pytest

from gateway.web import door, rounds
from tests.flow.conftest import Worlds
from tests.flow.test_reload import front_pair
from tests.flow.world import World

ASK = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize("which", [0, 1], ids=["gateway", "management"])
async def test_who_came_in_just_before_the_door_closed_is_answered(world: World, which: int, turns: int) -> None:
    """However far the loop was with the connection: taken by the system, picked up, or with a protocol that has read nothing yet."""
    loop, entrance, runner = asyncio.get_running_loop(), world.gateway._doors[which], world.gateway._runners[which]
    with socket.create_connection(("127.0.0.1", int((world.url, world.management)[which].rpartition(":")[2]))) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)
        await entrance.close()
        await runner.cleanup()
        assert (await asyncio.wait_for(loop.sock_recv(client, 99), 20)).startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 200 ")[which])


async def test_a_door_closes_also_where_there_is_no_file_descriptor_left(world: World) -> None:
    """Else what is in hand would be lost with those who could not come in. They are many where the gateway was full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_connection(("127.0.0.1", int(world.url.rpartition(":")[2]))):
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            await world.gateway._doors[0].close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def asked(world: World, number: int, *, before: bool) -> list[socket.socket]:
    """So many connections, a request on each that was not read yet, whether it is the first or not."""
    loop, address = asyncio.get_running_loop(), ("127.0.0.1", int(world.url.rpartition(":")[2]))
    clients = [socket.create_connection(address) for _ in range(number)]
    for client in clients:
        client.setblocking(False)
        if before:
            client.send(ASK)
            assert await asyncio.wait_for(loop.sock_recv(client, 9999), 20)
    for client in clients:
        client.send(ASK)
    return clients


@pytest.mark.parametrize("before", [False, True], ids=["new", "kept"])
async def test_what_has_arrived_anywhere_is_answered_though_it_is_read_a_few_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:
    monkeypatch.setattr(door, "FIRST_REQUEST_SECONDS", 0.0)
    monkeypatch.setattr(rounds, "AT_ONCE", 2)
    loop, runner = asyncio.get_running_loop(), world.gateway._runners[0]
    clients = await asked(world, 50, before=before)
    await world.gateway._doors[0].close()
    await runner.cleanup()
    for client in clients:
        assert (await asyncio.wait_for(loop.sock_recv(client, 99), 20)).startswith(b"HTTP/1.1 404 ")
        client.close()


async def test_one_that_is_slow_with_tls_holds_up_nobody_else_as_the_door_closes(worlds: Worlds) -> None:
    """Ten seconds for each of them would be longer than any platform waits."""
    tls = {"certificate": "../certs/front.pem", "key": "../certs/front.key"}
    world = await worlds(secrets=front_pair(), edit_gateway=lambda settings: settings["listen"].update(tls=tls))
    address = ("127.0.0.1", int(world.url.rpartition(":")[2]))
    slow = [socket.create_connection(address) for _ in range(3)]
    closing = asyncio.create_task(world.gateway._doors[0].close())
    await asyncio.sleep(0.1)
    for client in slow[1:]:
        client.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    slow[0].close()
    await asyncio.wait_for(closing, 5)
