"""Access rules: only the boolean true passes."""

from __future__ import annotations

import pytest

from gateway.errors import AccessDenied, ExpressionFailed, GatewayError
from gateway.mapping import Subject, check_access
from gateway.model import JsonValue, QlikUser
from tests.mapping.builders import USER, access, subject

CLAIMS: dict[str, JsonValue] = {"t": True, "f": False, "s": "true", "i": 1, "d": 1.0, "n": None, "l": [True], "e": [], "m": {"t": True}}


def refusal_of(*sources: str, who: Subject | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as refused:
        check_access([access(source) for source in sources], who or Subject(claims=CLAIMS), USER, idp="entra")
    return refused.value


@pytest.mark.parametrize(
    "source",
    [
        "true",
        "claims.t",
        "claims.s == 'true'",
        "'sales' in user.attributes.group",
        "user.attributes.?missing.orValue([]) == []",
        "user.directory == 'CONTOSO' && user.id == 'alice'",
        "user . id == 'alice'",
        "user // whose\n.id == 'alice'",
        ".user.id == 'alice'",
        "(user).id == 'alice'",
        "'sales' in (user\n).attributes.group",
        "idp == 'entra'",
        "!groups_overage",
        "claims.t || claims.missing",
    ],
)
def test_true_passes(source: str) -> None:
    check_access([access(source)], Subject(claims=CLAIMS), USER, idp="entra")


def test_without_rules_everybody_passes() -> None:
    check_access([], subject(), USER, idp="entra")


def test_false_is_denied() -> None:
    refused = refusal_of("claims.f")
    assert (type(refused), refused.code, refused.detail) == (
        AccessDenied,
        "QGW-306",
        "the access rule allow of identity provider entra gave false",
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("claims.missing", ': NOT_FOUND: Key not found in map : "missing"'),
        ("claims.missing == 'x'", ': NOT_FOUND: Key not found in map : "missing"'),
        ("claims.f || claims.missing", ': NOT_FOUND: Key not found in map : "missing"'),
        ("'a' in claims.s", ": UNKNOWN: No matching overloads found : @in"),
        ("name_id == 'alice'", ': UNKNOWN: No value with name "name_id" found in Activation'),
        ("claims.s", " gave neither true nor false"),
        ("claims.i", " gave neither true nor false"),
        ("claims.d", " gave neither true nor false"),
        ("claims.l", " gave neither true nor false"),
        ("claims.e", " gave neither true nor false"),
        ("claims.n", ": gave null, which cannot be used here"),
        ("claims.m", ": gave map<dyn, dyn>, which cannot be used here"),
        ("dyn(claims.?t)", ": gave an optional, which cannot be used here: end it with .orValue(…)"),
        ("dyn(claims.?missing)", ": gave an optional, which cannot be used here: end it with .orValue(…)"),
        ("1 / 0 == 1", ": INVALID_ARGUMENT: divide by zero"),
    ],
)
def test_anything_else_refuses(source: str, reason: str) -> None:
    refused = refusal_of(source)
    assert (type(refused), refused.code) == (ExpressionFailed, "QGW-305")
    assert refused.detail == f"the access rule allow of identity provider entra{reason}"


def test_every_rule_must_pass() -> None:
    check_access([access("true"), access("claims.t")], Subject(claims=CLAIMS), USER, idp="entra")
    assert isinstance(refusal_of("true", "claims.f"), AccessDenied)
    assert isinstance(refusal_of("claims.f", "true"), AccessDenied)
    assert isinstance(refusal_of("claims.missing", "claims.f"), ExpressionFailed)


def test_a_rule_knows_the_name_id_where_there_is_one() -> None:
    check_access([access("name_id == 'alice@example.com'")], subject(name_id="alice@example.com"), USER, idp="entra")


def test_a_rule_can_refuse_a_pointer_instead_of_groups() -> None:
    who = subject(_claim_names={"groups": "src1"})
    assert isinstance(refusal_of("!groups_overage", who=who), AccessDenied)


def test_many_attributes_leave_a_list_expression_few_steps() -> None:
    many = QlikUser(directory="CONTOSO", user_id="alice", attributes=tuple(("group", str(number)) for number in range(2_500)))
    with pytest.raises(ExpressionFailed, match="the lists are too long"):
        check_access([access("user.attributes.group.map(g, g).size() > 1")], subject(), many, idp="entra")
    check_access([access("'2499' in user.attributes.group")], subject(), many, idp="entra")
