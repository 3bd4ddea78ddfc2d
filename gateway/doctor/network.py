"""Names and handshakes, looked at by themselves: where a name leads, and which certificate is shown there."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from cryptography import x509

from gateway.doctor.notes import Notes
from gateway.errors import AddressRefused, NodeUnreachable, ProviderUnreachable
from gateway.outbound import AddressPolicy

_HTTPS, _HTTP = 443, 80
_NAME_HINT = "is the name spelt right, and do the name servers of this machine know it?"


def place(url: str) -> tuple[str, int]:
    """Host and port of an address that has been checked."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (_HTTP if parts.scheme == "http" else _HTTPS)


async def addresses(host: str, port: int, unreachable: type[ProviderUnreachable | NodeUnreachable]) -> tuple[str, ...]:
    """Where a name leads, each once. Raises `unreachable`."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise unreachable(f"the name {host} leads nowhere: {getattr(error, 'strerror', None) or type(error).__name__}") from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


async def look_up(notes: Notes, url: str, unreachable: type[ProviderUnreachable | NodeUnreachable]) -> tuple[str, ...]:
    """The step `name`: where the host of `url` leads."""
    host, port = place(url)
    async with notes.step("name", unreachable, _NAME_HINT):
        found = await addresses(host, port, unreachable)
    notes.ok("name", f"{host} is {', '.join(found)}" if found != (host,) else f"{host} is an address")
    return found


def permitted(found: Sequence[str], policy: AddressPolicy) -> tuple[str, ...]:
    """Those addresses that the gateway goes to. Raises `AddressRefused` when there is none."""
    allowed = tuple(address for address in found if policy.permits(ipaddress.ip_address(address.partition("%")[0])))
    if not allowed:
        raise AddressRefused(f"{', '.join(found)}: no public address, and not listed in outbound.allow_private")
    return allowed


async def shown_certificate(address: str, port: int, context: ssl.SSLContext, server_name: str) -> x509.Certificate:
    """The certificate that is shown in a handshake which succeeds. Raises `OSError` (also for TLS)."""
    _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=server_name)
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(shown)
    finally:
        writer.transport.abort()
