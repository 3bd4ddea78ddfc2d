"""What a login costs at one virtual proxy and at a thousand: `python -m tests.measure_login_cost`.

Whole logins through the pipeline: choice, authorization request, token response, ID token, mapping, access rule. The
provider answers from memory and the node gives its ticket at once, so that nothing but the gateway's own work is
measured. The figures are for reading; no test depends on them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from gateway import mapping
from gateway.login import LoginPipeline
from gateway.mapping import AccessRule, ClaimPath, Constant, Rules, Scope
from gateway.model import AuthModuleRedirect, QlikUser, Redirect, Ticket, Visitor
from gateway.protocol.qps import Targets, read_node, read_target
from gateway.register import Register
from gateway.routing import NodeRoute, Provider, RoutingTable, VirtualProxy, Visit, choose
from gateway.sealing import KEY_SIZE, Sealer
from gateway.stores.memory import MemoryReplayStore
from gateway.stores.memory_index import MemorySessionIndex
from gateway.strength import Strength
from tests.fakes import CountingEntropy, MemoryJournal
from tests.protocol.oidc.forge import relying_party
from tests.protocol.oidc.op import Op

SIZES = (1, 1000)
PROVIDERS_PER_SIZE = {1: 1, 1000: 200}
ROUNDS, LOGINS = 25, 40
NODE = "https://qlik1.corp.example:4243/qps/"


@dataclass(frozen=True, slots=True)
class Node:
    """Gives its ticket at once."""

    async def end_sessions(self, user: QlikUser) -> int:
        del user
        return 0

    async def issue_ticket(self, user: QlikUser, target_id: str) -> Ticket:
        del user, target_id
        return Ticket(location="https://qlik.example.com/", node=NODE)


def table_of(size: int, ops: list[Op]) -> RoutingTable:
    """A gateway of that many virtual proxies; each offers one provider."""
    rules = Rules(user_directory=Constant("CONTOSO"), user_id=ClaimPath(("sub",)))
    access = (AccessRule(owner="measure", expression=mapping.compile_expression("claims.sub != ''", Scope.ACCESS)),)
    targets = Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/")
    node = read_node(NODE)
    return RoutingTable(
        virtual_proxies={
            f"vp-{number}": VirtualProxy(
                name=f"vp-{number}",
                prefix=f"vp-{number}",
                nodes={node.name: NodeRoute(node=node, proxy=Node())},
                targets=targets,
                identity_providers=(f"idp-{number % len(ops)}",),
                access=access,
                strength=Strength(),
            )
            for number in range(size)
        },
        providers={
            f"idp-{number}": Provider(port=op.provider, rules=rules, access=(), strength=Strength()) for number, op in enumerate(ops)
        },
    )


async def login(pipeline: LoginPipeline, table: RoutingTable, ops: list[Op], number: int) -> None:
    """One login, as the handlers do it."""
    virtual_proxy = table.virtual_proxy(f"vp-{number % len(table.virtual_proxies)}")
    idp = choose(virtual_proxy, Visit()).idp
    assert idp is not None
    redirect = AuthModuleRedirect(target_id="t", proxy_rest_uri=f"{NODE}{virtual_proxy.prefix}/")
    transaction, request = await pipeline.begin(table, virtual_proxy, idp, redirect, Visitor(browser="b"))
    assert isinstance(request, Redirect)
    answer = ops[int(idp.removeprefix("idp-"))].authorize(request.url)
    await pipeline.finish(table, idp, answer, transaction)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One size, ready for logins."""

    pipeline: LoginPipeline
    table: RoutingTable
    ops: list[Op]

    async def seconds_per_login(self, turn: int) -> float:
        """One round."""
        started = time.perf_counter()
        for number in range(LOGINS):
            await login(self.pipeline, self.table, self.ops, turn * LOGINS + number * 17)
        return (time.perf_counter() - started) / LOGINS


async def started(size: int) -> Gateway:
    """A gateway that has every provider's metadata and keys."""
    issuers = [f"https://op{number}.example" for number in range(PROVIDERS_PER_SIZE[size])]
    ops = [Op(issuer=issuer, rp=relying_party(issuer=issuer)) for issuer in issuers]
    clock, table = ops[0].clock, table_of(size, ops)
    pipeline = LoginPipeline(
        replay=MemoryReplayStore(clock),
        clock=clock,
        entropy=CountingEntropy(),
        journal=MemoryJournal(),
        lifetime=timedelta(minutes=15),
        register=Register(
            index=MemorySessionIndex(clock),
            sealer=Sealer([b"k" * KEY_SIZE], purpose="memo"),
            entropy=CountingEntropy(),
            lifetime=timedelta(hours=24),
        ),
    )
    for number in range(len(ops)):
        await login(pipeline, table, ops, number)
    return Gateway(pipeline, table, ops)


async def main() -> None:
    """Measure both sizes in turns, so that whatever else the machine does falls on both, and print."""
    gateways = {size: await started(size) for size in SIZES}
    rounds: dict[int, list[float]] = {size: [] for size in SIZES}
    for turn in range(ROUNDS):
        for size, gateway in gateways.items():
            rounds[size].append(await gateway.seconds_per_login(turn))
    costs = {size: median(taken) for size, taken in rounds.items()}
    for size, cost in costs.items():
        sys.stdout.write(f"{size:5} virtual proxies, {PROVIDERS_PER_SIZE[size]:3} providers: {cost * 1000:.2f} ms per login\n")
    sys.stdout.write(f"ratio: {costs[SIZES[1]] / costs[SIZES[0]]:.2f}\n")


if __name__ == "__main__":
    asyncio.run(main())
