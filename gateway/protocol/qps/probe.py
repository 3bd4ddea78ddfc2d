"""A question that changes nothing: the sessions of a user who cannot be (Qlik "Get user", part of the Session API).

It goes the way of a ticket request: the node must prove itself, take the client certificate, and know the virtual proxy.
"""

from __future__ import annotations

from typing import Final

from gateway.model import HttpRequest, HttpResponse
from gateway.protocol.qps.addresses import origin_text
from gateway.protocol.qps.answers import refusal
from gateway.protocol.qps.nodes import Node

SECONDS: Final = 5.0
NOBODY: Final = "QLIKGW-DOCTOR/nobody"

_FINE: Final = frozenset({200, 204, 404})
"""404: a node that says so of a user without sessions has read the certificate and the prefix before."""


def probe_request(*, node: Node, prefix: str, xrfkey: str) -> HttpRequest:
    """Ask. `xrfkey`: 16 fresh letters and digits."""
    return HttpRequest(
        method="GET",
        url=f"{node.reach_at}/{f'{prefix}/' if prefix else ''}user/{NOBODY}?Xrfkey={xrfkey}",
        headers={"Host": origin_text(*node.origin).removeprefix("https://"), "X-Qlik-Xrfkey": xrfkey},
        timeout=SECONDS,
    )


def check_probe(response: HttpResponse) -> None:
    """Raises `CertificateRejected`, `PrefixUnknown` or `NodeAnswer`."""
    if response.status not in _FINE:
        raise refusal(response)
