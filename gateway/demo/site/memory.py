"""What one node keeps in its memory: targets, tickets and sessions. Nodes of a site share none of it.

Qlik: "Add ticket": the ticket and its user are valid for one minute and then deleted [D]; "Ticket solution": a ticket is
only valid once, random and short [D]; sessions live in the memory of one proxy [D, community KB 1783975]; that a ticket is
known to the issuing node and virtual proxy only is inferred from that [I].
"""

from __future__ import annotations

import secrets
import string
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.model import QlikUser
from gateway.ports import Clock

TICKET_LIFETIME = timedelta(minutes=1)
"""Qlik: "Add ticket" [D]."""
SESSION_IDLE = timedelta(minutes=30)
"""Qlik: "Virtual proxies", session inactivity timeout, its default [D]."""
TARGET_LIFETIME = timedelta(hours=1)
"""Not documented anywhere [I]."""
TICKET_LENGTH = 16
TICKET_ALPHABET = string.ascii_letters + string.digits + "-_."
"""Samples `iokrVXS-IndQgEON`, `G1xQJQOPWeG.3Wl4`; a public client's tests pin alphabet and length [C pouc/qlik-api-qps]."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a browser wanted to go when it was sent to the authentication module."""

    uri: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """A ticket that nobody has used yet."""

    user: QlikUser
    expires_at: datetime


@dataclass(slots=True)
class Session:
    """A signed-in browser. `id` is a .NET GUID, version 4 [D, community KB 1783975]."""

    id: str
    prefix: str
    user: QlikUser
    last_seen: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        """Whose it is: names compare without case [C mhamano/qlik-session-auth tests]."""
        return self.prefix, self.user.directory.upper(), self.user.user_id.upper()


@dataclass
class Memory:
    """The stores of one node, keyed by the virtual proxy's prefix and the id."""

    clock: Clock
    targets: dict[tuple[str, str], Target] = field(default_factory=dict)
    tickets: dict[tuple[str, str], IssuedTicket] = field(default_factory=dict)
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    expired_tickets: int = 0

    def add_target(self, prefix: str, uri: str) -> str:
        """Remember where a browser wanted to go. The id is a lower-case GUID with dashes in all samples [C]."""
        target_id = str(uuid.uuid4())
        self.targets[prefix, target_id] = Target(uri, self.clock.now() + TARGET_LIFETIME)
        return target_id

    def target(self, prefix: str, target_id: str) -> str | None:
        """The URI of a target; None: unknown or expired. Using it does not consume it [I]."""
        target = self.targets.get((prefix, target_id))
        return target.uri if target and self.clock.now() < target.expires_at else None

    def forget_targets(self) -> None:
        """As after a restart of the proxy service."""
        self.targets.clear()

    def add_ticket(self, prefix: str, user: QlikUser) -> str:
        """Issue a ticket."""
        self._drop_expired()
        ticket = "".join(secrets.choice(TICKET_ALPHABET) for _ in range(TICKET_LENGTH))
        self.tickets[prefix, ticket] = IssuedTicket(user, self.clock.now() + TICKET_LIFETIME)
        return ticket

    def redeem(self, prefix: str, ticket: str) -> Session | None:
        """Turn a ticket into a session, once. None: never issued here, used before, or older than a minute."""
        self._drop_expired()
        issued = self.tickets.pop((prefix, ticket), None)
        if issued is None:
            return None
        session = Session(str(uuid.uuid4()), prefix, issued.user, self.clock.now())
        self.sessions[prefix, session.id] = session
        return session

    def session(self, prefix: str, session_id: str) -> Session | None:
        """A live session; looking keeps it alive."""
        session = self.sessions.get((prefix, session_id))
        if session is None or self.clock.now() - session.last_seen >= SESSION_IDLE:
            self.sessions.pop((prefix, session_id), None)
            return None
        session.last_seen = self.clock.now()
        return session

    def sessions_of(self, prefix: str, directory: str, user_id: str) -> list[Session]:
        """All sessions of a user in one virtual proxy."""
        wanted = (prefix, directory.upper(), user_id.upper())
        return [session for session in self.sessions.values() if session.key == wanted]

    def end(self, session: Session) -> None:
        """End one session."""
        self.sessions.pop((session.prefix, session.id), None)

    def _drop_expired(self) -> None:
        now = self.clock.now()
        expired = [key for key, ticket in self.tickets.items() if now >= ticket.expires_at]
        for key in expired:
            del self.tickets[key]
        self.expired_tickets += len(expired)
