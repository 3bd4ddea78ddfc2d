"""Where marks, counts and sessions are kept: in this process, or in a Redis or Valkey that all replicas share.

`redis://HOST:PORT/DB` is one server, `redis+sentinel://HOST,HOST/SERVICE/DB` the primary that Sentinels name,
`redis+cluster://HOST,HOST` a cluster; `rediss` in the place of `redis` is the same over TLS. Before an `@` stand user
and password, percent-encoded; Sentinels that want their own take them as `?sentinel_user=` and `?sentinel_password=`.

Pure: parses and compares, connects to nothing, and its sentences never repeat the text, which may hold a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, unquote

from gateway.model import Secret

REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
FORM: Final = "a store is memory:, or an address that begins with redis://, rediss://, redis+sentinel:// or redis+cluster://"
_SCHEME = re.compile(r"(rediss?)(\+sentinel|\+cluster)?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_HIGHEST_PORT: Final = 0xFFFF
_SERVICE = re.compile(r"[A-Za-z0-9._-]+")


class StoreKind(StrEnum):
    """How the servers of a store belong together."""

    MEMORY = "memory"
    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are towards a server. Without a user it is the server's default user."""

    user: str | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddress:
    """One store. `servers`: host and port of the server, or of the Sentinels, or of some of the cluster's nodes.

    `ca`: root certificates as PEM that are trusted besides the system's.
    """

    kind: StoreKind
    servers: tuple[tuple[str, int], ...] = ()
    tls: bool = False
    credentials: Credentials = Credentials()
    database: int = 0
    service: str = ""
    sentinel: Credentials = Credentials()
    ca: bytes | None = field(default=None, repr=False)

    @property
    def shared(self) -> bool:
        """Whether several replicas can use it."""
        return self.kind is not StoreKind.MEMORY

    @property
    def place(self) -> StoreAddress:
        """Which store it is, however one gets in: two addresses with the same place hold the same marks."""
        return replace(self, credentials=Credentials(), sentinel=Credentials(), ca=None)


IN_MEMORY: Final = StoreAddress(kind=StoreKind.MEMORY)
"""The store that needs nothing beside the gateway."""


def read_store_address(text: str) -> StoreAddress:
    """A store's address. Raises `ValueError` with a sentence."""
    if text == "memory:":
        return IN_MEMORY
    scheme, separator, rest = text.partition("://")
    form = _SCHEME.fullmatch(scheme)
    if form is None or not separator or not rest.isascii() or not rest.isprintable() or "#" in rest:
        raise ValueError(FORM)
    kind = {None: StoreKind.SINGLE, "+sentinel": StoreKind.SENTINEL, "+cluster": StoreKind.CLUSTER}[form[2]]
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    service, database = _path(kind, path)
    return StoreAddress(
        kind=kind,
        servers=_servers(kind, hosts),
        tls=form[1] == "rediss",
        credentials=_credentials(credentials),
        database=database,
        service=service,
        sentinel=_sentinel(kind, query),
    )


def _servers(kind: StoreKind, text: str) -> tuple[tuple[str, int], ...]:
    names = text.split(",")
    if kind is StoreKind.SINGLE and len(names) > 1:
        raise ValueError("several servers are a cluster (redis+cluster://) or have Sentinels (redis+sentinel://)")
    return tuple(_server(name, SENTINEL_PORT if kind is StoreKind.SENTINEL else REDIS_PORT) for name in names)


def _server(text: str, default_port: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    port = default_port if match is None or match[2] is None else int(match[2])
    if match is None or not 0 < port <= _HIGHEST_PORT:
        raise ValueError("a store's address names its servers as HOST or HOST:PORT")
    return match[1].strip("[]"), port


def _path(kind: StoreKind, path: str) -> tuple[str, int]:
    """The Sentinels' name for the primary, and the number of the database."""
    parts = path.split("/") if path else []
    service = ""
    if kind is StoreKind.SENTINEL:
        if not parts or not _SERVICE.fullmatch(parts[0]):
            raise ValueError("Sentinels are asked for a primary by its name: redis+sentinel://HOST,HOST/NAME")
        service = parts.pop(0)
    if not parts:
        return service, 0
    if kind is StoreKind.CLUSTER:
        raise ValueError("a cluster has one database only: nothing stands after its servers")
    if len(parts) > 1 or not re.fullmatch("[0-9]{1,4}", parts[0]):
        raise ValueError("after the servers stands the number of the database, or nothing")
    return service, int(parts[0])


def _credentials(text: str) -> Credentials:
    user, separator, password = text.partition(":")
    return Credentials(user=unquote(user) or None, password=Secret(unquote(password)) if separator and password else None)


def _sentinel(kind: StoreKind, query: str) -> Credentials:
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    known = {"sentinel_user", "sentinel_password"} if kind is StoreKind.SENTINEL else set()
    if set(pairs) - known:
        raise ValueError("the part after ? takes sentinel_user and sentinel_password, for redis+sentinel:// only")
    password = pairs.get("sentinel_password")
    return Credentials(user=pairs.get("sentinel_user") or None, password=Secret(password) if password else None)
