"""Expressions that are worked out without the runtime: it would give the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping import Scope, Subject, compile_expression
from gateway.mapping.cel import Inputs, work_out

NAMES = st.sampled_from(["groups", "roles", "email", "claims", "missing"])
TEXTS = st.sampled_from(["", "a", "b", "ab", "qlik-a", "qlik-", "Zo\u00eb", "\u00eb", "e\u0308", "\U0001f600", "it's", 'a"b', "\\", "1"])
ODD = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False)
LISTS = st.lists(TEXTS, max_size=6)
VALUES = LISTS | TEXTS | ODD | st.lists(TEXTS | ODD | LISTS, max_size=4) | st.dictionaries(TEXTS, TEXTS, max_size=2)
ORDINARY = st.fixed_dictionaries({"groups": LISTS, "roles": LISTS, "email": TEXTS, "claims": LISTS | TEXTS})
CLAIMS = ORDINARY | ORDINARY | st.dictionaries(NAMES, VALUES, max_size=5)
QUOTED = st.builds(lambda text: json.dumps(text, ensure_ascii=False), TEXTS)
LITERALS = QUOTED | QUOTED | QUOTED | st.sampled_from(["b'a'", "r'\\'", "1", "null", "true"])


def claim(absent: str) -> st.SearchStrategy[str]:
    required = st.builds("claims.{}".format, NAMES) | st.builds("claims['{}']".format, NAMES)
    optional = st.builds("claims.?{}".format, NAMES) | st.builds("claims[?'{}']".format, NAMES)
    others = st.just(absent) | st.just(absent) | st.just(absent) | st.sampled_from(["[]", "''", "['a']", "[1]", "null"])
    return required | st.builds("{}.orValue({})".format, optional, others)


WHOLE = claim("[]")
TESTS = st.sampled_from(["startsWith", "endsWith", "contains", "matches"])
VARIABLES = st.sampled_from(["g", "claims"])
FILTERED = st.builds("{0}.filter({1}, {1}.{2}({3}))".format, WHOLE, VARIABLES, TESTS, LITERALS)
STRANGE = st.builds("{0}.filter({1}, claims.startsWith({2}))".format, WHOLE, VARIABLES, LITERALS)
MAPPED = st.builds("{0}.map({1}, {1}.{2}({3}), {4})".format, WHOLE, VARIABLES, TESTS, LITERALS, st.sampled_from(["g", "claims", "'x'"]))
QUANTIFIED = st.builds("{0}.{4}({1}, {1}.{2}({3}))".format, WHOLE, VARIABLES, TESTS, LITERALS, st.sampled_from(["exists", "all"]))
MEMBER = st.builds("{} in {}".format, LITERALS, WHOLE | FILTERED | st.just("claims"))
EQUAL = st.builds("{} {} {}".format, claim("''") | LITERALS, st.sampled_from(["==", "!="]), LITERALS)
CONDITIONS = st.recursive(
    MEMBER | MEMBER | EQUAL | EQUAL | QUANTIFIED,
    lambda inner: st.builds("!({})".format, inner) | st.builds("({}) {} ({})".format, inner, st.sampled_from(["&&", "||"]), inner),
    max_leaves=4,
)


def agree(source: str, scope: Scope, claims: dict[str, Any]) -> bool:
    """Whether there was a shortcut; then its result is the runtime's."""
    try:
        expression = compile_expression(source, scope)
    except ValueError:
        return False
    inputs = Inputs(scope, {"claims": Subject(claims=claims).claims, "idp": "entra"}, large=False)
    found = inputs.at_once(expression)
    if found is None:
        return False
    given = work_out(expression, inputs, what="x")
    assert (type(given), given) == (type(found), found)
    return True


@given(CONDITIONS, CLAIMS)
def test_a_condition_that_is_worked_out_at_once_comes_out_as_the_runtime_has_it(source: str, claims: dict[str, Any]) -> None:
    agree(source, Scope.ACCESS, claims)


@given(WHOLE | FILTERED | STRANGE | MAPPED, CLAIMS)
def test_a_list_that_is_worked_out_at_once_comes_out_as_the_runtime_has_it(source: str, claims: dict[str, Any]) -> None:
    agree(source, Scope.MAPPING, claims)


@pytest.mark.parametrize(
    ("source", "scope"),
    [
        ("claims.?groups.orValue([]).filter(g, g.startsWith('qlik-'))", Scope.MAPPING),
        ("claims.groups.filter(name, name.endsWith('a'))", Scope.MAPPING),
        ("claims.?roles.orValue([])", Scope.MAPPING),
        ("'qlik-a' in claims.?groups.orValue([]) || 'x' in claims.groups", Scope.ACCESS),
        ("claims.?hd.orValue('') == 'example.com' && !('qlik-b' in claims['groups'])", Scope.ACCESS),
        ("claims.email != 'x' && claims[?'hd'].orValue('b') == 'b'", Scope.ACCESS),
    ],
)
def test_what_everybody_writes_is_worked_out_at_once(source: str, scope: Scope) -> None:
    assert agree(source, scope, {"groups": ["qlik-a", "mail"], "email": "a@example.com"})


@pytest.mark.parametrize(
    "claims", [{}, {"groups": "qlik-a"}, {"groups": ["qlik-a", 1]}, {"groups": ["qlik-a", None]}, {"groups": {"qlik-a": 1}}]
)
def test_claims_of_another_shape_are_for_the_runtime(claims: dict[str, Any]) -> None:
    assert not agree("'qlik-a' in claims.groups", Scope.ACCESS, claims)


def test_claims_that_are_large_are_for_the_runtime() -> None:
    expression = compile_expression("'qlik-a' in claims.groups", Scope.ACCESS)
    inputs = Inputs(Scope.ACCESS, {"claims": {"groups": ["qlik-a"]}, "idp": "entra"}, large=True)
    assert inputs.at_once(expression) is None


def test_an_expression_for_mapping_is_not_worked_out_for_access() -> None:
    expression = compile_expression("'qlik-a' in claims.groups", Scope.MAPPING)
    inputs = Inputs(Scope.ACCESS, {"claims": {"groups": ["qlik-a"]}, "idp": "entra"}, large=False)
    assert inputs.at_once(expression) is None
