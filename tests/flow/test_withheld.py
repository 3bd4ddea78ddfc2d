"""A pointer instead of groups, in a whole login: refused with its own code wherever mapping or rules need them, and no ticket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.flow.conftest import Worlds
from tests.flow.world import Edit

POINTER = {"groups": None, "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example.com/x"}}}


def needs_no_groups(provider: dict[str, Any]) -> None:
    del provider["allow"], provider["mapping"]["attributes"]["group"]


def denies_at_the_provider(provider: dict[str, Any]) -> None:
    needs_no_groups(provider)
    provider["deny"] = [{"id": "blocked", "when": "'blocked' in claims.?groups.orValue([])"}]


def denies_at_the_virtual_proxy(gateway: dict[str, Any]) -> None:
    gateway["virtual_proxies"]["sales"]["deny"] = [{"id": "blocked", "when": "'blocked' in claims.?groups.orValue([])"}]


def nothing(_: dict[str, Any]) -> None:
    """As it is."""


@pytest.mark.parametrize(
    ("edit_provider", "edit_gateway", "claims", "code"),
    [
        (nothing, nothing, POINTER, "QGW-313"),
        (needs_no_groups, nothing, POINTER, None),
        (denies_at_the_provider, nothing, POINTER, "QGW-313"),
        (needs_no_groups, denies_at_the_virtual_proxy, POINTER, "QGW-313"),
        (needs_no_groups, denies_at_the_virtual_proxy, {"groups": None, "hasgroups": True}, "QGW-313"),
        (needs_no_groups, denies_at_the_virtual_proxy, {"groups": ["sales"]}, None),
    ],
)
async def test_whoever_is_in_too_many_groups_is_not_taken_for_one_without(
    worlds: Worlds, edit_provider: Edit, edit_gateway: Edit, claims: Mapping[str, Any], code: str | None
) -> None:
    world = await worlds(edit_provider=edit_provider, edit_gateway=edit_gateway)
    world.providers["entra"].assurance = lambda _: claims
    page = await world.sign_in(world.browser())
    assert (page.status, page.code) == ((403, code) if code else (200, None))
    assert world.site.count("tickets_issued") == (0 if code else 1)
