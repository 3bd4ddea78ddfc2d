"""The end of a user's Qlik sessions: in one virtual proxy, on every node, and again where a node did not do its part.

Qlik Sense knows a session's user, not the sign-in that it came from: what ends is all sessions of that user there. A sign-in
is forgotten only once that is done. This module knows nothing of browsers and providers: who wants it is a word to it.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

from gateway.errors import GatewayError, IdentityError, QlikError, StoreError, VirtualProxyGone
from gateway.events import LoggedOut, SessionsLeft
from gateway.model import QlikUser, SignedIn
from gateway.ports import Clock, Journal, SessionIndex
from gateway.routing import NodeRoute, RoutingTable

T = TypeVar("T")
TICKET_LIFETIME: Final = timedelta(seconds=80)
"""A ticket becomes a session that long after it was asked for: its minute (Qlik "Add ticket"), and two calls of ten seconds before."""
FIRST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=1)
GIVE_UP: Final = timedelta(hours=1)


class Origin(StrEnum):
    """Who wanted the sessions to end."""

    BROWSER = "browser"
    PROVIDER = "provider"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """To end all sessions of `user` in `virtual_proxy`, at all its nodes or at those named, not before `due_at`.

    `entries` are forgotten when it is done, but for those in `keep`, which the user's way needs yet.
    `late`: the sessions have ended, but a ticket was young enough to become one yet.
    """

    origin: Origin
    virtual_proxy: str
    user: QlikUser = field(repr=False)
    entries: tuple[SignedIn, ...] = field(repr=False)
    keep: frozenset[SignedIn] = field(default=frozenset(), repr=False)
    began_at: datetime
    due_at: datetime
    nodes: tuple[str, ...] | None = None
    attempt: int = 1
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AtNode:
    """What one node did. `error` None: no session of the user is left there; `sessions` of them ended now."""

    node: str
    sessions: int = 0
    error: GatewayError | None = None


class Together(Protocol):
    """Runs calls at the same time; each keeps its own time limit."""

    async def run(self, calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]: ...


class Later(Protocol):
    """Brings an errand back to `Ending.run` when it is due."""

    def add(self, errand: Errand) -> bool:
        """False: there is no room for one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Ends sessions, whoever wants it."""

    index: SessionIndex
    clock: Clock
    journal: Journal
    together: Together
    later: Later

    async def end(
        self, table: RoutingTable, entries: Sequence[SignedIn], origin: Origin, *, keep: frozenset[SignedIn] = frozenset()
    ) -> frozenset[str]:
        """End the sessions of everybody in `entries`, all at once; the virtual proxies where some are left.

        Those in `keep` stay in the index although their sessions ended. Raises `StoreError`.
        """
        now = self.clock.now()
        errands = [
            Errand(
                origin=origin,
                virtual_proxy=virtual_proxy,
                user=user,
                entries=tuple(entry for entry in entries if (entry.virtual_proxy, entry.user) == (virtual_proxy, user)),
                keep=keep,
                began_at=now,
                due_at=now,
            )
            for virtual_proxy, user in dict.fromkeys((entry.virtual_proxy, entry.user) for entry in entries)
        ]
        outcomes = await self.together.run(self.run(table, errand) for errand in errands)
        return frozenset(errand.virtual_proxy for errand, at in zip(errands, outcomes, strict=True) if any(one.error for one in at))

    async def run(self, table: RoutingTable, errand: Errand) -> tuple[AtNode, ...]:
        """Do one errand, or what is left of it; what every node did. Raises `StoreError`."""
        if errand.late and await self._signed_in_anew(errand):
            return ()  # one more round would end the new sessions
        outcomes = await self._ask(table, errand)
        failed = [at for at in outcomes if at.error is not None]
        if failed:
            self._left(errand, failed)
            return outcomes
        sessions = sum(at.sessions for at in outcomes)
        if sessions or not errand.late:
            self._ended(errand, sessions)
        if not (self._is_young(errand) and self.later.add(self._late(errand))):
            for entry in errand.entries:
                if entry not in errand.keep:
                    await self.index.forget(entry)
        return outcomes

    async def again(self, table: RoutingTable, errand: Errand) -> None:
        """An errand that is due. A store that fails puts it off, too."""
        try:
            await self.run(table, errand)
        except StoreError:
            now = self.clock.now()
            if now - errand.began_at < GIVE_UP + TICKET_LIFETIME:
                self.later.add(replace(errand, due_at=now + LONGEST_WAIT))

    async def _ask(self, table: RoutingTable, errand: Errand) -> tuple[AtNode, ...]:
        virtual_proxy = table.virtual_proxies.get(errand.virtual_proxy)
        if virtual_proxy is None:
            return (AtNode(node="", error=VirtualProxyGone(f"{errand.virtual_proxy} is not in the configuration any more")),)
        nodes, named = virtual_proxy.nodes, errand.nodes
        if named is None or not nodes.keys() >= set(named):  # or one of them has another name by now: which, nobody knows
            named = tuple(nodes)
        return tuple(await self.together.run(ask(nodes[name], errand.user) for name in named))

    async def _signed_in_anew(self, errand: Errand) -> bool:
        entries = await self.index.of_user(errand.virtual_proxy, errand.user)
        return any(entry.signed_in_at > errand.began_at for entry in entries)

    def _is_young(self, errand: Errand) -> bool:
        """Whether a ticket may not have become a session yet. An operator's word counts for sign-ins that nobody remembers, too."""
        if errand.late:
            return False
        newest = max((entry.signed_in_at for entry in errand.entries), default=errand.began_at)
        return errand.began_at - newest < TICKET_LIFETIME

    def _late(self, errand: Errand) -> Errand:
        return replace(errand, late=True, nodes=None, attempt=1, due_at=self.clock.now() + TICKET_LIFETIME)

    def _ended(self, errand: Errand, sessions: int) -> None:
        idp = errand.entries[0].idp if errand.entries else None
        self.journal.record(
            LoggedOut(origin=errand.origin, virtual_proxy=errand.virtual_proxy, idp=idp, sessions=sessions, user=errand.user)
        )

    def _left(self, errand: Errand, failed: Sequence[AtNode]) -> None:
        """Tell of it, and ask those nodes again: after a second, then ever more slowly, for an hour."""
        now = self.clock.now()
        nodes = tuple(at.node for at in failed if isinstance(at.error, QlikError) and at.node)
        wait = min(FIRST_WAIT * 2 ** min(errand.attempt - 1, 16), LONGEST_WAIT)
        next_one = replace(errand, nodes=nodes, attempt=errand.attempt + 1, due_at=now + wait)
        again = bool(nodes) and now - errand.began_at < GIVE_UP and self.later.add(next_one)
        for at in failed:
            if at.error is not None:
                self.journal.record(
                    SessionsLeft(
                        origin=errand.origin,
                        virtual_proxy=errand.virtual_proxy,
                        node=at.node,
                        code=at.error.code,
                        detail=at.error.detail,
                        attempt=errand.attempt,
                        again=again and at.node in nodes,
                        user=errand.user,
                    )
                )


async def ask(route: NodeRoute, user: QlikUser) -> AtNode:
    """One node."""
    try:
        return AtNode(node=route.node.name, sessions=await route.proxy.end_sessions(user))
    except (QlikError, IdentityError) as error:
        return AtNode(node=route.node.name, error=error)
