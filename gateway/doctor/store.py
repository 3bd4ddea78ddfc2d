"""The shared store: a write, and whether it keeps what it is given."""

from __future__ import annotations

from gateway.doctor.findings import FindingCode
from gateway.doctor.notes import Notes
from gateway.doctor.providers import Unheard
from gateway.errors import StoreUnavailable
from gateway.stores.address import StoreAddress


async def examine_store(notes: Notes, address: StoreAddress) -> None:
    """Raises `Ended`."""
    # The client library takes a third of a second to import, and most gateways have no shared store.
    from gateway.stores.health import Health  # noqa: PLC0415
    from gateway.stores.link import Link  # noqa: PLC0415
    from gateway.stores.watch import KEEPS_ALL, eviction_policies  # noqa: PLC0415

    link = Link(address, Health(Unheard()))
    try:
        async with notes.step("write", StoreUnavailable):
            await link.check()
        notes.ok("write", f"takes marks ({address.kind.value})")
        async with notes.step("maxmemory-policy", StoreUnavailable):
            policies = sorted(set(await eviction_policies(link)))
    finally:
        await link.close()
    forgetful = [policy for policy in policies if policy != KEEPS_ALL]
    if forgetful:
        message = f"maxmemory-policy is {', '.join(forgetful)}: when it is full it forgets marks, and a used login can be used again"
        notes.caution("maxmemory-policy", FindingCode.MAY_FORGET, message, f"set maxmemory-policy {KEEPS_ALL} on every server")
    else:
        notes.ok("maxmemory-policy", KEEPS_ALL)
