"""Mapping as a whole: for any claims, a user made of what was given, or a `GatewayError`; nothing else."""

from __future__ import annotations

import json
import unicodedata
from copy import deepcopy
from typing import Any
from urllib.parse import quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import AttributesTooLarge, GatewayError
from gateway.explain import explain
from gateway.mapping import (
    AccessRule,
    Budget,
    Cel,
    ClaimPath,
    Constant,
    FirstOf,
    NameId,
    PatternProblem,
    Rules,
    Scope,
    Source,
    Stepped,
    Subject,
    apply,
    check_access,
    check_complete,
    compile_expression,
    compile_pattern,
    read_replacement,
)
from gateway.mapping.actions import (
    MAX_STEP_TEXT,
    MAX_STEP_VALUES,
    Action,
    Cap,
    Filter,
    Lower,
    Match,
    Replace,
    Split,
    StripPrefix,
    StripSuffix,
    Table,
    TooMuchError,
    Trim,
    Unique,
    Upper,
    perform,
)
from gateway.mapping.claims import MAX_DEPTH, _Gate
from gateway.model import QlikUser, attribute_size
from gateway.protocol import qps

NAMES = st.sampled_from(["a", "b", "groups", "realm_access", "roles", "sub", "https://example.com/x.y", "_claim_names", "hasgroups"])
TEXTS = st.text(max_size=12) | st.sampled_from(["alice", "qlik-sales", "CONTOSO", "a\0b", "\ud800", "x" * 9_000, "NONE"])
NUMBERS = st.integers() | st.integers(min_value=2**62, max_value=2**65) | st.floats()
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(NAMES | TEXTS, inner, max_size=4), max_leaves=20
)
PLAIN = st.sampled_from(["alice", "Zo\u00eb", "", "x" * 600]) | st.none() | st.booleans() | st.integers(-(2**65), 2**65)
CLAIMS = st.dictionaries(NAMES | TEXTS, VALUES, max_size=8)
NAME_IDS = st.none() | TEXTS


@given(CLAIMS | st.dictionaries(NAMES, PLAIN | st.lists(PLAIN, max_size=4), max_size=8), st.sampled_from([1, 2, MAX_DEPTH - 1, MAX_DEPTH]))
def test_claims_that_pass_the_gate_at_once_would_pass_it_one_by_one(claims: dict[str, Any], depth: int) -> None:
    at_once, one_by_one = _Gate(), _Gate()
    taken = at_once.plain(claims, depth)
    if taken is not None:
        assert json.dumps(taken) == json.dumps(one_by_one.copied(claims, (), depth))
    told = [(gate.nodes, gate.longest, gate.total, gate.notes) for gate in (at_once, one_by_one)]
    assert told[0] == told[1]


def cel(source: str) -> Cel:
    return Cel(compile_expression(source, Scope.MAPPING))


SINGLE = st.sampled_from(
    [
        Constant("CONTOSO"),
        ClaimPath(("sub",)),
        ClaimPath(("realm_access", "roles")),
        ClaimPath(("a",)),
        NameId(),
        cel("claims.sub"),
        cel("name_id"),
        cel("claims.a"),
        cel("claims.?b.orValue('CONTOSO')"),
        cel("claims.groups[0]"),
    ]
)
STEPS = st.sampled_from(
    [
        Lower(),
        Upper(),
        Trim(),
        Unique(),
        StripPrefix("qlik-"),
        StripSuffix("s"),
        Match(compile_pattern("(?s)(.)(?:.*)")),
        Match(compile_pattern("(?i)[a-z].*")),
        Replace(compile_pattern("."), read_replacement("xx", compile_pattern("."))),
        Split("a"),
        Filter(prefixes=("q",), exact=frozenset({"alice"}), pattern=compile_pattern(".{3,}")),
        Table(name="inline", entries={"alice": ("CONTOSO", "constant")}, keep_others=True),
        Cap(2),
    ]
)
TAKING_AWAY = STEPS.filter(lambda step: isinstance(step, Unique | Filter | Cap))
COPYING = st.sampled_from(
    [
        Constant("constant"),
        ClaimPath(("groups",)),
        ClaimPath(("realm_access", "roles")),
        ClaimPath(("a",)),
        NameId(),
        cel("claims.groups"),
        cel("claims.groups.filter(g, g != 'alice')"),
        cel("claims.?realm_access.?roles.orValue([])"),
        cel("claims.?a.orValue(claims.?b.orValue([]))"),
        cel("claims.map(name, claims[name])"),
        cel("[claims.a, claims.b]"),
    ]
)
BUDGETS = st.none() | st.builds(Budget, most=st.integers(min_value=1, max_value=60), drop=st.booleans())


