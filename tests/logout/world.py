"""A gateway's way back with everything around it made by hand: nodes that can fail, providers that can refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from gateway.ending import Ending
from gateway.errands import Errands
from gateway.errors import GatewayError, NodeUnreachable
from gateway.logout import LogoutPipeline
from gateway.mapping import Constant, Rules
from gateway.model import (
    IdpRequest,
    IdpSession,
    Journey,
    LogoutMessage,
    LogoutNotice,
    Memo,
    QlikUser,
    Redirect,
    SignedIn,
    TransactionId,
)
from gateway.protocol.qps import Targets, read_node, read_target
from gateway.register import LONGEST_SEALED_MEMO, PURPOSE, Register
from gateway.routing import NodeRoute, Provider, RoutingTable, VirtualProxy
from gateway.sealing import Sealer
from gateway.stores.memory import MemoryReplayStore
from gateway.stores.memory_index import MemorySessionIndex
from gateway.strength import Strength
from gateway.system import SystemTogether
from tests.fakes import NOON, CountingEntropy, FixedClock, MemoryJournal

ALICE = QlikUser(directory="CONTOSO", user_id="alice")
ISSUER = "https://op.example"
BROWSER = "browser-digest"


@dataclass
class FakeNode:
    """Counts the sessions that it has to end; fails as often as it is told to."""

    sessions: int = 1
    failures: int = 0
    asked: list[QlikUser] = field(default_factory=list)

    async def end_sessions(self, user: QlikUser) -> int:
        self.asked.append(user)
        if self.failures:
            self.failures -= 1
            raise NodeUnreachable("no answer")
        ended, self.sessions = self.sessions, 0
        return ended


@dataclass
class FakeLogout:
    """A provider's logout that says what it is told to."""

    name: str
    refuses: GatewayError | None = None
    nowhere: bool = False
    memos: list[Memo | None] = field(default_factory=list)
    heard: LogoutNotice | None = None

    async def begin(self, memo: Memo | None, transaction: TransactionId) -> tuple[IdpRequest, Memo] | None:
        self.memos.append(memo)
        if self.refuses:
            raise self.refuses
        return None if self.nowhere else (Redirect(url=f"https://{self.name}/end?state={transaction}"), Memo(f"{self.name} asked"))

    async def finish(self, message: LogoutMessage, transaction: TransactionId, memo: Memo) -> None:
        del message, transaction
        assert memo == f"{self.name} asked"
        if self.refuses:
            raise self.refuses

    async def notice(self, message: LogoutMessage) -> LogoutNotice:
        del message
        assert self.heard is not None
        return self.heard

    async def answer(self, notice: LogoutNotice, *, complete: bool) -> IdpRequest | None:
        del notice, complete
        return None


@dataclass
class FakePort:
    """As much of a provider as a logout needs."""

    name: str
    logout: FakeLogout | None
    registration: str = "r1"

    @property
    def display_name(self) -> str:
        return self.name


class Way:
    """The way back over two virtual proxies with two nodes each, and the providers `a` and `b`."""

    def __init__(self, *, ring: tuple[bytes, ...] = (b"k" * 32,), capacity: int = 1000) -> None:
        self.clock, self.journal = FixedClock(), MemoryJournal()
        self.crashes: list[BaseException] = []
        self.index, self.replay = MemorySessionIndex(self.clock), MemoryReplayStore(self.clock)
        self.errands = Errands(self.clock, crash=self.crashes.append, capacity=capacity)
        self.nodes = {(vp, number): FakeNode() for vp in ("sales", "hr") for number in (1, 2)}
        self.logouts = {name: FakeLogout(name) for name in "ab"}
        self.ports = {name: FakePort(name, logout) for name, logout in self.logouts.items()}
        self.register = Register(
            index=self.index,
            sealer=Sealer(ring, purpose=PURPOSE, longest=LONGEST_SEALED_MEMO),
            entropy=CountingEntropy(),
            lifetime=timedelta(hours=24),
        )
        self.ending = Ending(index=self.index, clock=self.clock, journal=self.journal, together=SystemTogether(), later=self.errands)
        self.pipeline = LogoutPipeline(
            register=self.register,
            ending=self.ending,
            replay=self.replay,
            clock=self.clock,
            entropy=CountingEntropy(),
            journal=self.journal,
        )
        self.table = RoutingTable(virtual_proxies={vp: self._virtual_proxy(vp) for vp in ("sales", "hr")}, providers=self._providers())

    def _virtual_proxy(self, vp: str) -> VirtualProxy:
        nodes = {number: read_node(f"https://qlik{number}.corp.example:4243/qps/") for number in (1, 2)}
        return VirtualProxy(
            name=vp,
            prefix=vp,
            nodes={node.name: NodeRoute(node=node, proxy=self.nodes[vp, number]) for number, node in nodes.items()},  # type: ignore[arg-type]
            targets=Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/hub/"),
            identity_providers=("a", "b"),
            access=(),
            strength=Strength(),
        )

    def _providers(self) -> dict[str, Provider]:
        rules = Rules(user_directory=Constant("CONTOSO"), directory_one_of=None, user_id=Constant("alice"), attributes=())
        return {name: Provider(port=port, rules=rules, access=(), strength=Strength()) for name, port in self.ports.items()}  # type: ignore[arg-type]

    async def sign_in(self, vp: str = "sales", idp: str = "a", *, old: bool = True, browser: str = BROWSER, memo: str = "memo") -> SignedIn:
        """Enter a sign-in; `old`: its ticket can become no session any more."""
        sealed = self.register._sealed(Memo(f"{memo} {idp}"), "r1")
        entry = SignedIn(
            browser=browser,
            virtual_proxy=vp,
            idp=idp,
            registration="r1",
            session=IdpSession(issuer=ISSUER, subject=f"{idp}-alice", session_id=f"{idp}-sid"),
            user=ALICE,
            memo=sealed,
            signed_in_at=self.clock.now() - timedelta(minutes=5 if old else 0),
            expires_at=self.clock.now() + timedelta(hours=24),
        )
        await self.index.remember(entry)
        return entry

    def journey(self) -> Journey:
        return Journey(virtual_proxy="sales", browser=BROWSER, began_at=self.clock.now())

    def notice(self, *, proof: str | None = "jti-1") -> LogoutNotice:
        return LogoutNotice(issuer=ISSUER, subject="a-alice", session_ids=(), proof_id=proof, proof_expires_at=NOON + timedelta(hours=1))

    async def later(self, seconds: float) -> None:
        """Let time go by, and the background do what is due."""
        self.clock.advance(seconds)
        await self.errands.run_due(self._using)

    @contextmanager
    def _using(self) -> Iterator[tuple[RoutingTable, Ending]]:
        yield self.table, self.ending
