"""Mapping rules: what each source gives, and every way in which it gives nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.errors import (
    AttributesTooLarge,
    AttributeUnmapped,
    DirectoryNotListed,
    DirectoryUnmapped,
    ExpressionFailed,
    GatewayError,
    MalformedUser,
    UserIdUnmapped,
)
from gateway.mapping import Cel, ClaimPath, Constant, NameId, Rules, Scope, Source, Step, Subject, apply, compile_expression, steps
from gateway.model import IdpSession, JsonValue, QlikUser, VerifiedIdentity
from tests.mapping.builders import cel, rules, subject


def user_id_of(source: Source, who: Subject) -> str:
    return apply(rules(user_id=source), who, idp="entra").user.user_id


def values_of(source: Source, who: Subject) -> list[str]:
    mapped = apply(rules(a=source), who, idp="entra")
    return [value for _, value in mapped.user.attributes]


def step_of(source: Source, who: Subject) -> Step:
    return apply(rules(a=source), who, idp="entra").steps[2]


def refusal_of(given: Rules, who: Subject) -> GatewayError:
    with pytest.raises(GatewayError) as refused:
        apply(given, who, idp="entra")
    return refused.value


# ---- the whole --------------------------------------------------------------------------------------------------------


def test_a_mapping_gives_a_user_and_its_steps() -> None:
    given = rules(
        Constant("CONTOSO"),
        ClaimPath(("oid",)),
        email=ClaimPath(("email",)),
        group=cel("claims.groups.filter(g, g.startsWith('qlik-'))"),
        role=ClaimPath(("realm_access", "roles")),
        phone=ClaimPath(("phone_number",)),
    )
    who = subject(oid="0a1b", email="alice@example.com", groups=["qlik-sales", "mail", "qlik-emea"], realm_access={"roles": ["reader"]})
    mapped = apply(given, who, idp="entra")
    assert mapped.user == QlikUser(
        directory="CONTOSO",
        user_id="0a1b",
        attributes=(("email", "alice@example.com"), ("group", "qlik-sales"), ("group", "qlik-emea"), ("role", "reader")),
    )
    assert mapped.steps == (
        Step(name="user_directory", source="value: CONTOSO", output=("CONTOSO",)),
        Step(name="user_id", source="claim: oid", output=("0a1b",)),
        Step(name="attributes.email", source="claim: email", output=("alice@example.com",)),
        Step(name="attributes.group", source="cel: claims.groups.filter(g, g.startsWith('qlik-'))", output=("qlik-sales", "qlik-emea")),
        Step(name="attributes.role", source="claim: [realm_access, roles]", output=("reader",)),
        Step(name="attributes.phone", source="claim: phone_number", output=None, note="left out: there is no claim phone_number"),
    )


def test_the_steps_before_a_refusal_can_be_seen() -> None:
    taken: list[Step] = []
    with pytest.raises(AttributeUnmapped):
        taken.extend(steps(rules(a=ClaimPath(("a",)), b=ClaimPath(("b",))), subject(a="x", b={}), idp="entra"))
    assert [step.name for step in taken] == ["user_directory", "user_id", "attributes.a"]


def test_a_subject_is_made_of_a_verified_identity() -> None:
    identity = VerifiedIdentity(  # what a provider would prove
        session=IdpSession(issuer="https://login.example.com", subject="alice"),
        claims={"groups": ["a"]},
        proof_id="x",
        proof_expires_at=datetime(2026, 1, 1, tzinfo=UTC),
        name_id="alice@example.com",
    )
    who = Subject.of(identity)
    assert (who.claims, who.name_id) == ({"groups": ["a"]}, "alice@example.com")


def test_values_stay_out_of_reprs() -> None:
    mapped = apply(rules(a=ClaimPath(("a",))), subject(a="private"), idp="entra")
    assert "private" not in repr(mapped.steps)


# ---- user directory and user id ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "claims", "expected"),
    [
        (Constant("alice"), {}, "alice"),
        (ClaimPath(("sub",)), {"sub": "alice"}, "alice"),
        (ClaimPath(("a.b/c",)), {"a.b/c": "alice"}, "alice"),
        (ClaimPath(("a", "b")), {"a": {"b": "alice"}}, "alice"),
        (ClaimPath(("sub",)), {"sub": ["alice"]}, "alice"),
        (cel("claims.upn.split('\\\\')[1]"), {"upn": "CONTOSO\\alice"}, "alice"),
        (cel("claims.sub[0]"), {"sub": ["alice", "bob"]}, "alice"),
        (cel("string(claims.number)"), {"number": 42}, "42"),
        (cel("idp + '-' + claims.sub"), {"sub": "alice"}, "entra-alice"),
    ],
)
def test_a_user_id_is_one_string(source: Source, claims: dict[str, JsonValue], expected: str) -> None:
    assert user_id_of(source, Subject(claims=claims)) == expected


def test_a_user_id_may_be_the_name_id() -> None:
    who = subject(name_id="alice@example.com")
    assert user_id_of(NameId(), who) == "alice@example.com"
    assert user_id_of(cel("name_id.split('@')[0]"), who) == "alice"


REFUSED_CLAIMS: dict[str, tuple[dict[str, JsonValue], str]] = {
    "missing": ({}, "there is no claim a"),
    "null": ({"a": {"b": None}}, "claim a → b is null"),
    "missing inside": ({"a": {"c": "x"}}, "there is no claim a → b"),
    "no object on the way": ({"a": "x"}, "claim a is no object"),
    "a list on the way": ({"a": [{"b": "x"}]}, "claim a is no object"),
    "empty list": ({"a": {"b": []}}, "claim: [a, b] has 0 values, not one"),
    "two values": ({"a": {"b": ["x", "y"]}}, "claim: [a, b] has 2 values, not one"),
    "a number": ({"a": {"b": 1}}, "claim: [a, b] is a number, not a string"),
    "a fraction": ({"a": {"b": 1.5}}, "claim: [a, b] is a number, not a string"),
    "a boolean": ({"a": {"b": True}}, "claim: [a, b] is a boolean, not a string"),
    "a list of one number": ({"a": {"b": [1]}}, "claim: [a, b] is a number, not a string"),
    "an object": ({"a": {"b": {}}}, "claim a → b holds an object, a list or a null where a value should stand"),
    "a list of one object": ({"a": {"b": [{}]}}, "claim a → b holds an object, a list or a null where a value should stand"),
    "a list of one null": ({"a": {"b": [None]}}, "claim a → b holds an object, a list or a null where a value should stand"),
    "a list of one list": ({"a": {"b": [["x"]]}}, "claim a → b holds an object, a list or a null where a value should stand"),
    "dropped": ({"a": {"b": 2**70}}, "there is no claim a → b"),
}


@pytest.mark.parametrize(("claims", "reason"), REFUSED_CLAIMS.values(), ids=REFUSED_CLAIMS)
def test_a_claim_that_is_not_one_string_gives_no_user_id_and_no_directory(claims: dict[str, JsonValue], reason: str) -> None:
    who, source = Subject(claims=claims), ClaimPath(("a", "b"))
    refused = refusal_of(rules(user_id=source), who)
    assert (type(refused), refused.code, refused.detail) == (UserIdUnmapped, "QGW-303", f"user_id: {reason}")
    refused = refusal_of(rules(user_directory=source, one_of=frozenset({"x"})), who)
    assert (type(refused), refused.code, refused.detail) == (DirectoryUnmapped, "QGW-302", f"user_directory: {reason}")


def test_without_a_name_id_nothing_is_made_of_it() -> None:
    assert isinstance(refusal_of(rules(user_id=NameId()), subject()), UserIdUnmapped)
    assert isinstance(refusal_of(rules(user_id=cel("name_id")), subject()), ExpressionFailed)
    assert step_of(NameId(), subject()).note == "left out: the provider sent no NameID"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("claims.missing", 'NOT_FOUND: Key not found in map : "missing"'),
        ("claims.n", "gave null, which cannot be used here"),
        ("claims.m", "gave map<dyn, dyn>, which cannot be used here"),
        ("dyn(claims.?s)", "gave an optional, which cannot be used here: end it with .orValue(…)"),
        ("dyn(claims.?missing)", "gave an optional, which cannot be used here: end it with .orValue(…)"),
        ("claims.l", "the expression gave a list, not one string"),
        ("claims.t", "the expression gave a boolean, not one string"),
        ("claims.i", "the expression gave a number, not one string"),
        ("claims.f", "the expression gave a number, not one string"),
        ("1 / 0", "INVALID_ARGUMENT: divide by zero"),
        ("dyn(b'x')", "gave bytes, which cannot be used here"),
    ],
)
def test_an_expression_that_gives_no_string_gives_no_user_id_and_no_directory(source: str, reason: str) -> None:
    who = subject(s="x", n=None, m={}, l=["x"], t=True, i=1, f=1.5)
    refused = refusal_of(rules(user_id=cel(source)), who)
    assert (type(refused), refused.detail) == (ExpressionFailed, f"user_id: {reason}")
    refused = refusal_of(rules(user_directory=cel(source), one_of=frozenset({"x"})), who)
    assert (type(refused), refused.detail) == (ExpressionFailed, f"user_directory: {reason}")


@pytest.mark.parametrize(
    "source", [cel("claims.s + '\\u0000'"), cel("'a\\nb'"), Constant("a\0"), cel("claims.s.replace('x', claims.long) + claims.long")]
)
def test_text_that_no_rule_may_see_is_no_user_id_even_when_an_expression_makes_it(source: Source) -> None:
    """The access rules read it next: a NUL would end it there."""
    refused = refusal_of(rules(user_id=source), subject(s="x", long="y" * 8_000))
    assert isinstance(refused, MalformedUser)


@pytest.mark.parametrize("directory", ["CONTOSO", "PARTNERS"])
def test_a_computed_directory_must_be_listed(directory: str) -> None:
    given = rules(ClaimPath(("d",)), one_of=frozenset({"CONTOSO", "PARTNERS"}))
    assert apply(given, subject(d=directory), idp="entra").user.directory == directory


@pytest.mark.parametrize("directory", ["contoso", "CONTOSO ", "", "CONTOSO\u200b", "INTERNAL"])
def test_a_directory_that_is_not_listed_letter_by_letter_is_refused(directory: str) -> None:
    for source in (ClaimPath(("d",)), cel("claims.d")):
        refused = refusal_of(rules(source, one_of=frozenset({"CONTOSO"})), subject(d=directory))
        assert (type(refused), refused.code) == (DirectoryNotListed, "QGW-312")


def test_a_computed_directory_without_a_list_is_refused() -> None:
    assert isinstance(refusal_of(rules(ClaimPath(("d",))), subject(d="CONTOSO")), DirectoryNotListed)
    assert isinstance(refusal_of(rules(Constant("A"), one_of=frozenset({"B"})), subject()), DirectoryNotListed)


# ---- attributes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("x", ["x"]),
        ("", [""]),
        (" Zoë; a=b ", [" Zoë; a=b "]),
        (42, ["42"]),
        (-(2**63), ["-9223372036854775808"]),
        (True, ["true"]),
        (False, ["false"]),
        (1.0, ["1.0"]),
        (0.1, ["0.1"]),
        (1e21, ["1e+21"]),
        ([], []),
        (["b", "a", "b"], ["b", "a", "b"]),
        (["x", 1, True, 0.5], ["x", "1", "true", "0.5"]),
    ],
)
def test_an_attribute_has_the_json_text_of_scalars(value: JsonValue, texts: list[str]) -> None:
    for source in (ClaimPath(("v",)), cel("claims.v")):
        assert values_of(source, subject(v=value)) == texts


@pytest.mark.parametrize(
    ("claims", "note"),
    [
        ({}, "left out: there is no claim groups"),
        ({"groups": None}, "left out: claim groups is null"),
        ({"hasgroups": True}, "left out: there is no claim groups (the provider sent a pointer instead of it)"),
    ],
)
def test_a_missing_claim_leaves_an_attribute_out_and_is_noted(claims: dict[str, JsonValue], note: str) -> None:
    step = step_of(ClaimPath(("groups",)), Subject(claims=claims))
    assert (step.output, step.note) == (None, note)


def test_an_empty_list_is_no_missing_claim() -> None:
    assert step_of(ClaimPath(("groups",)), subject(groups=[])) == Step(name="attributes.a", source="claim: groups", output=())


@pytest.mark.parametrize("value", [{}, {"a": "x"}, [{}], ["x", None], [["x"]], [[]]])
def test_an_object_or_a_list_of_anything_but_scalars_is_refused(value: JsonValue) -> None:
    refused = refusal_of(rules(a=ClaimPath(("v",))), subject(v=value))
    assert (type(refused), refused.code) == (AttributeUnmapped, "QGW-304")
    assert refused.detail == "attributes.a: claim v holds an object, a list or a null where a value should stand"


@pytest.mark.parametrize(
    "source",
    ["claims.missing", "claims.n", "claims.m", "claims.lists", "dyn(claims.?s)", "dyn(claims)", "1/0", "dyn(b'x')", "claims.nulls"],
)
def test_an_expression_that_gives_nothing_usable_refuses_the_login(source: str) -> None:
    refused = refusal_of(rules(a=cel(source)), subject(s="x", n=None, m={}, lists=[["x"]], nulls=[None]))
    assert (type(refused), refused.code) == (ExpressionFailed, "QGW-305")
    assert refused.detail.startswith("attributes.a: ")


@pytest.mark.parametrize("source", ["'a\\u0000b'", "['x', 'a\\nb']", "claims.s + claims.s"])
def test_text_that_a_ticket_cannot_carry_is_refused_even_when_an_expression_makes_it(source: str) -> None:
    assert isinstance(refusal_of(rules(a=cel(source)), subject(s="x" * 5_000)), AttributeUnmapped)


def test_an_address_of_several_lines_is_carried_once_an_expression_joins_them() -> None:
    who = subject(address={"formatted": "1 High Street\nSpringfield"})
    assert isinstance(refusal_of(rules(a=ClaimPath(("address", "formatted"))), who), AttributeUnmapped)
    assert values_of(cel("claims.address.formatted.split('\\n').join(', ')"), who) == ["1 High Street, Springfield"]


@pytest.mark.parametrize("source", ["1.0 / 0.0", "[0.0 / 0.0]"])
def test_a_number_that_json_cannot_write_is_refused(source: str) -> None:
    assert isinstance(refusal_of(rules(a=cel(source)), subject()), AttributeUnmapped)


def test_an_attribute_has_at_most_1000_values() -> None:
    assert len(values_of(ClaimPath(("l",)), subject(l=["x"] * 1_000))) == 1_000
    for source in (ClaimPath(("l",)), cel("claims.l")):
        refused = refusal_of(rules(a=source), subject(l=["x"] * 1_001))
        assert (type(refused), refused.detail) == (AttributesTooLarge, "attributes.a: 1001 values, more than 1000")


def test_an_expression_for_access_is_no_source() -> None:
    with pytest.raises(ExpressionFailed):
        user_id_of(Cel(compile_expression("true", Scope.ACCESS)), subject())
