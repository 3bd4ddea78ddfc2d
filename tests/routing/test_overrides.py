"""The mapping that holds at a virtual proxy with overrides: made once for a provider's rules, and anew for others."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from gateway.mapping import ClaimPath, Constant, Overrides, Rules
from gateway.protocol.qps import Targets, read_target
from gateway.routing import Provider, VirtualProxy
from gateway.strength import Strength

OVERRIDES = Overrides(attributes=(("region", Constant("EMEA")),))
RULES = Rules(user_directory=Constant("CONTOSO"), user_id=ClaimPath(("sub",)))


def provider(name: str, rules: Rules) -> Provider:
    port: Any = SimpleNamespace(name=name)
    return Provider(port=port, rules=rules, access=(), strength=Strength())


def virtual_proxy(overrides: Overrides | None) -> VirtualProxy:
    return VirtualProxy(
        name="sales",
        prefix="sales",
        nodes={},
        targets=Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/"),
        identity_providers=("entra", "okta"),
        access=(),
        strength=Strength(),
        overrides=overrides,
    )


def test_it_is_made_once() -> None:
    sales, entra = virtual_proxy(OVERRIDES), provider("entra", RULES)
    assert sales.rules(entra) == OVERRIDES.over(RULES)
    assert sales.rules(entra) is sales.rules(provider("entra", RULES))


def test_each_provider_has_its_own_and_new_rules_make_a_new_one() -> None:
    sales, others = virtual_proxy(OVERRIDES), replace(RULES, user_directory=Constant("OTHERS"))
    for name, rules in (("entra", RULES), ("okta", others), ("entra", others), ("okta", RULES)):
        assert sales.rules(provider(name, rules)) == OVERRIDES.over(rules)


def test_without_overrides_it_is_the_providers() -> None:
    assert virtual_proxy(None).rules(provider("entra", RULES)) is RULES