def sources(steps: st.SearchStrategy[Action]) -> st.SearchStrategy[Source]:
    """Sources, alternatives of them, and both with steps, a default and a budget."""
    plain = COPYING | st.lists(COPYING, min_size=2, max_size=3).map(lambda several: FirstOf(tuple(several)))
    defaults = st.sampled_from([(), ("constant",)])
    return plain | st.builds(Stepped, source=plain, actions=st.lists(steps, max_size=4).map(tuple), default=defaults, budget=BUDGETS)


def mappings(steps: st.SearchStrategy[Action]) -> st.SearchStrategy[Rules]:
    """Whole mappings."""
    return st.builds(
        Rules,
        user_directory=SINGLE,
        directory_one_of=st.none() | st.just(frozenset({"CONTOSO", "alice", ""})),
        user_id=SINGLE | st.builds(Stepped, source=SINGLE, actions=st.lists(steps, max_size=3).map(tuple)),
        attributes=st.lists(st.tuples(st.sampled_from(["group", "email"]), sources(steps)), max_size=4).map(tuple),
        budget=BUDGETS,
    )


COPIED = mappings(TAKING_AWAY)
CHANGED = mappings(STEPS)
MAPPINGS = st.builds(
    Rules,
    user_directory=SINGLE,
    directory_one_of=st.none() | st.just(frozenset({"CONTOSO", "alice", ""})),
    user_id=SINGLE,
    attributes=st.lists(st.tuples(st.sampled_from(["group", "email"]), COPYING), max_size=4).map(tuple),
)
ACCESS = [
    AccessRule(owner="test", expression=compile_expression(source, Scope.ACCESS))
    for source in (
        "claims.a",
        "'alice' in claims.groups",
        "user.attributes.?group.orValue([]).exists(g, g == 'alice')",
        "claims.?b.orValue(true)",
    )
]


