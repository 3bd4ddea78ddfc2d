"""TLS sessions towards the nodes of a site are resumed: a new connection then costs neither side a signature.

What a full handshake has proven holds for what is resumed from it, and is not checked anew (RFC 8446 §2.2). So a session serves its own
server name under its own context alone, and only for a while after the full handshake that it comes from.
"""

from __future__ import annotations

import ssl
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

_UNUSABLE: Final = (ssl.SSLError, ValueError)
"""How the library tells that it cannot copy a session, or give it to a connection: then nothing but the resumption is lost."""

PROOF_SECONDS: Final = 600.0
"""After so long, a new connection makes a node prove again who it is."""


@dataclass(slots=True)
class _Known:
    """Of one server name: its newest connection, and what may be resumed. `proven`: when the full handshake began that it comes from."""

    newest: weakref.ref[ssl.SSLObject]
    begun: float
    proven: float = -PROOF_SECONDS
    session: ssl.SSLSession | None = field(default=None, repr=False)


class ResumingContext(ssl.SSLContext):
    """A context that hands its sessions to asyncio's connections, which have no place to name one themselves."""

    _known: dict[str, _Known]

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 (the library's own signature)
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """The TLS of a new connection to `server_hostname`, resumed where `learn` has found a session that is not too old."""
        name, now = str(server_hostname), time.monotonic()
        known = self._sessions().get(name)
        if session is None and known is not None and now - known.proven < PROOF_SECONDS:
            session = known.session
        try:
            made = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        except _UNUSABLE:
            if session is None:
                raise
            made = super().wrap_bio(incoming, outgoing, server_side, server_hostname)
        if known is None:
            self._sessions()[name] = _Known(weakref.ref(made), now)
        else:
            known.newest, known.begun = weakref.ref(made), now
        return made

    def learn(self, server_name: str) -> None:
        """Keep the session of the newest connection to that name.

        To be called after its first answer: in TLS 1.3 a session comes after the handshake (RFC 8446 §4.6.1).
        """
        known = self._sessions().get(server_name)
        connection = known.newest() if known else None
        if known is None or connection is None or connection.version() is None:  # its handshake is still under way
            return
        with suppress(*_UNUSABLE):
            session = connection.session
            if session is None or not session.id:
                return
            if not connection.session_reused:
                known.proven = known.begun
            known.session = session

    def forget(self, server_name: str) -> None:
        """Resume nothing of what is known: the next connection to that name makes a full handshake. To be called after every failure."""
        self._sessions().pop(server_name, None)

    def _sessions(self) -> dict[str, _Known]:
        """Made when it is first needed: a context is constructed by `__new__` alone."""
        try:
            return self._known
        except AttributeError:
            self._known = {}
            return self._known
