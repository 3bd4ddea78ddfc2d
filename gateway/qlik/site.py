"""One Qlik site: its nodes as ports of the pipeline."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from gateway.errors import QlikError
from gateway.exchange import Letterhead
from gateway.model import HttpResponse, QlikUser, Secret, Ticket
from gateway.ports import Entropy
from gateway.protocol import qps
from gateway.qlik.connections import NodeConnections, SiteConnections
from gateway.qlik.material import read_client, read_pin, read_roots
from gateway.qlik.trust import SiteTrust

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_XRFKEY_LENGTH = 16
_SOME_XRFKEY = "WhereAnXrfkeyIs0"
_ENOUGH_BYTES = 24
"""Of which hardly ever fewer than 16 are unbiased."""
_UNBIASED = 256 - 256 % len(_ALPHABET)
_LETTERS = bytes(ord(_ALPHABET[byte % len(_ALPHABET)]) for byte in range(256))
_BIASED = bytes(range(_UNBIASED, 256))


class QlikSite:
    """The nodes of one site, reached with one client certificate. Makes no connection before the first ticket."""

    def __init__(  # noqa: PLR0913 - the settings of a site, each by its name
        self,
        *,
        name: str,
        client_certificate: bytes,
        client_key: bytes,
        client_key_password: Secret | None,
        ca: bytes | None,
        pins: Mapping[str, bytes],
        entropy: Entropy,
    ) -> None:
        """All certificates as PEM; `pins`: node name -> its own certificate. Raises `MaterialProblem` (a ValueError).

        The key is one that the configuration's check has read.
        """
        self.name = name
        self._trust = SiteTrust(
            client=read_client(client_certificate, client_key, client_key_password, sound=True),
            roots=() if ca is None else read_roots(ca),
            pins={node: read_pin(pem, node=node) for node, pem in pins.items()},
        )
        self._connections = SiteConnections(self._trust)
        self._entropy = entropy

    def proxy(self, node: qps.Node, prefix: str, targets: qps.Targets) -> NodeProxy:
        """`node` as the virtual proxy `prefix` sees it. Raises `MaterialProblem`."""
        return NodeProxy(node=node, prefix=prefix, targets=targets, connections=self._connections.to(node), entropy=self._entropy)

    async def probe(self, node: qps.Node, prefix: str) -> HttpResponse:
        """What `node` answers to a question that changes nothing, asked as a ticket is. Raises `QlikError`."""
        return await self._connections.to(node).send(qps.probe_request(node=node, prefix=prefix, xrfkey=make_xrfkey(self._entropy)))

    def context(self, node: qps.Node) -> ssl.SSLContext:
        """What `node` has to prove in a handshake. Raises `MaterialProblem`."""
        return self._trust.context(node)

    async def close(self) -> None:
        """Close every connection."""
        await self._connections.close()


class NodeProxy:
    """`ports.QlikProxy`: one node of a site, under one virtual proxy's prefix."""

    def __init__(self, *, node: qps.Node, prefix: str, targets: qps.Targets, connections: NodeConnections, entropy: Entropy) -> None:
        self._node = node
        self._prefix = prefix
        self._targets = targets
        self._connections = connections
        self._entropy = entropy
        self._call = qps.ticket_call(node=node, prefix=prefix, xrfkey=_SOME_XRFKEY)
        self._letterhead = Letterhead(self._call, _SOME_XRFKEY)

    async def issue_ticket(self, user: QlikUser, target_id: str) -> Ticket:
        """A ticket, with the place to take it to. Raises `IdentityError` (the last gate) and `QlikError`, nothing else.

        A targetId that the node does not know any more is left out of a second call to the same node.
        """
        try:
            reply = await self._add_ticket(user, target_id)
        except qps.TargetUnknown:
            reply = await self._add_ticket(user, None)
        return qps.ticket_location(reply.ticket, reply.target_uri, self._targets, self._node, prefix=self._prefix)

    async def end_sessions(self, user: QlikUser) -> int:
        """How many sessions of the user ended here. Raises `IdentityError` where a user of that name cannot be, and `QlikError`."""
        request = qps.end_sessions_request(user, node=self._node, prefix=self._prefix, xrfkey=make_xrfkey(self._entropy))
        response = await self._connections.send(request)
        try:
            return qps.read_ended_sessions(response)
        except QlikError as error:
            raise type(error)(f"{self._node.name} answers the request to end sessions with {error.detail}") from None

    async def _add_ticket(self, user: QlikUser, target_id: str | None) -> qps.TicketReply:
        message = self._letterhead.encode(make_xrfkey(self._entropy), qps.ticket_json(user, target_id))
        response = await self._connections.exchange(message, self._call.limit, self._call.timeout)
        try:
            return qps.read_ticket_response(response)
        except QlikError as error:
            raise type(error)(f"{self._node.name} answers the ticket request with {error.detail}") from None


def make_xrfkey(entropy: Entropy) -> str:
    """16 letters and digits, each as likely as any other (Qlik "Using Xrfkey headers")."""
    key = ""
    while len(key) < _XRFKEY_LENGTH:
        key += entropy.token(_ENOUGH_BYTES).translate(_LETTERS, _BIASED).decode()
    return key[:_XRFKEY_LENGTH]