def texts_in(value: Any) -> set[str]:
    """Every text that a claim's value could become in a ticket."""
    if isinstance(value, dict):
        return set().union(*(texts_in(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(texts_in(inner) for inner in value))
    return {value} if isinstance(value, str) else {json.dumps(value)}


def decided(mapping: Rules, claims: dict[str, Any], name_id: str | None) -> QlikUser | str:
    try:
        return apply(mapping, Subject(claims=claims, name_id=name_id), idp="entra").user
    except GatewayError as refusal:
        return f"{refusal.code} {refusal.detail}"


@settings(deadline=None, max_examples=300)
@given(MAPPINGS | COPIED, CLAIMS, NAME_IDS)
def test_a_mapping_that_copies_never_invents_a_value(mapping: Rules, claims: dict[str, Any], name_id: str | None) -> None:
    user = decided(mapping, claims, name_id)
    if isinstance(user, str):
        return
    known = texts_in(claims) | {"CONTOSO", "constant"} | ({name_id} if name_id is not None else set())
    assert {user.directory, user.user_id, *(value for _, value in user.attributes)} <= known
    assert {name for name, _ in user.attributes} <= {name for name, _ in mapping.attributes}


@settings(deadline=None, max_examples=150)
@given(MAPPINGS | CHANGED, CLAIMS, NAME_IDS)
def test_the_same_claims_always_become_the_same(mapping: Rules, claims: dict[str, Any], name_id: str | None) -> None:
    assert decided(mapping, claims, name_id) == decided(mapping, deepcopy(claims), name_id)


@settings(deadline=None, max_examples=150)
@given(CLAIMS, NAME_IDS, st.sampled_from(ACCESS))
def test_an_access_rule_passes_or_raises_a_gateway_error(claims: dict[str, Any], name_id: str | None, rule: AccessRule) -> None:
    user = QlikUser(directory="CONTOSO", user_id="alice", attributes=(("group", "alice"),))
    try:
        check_access([rule], Subject(claims=claims, name_id=name_id), user, idp="entra")
    except GatewayError:
        return
    if rule is ACCESS[0]:
        assert claims["a"] is True
    if rule is ACCESS[1]:
        assert "alice" in claims["groups"]


SPENDING = st.builds(
    Stepped,
    source=st.sampled_from([ClaimPath(("groups",)), ClaimPath(("a",)), Constant("constant")]),
    actions=st.lists(STEPS, max_size=2).map(tuple),
    default=st.sampled_from([(), ("constant",)]),
    budget=BUDGETS,
)
SPENT = st.builds(
    Rules,
    user_directory=st.just(Constant("CONTOSO")),
    user_id=st.just(Constant("alice")),
    attributes=st.lists(st.tuples(st.sampled_from(["group", "email", "é"]), SPENDING), min_size=1, max_size=4).map(tuple),
    budget=BUDGETS,
)
WORDS = st.lists(st.text(alphabet="abé-=; \U0001f600", min_size=1, max_size=8), max_size=8)


@settings(deadline=None, max_examples=400)
@given(SPENT, st.builds(lambda groups, more: {"groups": groups, "a": more}, WORDS, WORDS))
def test_no_attribute_goes_beyond_its_budget_nor_all_beyond_theirs(mapping: Rules, claims: dict[str, Any]) -> None:
    """Who this is, is given: so what is drawn here is spent, not refused for other reasons."""
    try:
        mapped = apply(mapping, Subject(claims=claims), idp="entra")
    except AttributesTooLarge:
        return
    sizes = [
        sum(attribute_size(name, value) for value in step.output or ())
        for (name, _), step in zip(mapping.attributes, mapped.steps[2:], strict=True)
    ]
    for (_, source), size in zip(mapping.attributes, sizes, strict=True):
        assert not isinstance(source, Stepped) or source.budget is None or size <= source.budget.most
    assert mapping.budget is None or sum(sizes) <= mapping.budget.most
    assert sum(sizes) == len("".join(f"; {quote_plus(name)}={quote_plus(value)}" for name, value in mapped.user.attributes))


@settings(deadline=None, max_examples=300)
@given(st.lists(STEPS, max_size=6), st.lists(TEXTS | st.text(alphabet="aA,\u0130\u0131ßs", max_size=300), max_size=30))
def test_steps_are_held_within_their_limits_and_never_fail_otherwise(steps: list[Action], values: list[str]) -> None:
    given = tuple(values)
    for step in steps:
        try:
            given = perform(step, tuple(value for value in given if value.isprintable())).after
        except TooMuchError:
            return
        assert len(given) <= MAX_STEP_VALUES
        assert sum(map(len, given)) <= MAX_STEP_TEXT


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=3), st.text(max_size=3))
def test_two_people_do_not_become_one_by_their_letters_size_alone(one: str, other: str) -> None:
    texts = [unicodedata.normalize("NFC", text) for text in (one, other)]
    for step in (Lower(), Upper()):
        small, large = (perform(step, (text,)).after[0] for text in texts)
        assert small != large or texts[0].lower() == texts[1].lower() or texts[0].upper() == texts[1].upper()


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab.*+?()[]{}|^$\\1d-,:<>P= \té", max_size=40), st.text(max_size=50))
def test_any_pattern_compiles_or_is_a_problem_and_then_never_fails(source: str, text: str) -> None:
    try:
        pattern = compile_pattern(source)
    except PatternProblem:
        return
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert pattern.matches(text) in (True, False)
        pattern.extract(text)
        pattern.replace(text, read_replacement("-", pattern))


@settings(deadline=None, max_examples=150)
@given(MAPPINGS | CHANGED, CLAIMS, NAME_IDS)
def test_an_explanation_ends_as_the_login_would(mapping: Rules, claims: dict[str, Any], name_id: str | None) -> None:
    told = explain(mapping, ACCESS[3:], claims=claims, name_id=name_id, idp="entra")
    with_body = told.ticket_request is not None
    assert (told.refusal is None) is with_body
    try:
        who = Subject(claims=claims, name_id=name_id)
        check_complete(mapping, ACCESS[3:], who)
        user = apply(mapping, who, idp="entra").user
        check_access(ACCESS[3:], who, user, idp="entra")
        ended: object = qps.ticket_body(user, None)
    except GatewayError as refusal:
        ended = (refusal.code, refusal.detail)
    assert ended == (told.ticket_request if told.refusal is None else (told.refusal.code, told.refusal.detail))


@settings(deadline=None, max_examples=200)
@given(
    st.text(alphabet="claims.?[]()'\"+-*/%!=<>&|,: \nabx019{}orValue{}\\\0é🙂", max_size=60) | st.text(max_size=30), st.sampled_from(Scope)
)
def test_any_text_compiles_or_is_a_problem_with_a_place_inside_it(source: str, scope: Scope) -> None:
    try:
        compile_expression(source, scope)
    except ValueError as problem:
        lines = source.split("\n")
        line, column = problem.line, problem.column  # type: ignore[attr-defined]
        assert line is None or 1 <= line <= len(lines)
        assert column is None or 1 <= column <= len(lines[line - 1]) + 1
