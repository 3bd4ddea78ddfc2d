"""TLS of the REST face: Qlik-shaped certificates, and a client certificate that is asked for in the handshake or late.

The root that the QMC exports has no BasicConstraints, so OpenSSL takes it for no CA and a server that trusts `root.pem`
refuses the genuine `client.pem` as well. The client certificate itself is the trust anchor here: it is the only one that
may come in.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 0.5
"""Seconds that a client has to answer a late request for its certificate: an empty answer cannot be told from none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestTls:
    """How the REST face speaks TLS.

    `late`: ask for the client certificate after the request has been read, as http.sys does where "Negotiate Client
    Certificate" is off [I]; TLS 1.3 only, since Python cannot ask for a renegotiation in TLS 1.2.
    """

    version: ssl.TLSVersion | None = None
    late: bool = False

    def __post_init__(self) -> None:
        if self.late and self.version is ssl.TLSVersion.TLSv1_2:
            raise ValueError("a certificate can be asked for late in TLS 1.3 only")


def server_context(certificate: bytes, key: bytes, *, client: bytes, tls: RestTls) -> ssl.SSLContext:
    """The context of one node's REST face. All certificates as PEM; `client` is the only one that is let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(context, certificate, key)
    context.load_verify_locations(cadata=client.decode("ascii"))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = ssl.CERT_OPTIONAL  # a client without a certificate gets a 403, not an alert
    context.post_handshake_auth = tls.late
    if tls.version is not None or tls.late:
        context.minimum_version = context.maximum_version = tls.version or ssl.TLSVersion.TLSv1_3
    return context


def load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """`load_cert_chain` for PEM in memory: Python's takes files only."""
    with tempfile.TemporaryDirectory(prefix="qlikgw-demo-") as folder:
        path = Path(folder, "pair.pem")
        path.touch(mode=0o600)
        path.write_bytes(certificate + b"\n" + key)
        context.load_cert_chain(path)


async def client_certificate(transport: asyncio.BaseTransport | None, *, late: bool) -> bytes | None:
    """The DER of the certificate that the client proved to own; None: it showed none. Asks for it where that is due."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object") if transport else None
    if tls is None:
        return None
    shown = tls.getpeercert(binary_form=True)
    if shown is not None or not late or not isinstance(transport, asyncio.Transport):
        return shown
    try:
        tls.verify_client_post_handshake()
    except ssl.SSLError:  # the client did not offer the extension: RFC 8446 §4.2.6
        return None
    # The request leaves with the next read of the TLS object, and resuming is a way to have asyncio read.
    transport.pause_reading()
    transport.resume_reading()
    return await _answer(tls)


async def _answer(tls: ssl.SSLObject) -> bytes | None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while loop.time() < deadline:
        await asyncio.sleep(0.002)
        try:
            shown = tls.getpeercert(binary_form=True)
        except ValueError:  # the request has not left yet
            continue
        if shown is not None:
            return shown
    return None
