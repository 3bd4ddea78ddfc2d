"""The way to a shared store: one command at a time, each within a bounded time, each error one of ours.

The client library's own retries and time-outs are made for caches: with a server that is frozen, its defaults take a
minute to fail. Here a command gets `DEADLINE` in all, and within it a second try on a fresh connection: an idle
connection may be dead, and after a fail-over the primary is another one, which the second try finds by asking the
Sentinels or the cluster anew. A command may therefore take effect twice; what is sent must bear that.

The same for one server, Sentinels and a cluster. The only module that knows redis-py.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ClusterError,
    NoPermissionError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)

from gateway.errors import StoreError, StoreFull, StoreRefused, StoreUnavailable
from gateway.stores.address import Credentials, StoreAddress, StoreKind
from gateway.stores.health import Health

DEADLINE: Final = 1.25
"""Seconds for one command in all."""
CONNECT: Final = 0.3
"""Seconds to connect, TLS included."""
ANSWER: Final = 0.5
"""Seconds to wait for one answer: longer than a server writes its snapshot, short enough for a second try."""
PAUSE: Final = 0.05
"""Seconds before the second try."""
IDLE: Final = 15
"""Seconds after which a connection is tried with a PING before it is used."""
CONNECTIONS: Final = 32
"""Commands on their way at once, and connections to a server at most. More wait, within their deadline."""
CLOSING: Final = 2.0
"""Seconds that closing may take."""

Word: TypeAlias = str | bytes | int
Client: TypeAlias = "Redis | RedisCluster"
Clients: TypeAlias = "tuple[Client, Sentinel | None]"

_FINAL = (OutOfMemoryError, NoPermissionError, AuthenticationError)
"""What no other connection and no other primary would make better."""


class Link:
    """Commands to one store. No network before the first; usable again after any failure."""

    def __init__(self, address: StoreAddress, health: Health) -> None:
        self.health = health
        self._clustered = address.kind is StoreKind.CLUSTER
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._clients = _client(address)
        self._former: dict[asyncio.Task[None], Clients] = {}

    def renew(self, address: StoreAddress) -> None:
        """Get in by another password, or trust other roots, from the next command on. Those on their way end as they began."""
        former, self._clients = self._clients, _client(address)
        task = asyncio.get_running_loop().create_task(_close_later(former))
        self._former[task] = former
        task.add_done_callback(lambda task: self._former.pop(task, None))

    @property
    def _client(self) -> Client:
        return self._clients[0]

    async def send(self, *words: Word) -> Any:  # noqa: ANN401 - what a server answers depends on the command
        """One command on the server that holds its key. Raises `StoreError`."""
        return await self._vital(words, {})

    async def send_everywhere(self, *words: Word) -> list[Any]:
        """One question without a key, to every primary. Raises `StoreError`; the store may work all the same."""
        if not self._clustered:
            return [await self._guarded(words, {})]
        answers = await self._guarded(words, {"target_nodes": RedisCluster.PRIMARIES})
        return list(answers.values()) if isinstance(answers, dict) else [answers]

    async def check(self) -> None:
        """See that every part of the store works, with a write. Raises `StoreError`."""
        if self._clustered:
            try:
                await self._check_cluster()
            except StoreError as error:
                self.health.lost(error)
                raise
        await self.send("SET", "qlikgw:look", "1", "PX", 60_000)

    async def close(self) -> None:
        """Close every connection, also those of a server that does not answer."""
        former = dict(self._former)
        for task in former:
            task.cancel()
        await asyncio.gather(*map(_close, (self._clients, *former.values())))

    async def _check_cluster(self) -> None:
        for answer in await self.send_everywhere("CLUSTER INFO"):
            if not isinstance(answer, dict) or answer.get("cluster_state") != "ok":
                raise StoreUnavailable("a node holds the cluster for incomplete")

    async def _vital(self, words: tuple[Word, ...], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as above
        try:
            return await self._guarded(words, options)
        except StoreError as error:
            self.health.lost(error)
            raise

    async def _guarded(self, words: tuple[Word, ...], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as above
        try:
            async with asyncio.timeout(DEADLINE), self._free:
                return await self._twice(words, options)
        except Exception as cause:
            raise _translated(cause) from cause

    async def _twice(self, words: tuple[Word, ...], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as above
        try:
            return await self._once(words, options)
        except _FINAL:
            raise
        except Exception:  # noqa: BLE001 - the cluster's client raises AttributeError and the like when a connection is closed under it
            await self._drop_idle()
            await asyncio.sleep(PAUSE)
            return await self._once(words, options)

    async def _once(self, words: tuple[Word, ...], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as above
        # A cluster's client that does not know the slots yet would ask anybody, and close every connection after some redirections.
        await self._client.initialize()
        return await self._client.execute_command(*words, **options)

    async def _drop_idle(self) -> None:
        """Connections that went dead while nobody used them, or lead to a former primary. A cluster's client sees to its own."""
        if isinstance(self._client, Redis):
            await self._client.connection_pool.disconnect(inuse_connections=False)


async def _close_later(clients: Clients) -> None:
    """When no command can be on its way by them any more."""
    await asyncio.sleep(DEADLINE)
    await _close(clients)


async def _close(clients: Clients) -> None:
    client, sentinel = clients
    with contextlib.suppress(RedisError, OSError):
        async with asyncio.timeout(CLOSING):
            await client.aclose()
            if sentinel is not None:
                await sentinel.aclose()


def _translated(cause: Exception) -> StoreError:
    """Our error for the library's. Its texts may quote a command: of a refusal only the first word is kept, which is its kind."""
    kind = type(cause).__name__
    if isinstance(cause, OutOfMemoryError):
        return StoreFull("the store has reached its maxmemory")
    if isinstance(cause, AuthenticationError):
        return StoreRefused(kind)
    if isinstance(cause, ResponseError) and not isinstance(cause, ClusterError):
        word = str(cause).partition(" ")[0]
        return StoreRefused(word if word.isupper() and word.isalpha() else kind)
    return StoreUnavailable(f"no answer within {DEADLINE} s" if isinstance(cause, TimeoutError) else kind)


def _client(address: StoreAddress) -> Clients:
    options = _options(address) | _login(address.credentials)
    if address.kind is StoreKind.CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in address.servers]
        # A slot that moved is noted; the topology is asked for anew when a node fails, not by closing every connection in between.
        return RedisCluster(startup_nodes=nodes, reinitialize_steps=0, **options), None
    if address.kind is StoreKind.SENTINEL:
        asked = _options(address) | _login(address.sentinel) | {"socket_timeout": CONNECT}
        sentinel = Sentinel(list(address.servers), sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
        return sentinel.master_for(address.service, db=address.database, **options), sentinel
    ((host, port),) = address.servers
    return Redis(host=host, port=port, db=address.database, **options), None


def _options(address: StoreAddress) -> dict[str, Any]:
    tls = {"ssl": True, "ssl_min_version": ssl.TLSVersion.TLSv1_2} if address.tls else {}
    ca = {} if address.ca is None else {"ssl_ca_data": address.ca.decode("ascii")}
    return {
        "socket_connect_timeout": CONNECT,
        "socket_timeout": ANSWER,
        "health_check_interval": IDLE,
        "max_connections": CONNECTIONS,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,
        **tls,
        **ca,
    }


def _login(credentials: Credentials) -> dict[str, Any]:
    password = credentials.password
    return {"username": credentials.user, "password": None if password is None else password.reveal()}
