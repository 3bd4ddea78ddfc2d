"""The trace of one decision."""

from __future__ import annotations

from gateway.errors import AccessDenied, ClaimsRefused, ExpressionFailed, ReservedDirectory, UserIdUnmapped
from gateway.explain import Explanation, RuleOutcome, explain
from gateway.mapping import ClaimPath, Constant, NameId, Rules
from gateway.mapping.access import AccessRule
from gateway.model import JsonValue
from tests.mapping.builders import access, rules

ENTRA = rules(user_id=ClaimPath(("oid",)), group=ClaimPath(("groups",)), email=ClaimPath(("email",)))


def explained(given: Rules = ENTRA, allow: tuple[AccessRule, ...] = (), *, name_id: str | None = None, **claims: JsonValue) -> Explanation:
    return explain(given, allow, claims=claims, name_id=name_id, idp="entra")


def test_an_allowed_user_has_a_ticket_request() -> None:
    told = explained(ENTRA, (access("'a' in claims.groups"),), oid="alice", groups=["a", "b"])
    assert told.refusal is None
    assert told.ticket_request == {"UserDirectory": "CONTOSO", "UserId": "alice", "Attributes": [{"group": "a"}, {"group": "b"}]}
    assert [(step.name, step.output) for step in told.steps] == [
        ("user_directory", ("CONTOSO",)),
        ("user_id", ("alice",)),
        ("attributes.group", ("a", "b")),
        ("attributes.email", None),
    ]
    assert told.rules == (RuleOutcome(owner="identity provider entra", expression="'a' in claims.groups"),)


def test_a_refusal_of_the_gate_comes_first() -> None:
    told = explained(oid="alice\0")
    assert isinstance(told.refusal, ClaimsRefused)
    assert (told.steps, told.rules, told.ticket_request) == ((), (), None)


def test_a_refusal_of_the_mapping_keeps_the_steps_before_it() -> None:
    told = explained(ENTRA, (access("true"),), groups=["a"])
    assert isinstance(told.refusal, UserIdUnmapped)
    assert [step.name for step in told.steps] == ["user_directory"]
    assert (told.rules, told.ticket_request) == ((), None)


def test_all_rules_are_tried_and_the_first_refusal_counts() -> None:
    told = explained(ENTRA, (access("true"), access("claims.missing", "virtual proxy sales"), access("false")), oid="alice")
    assert isinstance(told.refusal, ExpressionFailed)
    assert [type(rule.refusal) for rule in told.rules] == [type(None), ExpressionFailed, AccessDenied]
    assert told.rules[1].owner == "virtual proxy sales"
    assert told.ticket_request is None


def test_the_last_gate_has_the_last_word() -> None:
    told = explained(rules(Constant("INTERNAL")), (access("true"),))
    assert isinstance(told.refusal, ReservedDirectory)
    assert told.rules[0].refusal is None
    assert told.ticket_request is None


def test_what_the_gate_left_out_is_told() -> None:
    told = explained(oid="alice", big=2**64)
    assert told.notes == ("claim big: an integer beyond 64 bits was left out",)
    assert told.refusal is None


def test_a_name_id_is_read() -> None:
    told = explained(rules(user_id=NameId()), name_id="alice")
    assert told.ticket_request == {"UserDirectory": "CONTOSO", "UserId": "alice", "Attributes": []}
