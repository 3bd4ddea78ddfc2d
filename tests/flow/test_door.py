"""A listener that closes: nobody who has come in already is lost."""

from __future__ import annotations

import asyncio
import resource
import socket

import pytest

from tests.flow.world import World


@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize("which", [0, 1], ids=["gateway", "management"])
async def test_who_came_in_just_before_the_door_closed_is_answered(world: World, which: int, turns: int) -> None:
    """However far the loop was with the connection: taken by the system, picked up, or with a protocol that has read nothing yet."""
    loop, door, runner = asyncio.get_running_loop(), world.gateway._doors[which], world.gateway._runners[which]
    with socket.create_connection(("127.0.0.1", int((world.url, world.management)[which].rpartition(":")[2]))) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)
        await door.close()
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
