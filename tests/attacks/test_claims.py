"""Attacks by claims: a user's own text that is to break, fool or exhaust the rules. Each starts from a login that passes."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import pytest

from gateway.explain import Explanation, explain
from gateway.mapping import AccessRule, Cel, ClaimPath, Rules, Scope, compile_expression

RULES = Rules(
    user_directory=ClaimPath(("company",)),
    directory_one_of=frozenset({"CONTOSO"}),
    user_id=ClaimPath(("oid",)),
    attributes=(
        ("email", ClaimPath(("email",))),
        ("group", Cel(compile_expression("claims.groups.filter(g, g.startsWith('qlik-')).map(g, g.substring(5))", Scope.MAPPING))),
    ),
)
ALLOW = AccessRule(
    owner="identity provider entra",
    expression=compile_expression("'qlik-users' in claims.groups && !('qlik-blocked' in claims.groups) && user.id != 'root'", Scope.ACCESS),
)
GOOD: dict[str, Any] = {"company": "CONTOSO", "oid": "alice", "email": "alice@example.com", "groups": ["qlik-users", "mail"]}
Mutation = Callable[[dict[str, Any]], None]


def attempt(mutate: Mutation) -> Explanation:
    claims = {**GOOD, "groups": list(GOOD["groups"])}
    mutate(claims)
    return explain(RULES, [ALLOW], claims=claims, name_id=None, idp="entra")


def code(mutate: Mutation) -> str | None:
    refusal = attempt(mutate).refusal
    return None if refusal is None else refusal.code


def sets(name: str, value: object) -> Mutation:
    return lambda claims: claims.__setitem__(name, value)


def adds_group(group: object) -> Mutation:
    return lambda claims: claims["groups"].append(group)


def deep(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return value


def test_the_good_case_passes() -> None:
    told = attempt(lambda _: None)
    assert told.refusal is None
    assert told.ticket_request == {
        "UserDirectory": "CONTOSO",
        "UserId": "alice",
        "Attributes": [{"email": "alice@example.com"}, {"group": "users"}],
    }


def test_a_nul_that_would_end_a_name_early_is_refused() -> None:
    assert code(sets("oid", "root\0alice")) == "QGW-301"
    assert code(adds_group("qlik-users\0")) == "QGW-301"


def test_a_nul_in_the_name_of_a_claim_is_refused() -> None:
    assert code(sets("groups\0", ["qlik-users"])) == "QGW-301"


def test_a_control_character_is_refused_wherever_it_stands() -> None:
    assert code(sets("email", "alice@example.com\r\nX-Qlik-User: UserDirectory=INTERNAL")) == "QGW-301"
    assert code(sets("nickname", "\x1b[2J")) == "QGW-301"


def test_a_lone_surrogate_is_refused_and_not_a_crash() -> None:
    assert code(sets("nickname", "\ud83d")) == "QGW-301"


def test_an_integer_beyond_64_bits_elsewhere_breaks_nobodys_login() -> None:
    assert code(sets("nickname", 2**64)) is None
    assert code(sets("nickname", -(10**400))) is None


def test_an_integer_beyond_64_bits_is_no_user_id() -> None:
    assert code(sets("oid", 2**64)) == "QGW-303"


def test_a_number_that_is_not_finite_breaks_nobodys_login() -> None:
    assert code(sets("nickname", float("nan"))) is None


@pytest.mark.parametrize("levels", [40, 1_000, 100_000])
def test_nesting_that_would_end_the_process_is_refused(levels: int) -> None:
    assert code(sets("nickname", deep(levels))) == "QGW-301"


def test_more_values_than_bounded_are_refused() -> None:
    assert code(sets("nickname", ["x"] * 5_000)) == "QGW-301"


def test_a_huge_string_is_refused() -> None:
    assert code(sets("nickname", "x" * 8_193)) == "QGW-301"


def test_claims_that_make_a_rule_fail_are_no_access() -> None:
    """The error of an expression is a text, and a text is true to Python."""
    assert code(lambda claims: claims.pop("groups")) == "QGW-305"
    assert code(sets("groups", "qlik-users")) == "QGW-305"
    assert code(sets("groups", None)) == "QGW-305"
    assert code(sets("groups", 1)) == "QGW-305"


def test_an_object_in_the_place_of_a_list_gives_no_group() -> None:
    """`in` looks at an object's names: `filter` then runs over them, and the texts are the user's own either way."""
    told = attempt(sets("groups", {"qlik-users": False}))
    assert told.refusal is None
    assert told.ticket_request is not None
    assert told.ticket_request["Attributes"] == [{"email": "alice@example.com"}, {"group": "users"}]


def test_a_group_of_another_type_is_no_group() -> None:
    assert code(adds_group({"qlik-blocked": True})) == "QGW-305"
    assert code(adds_group(None)) == "QGW-305"
    assert code(adds_group(["qlik-blocked"])) == "QGW-305"


def test_a_directory_of_the_users_own_choice_is_refused() -> None:
    for directory in ("INTERNAL", "contoso", "CONTOSO ", "CONTOSO\u200b", "ＣＯＮＴＯＳＯ"):  # noqa: RUF001 look-alikes are the attack
        assert code(sets("company", directory)) == "QGW-312"


def test_a_list_cannot_bring_a_second_user_id_or_directory() -> None:
    assert code(sets("oid", ["alice", "root"])) == "QGW-303"
    assert code(sets("company", ["CONTOSO", "INTERNAL"])) == "QGW-302"


@pytest.mark.parametrize("value", [True, 1, 1.5, None, {}, {"oid": "root"}, [], [["root"]]])
def test_a_user_id_of_another_type_is_refused(value: object) -> None:
    assert code(sets("oid", value)) == "QGW-303"


@pytest.mark.parametrize("user_id", ["CONTOSO\\root", " alice", "alice ", "", "e\u0301"])
def test_a_user_id_of_a_wrong_shape_ends_at_the_last_gate(user_id: str) -> None:
    assert code(sets("oid", user_id)) == "QGW-308"


@pytest.mark.parametrize("value", [{"x": 1}, [{}], [None]])
def test_an_object_is_no_attribute(value: object) -> None:
    assert code(sets("email", value)) == "QGW-304"


def test_more_values_than_an_attribute_can_have_are_refused() -> None:
    assert code(sets("email", ["x"] * 1_001)) == "QGW-310"


def test_thousands_of_groups_take_no_memory_and_little_time() -> None:
    """Without the pre-spent steps: 400 MB and half a second for each expression."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert code(sets("groups", [f"qlik-{number}" for number in range(4_900)])) == "QGW-305"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # KiB
    assert time.process_time() - start < 2


def test_a_refusal_quotes_only_little_of_what_was_sent() -> None:
    refusal = attempt(sets("company", "x" * 8_000)).refusal
    assert refusal is not None
    assert len(refusal.detail) < 300
