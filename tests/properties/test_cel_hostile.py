"""Expressions on hostile claims: whatever a provider sends, an expression gives a value or a `GatewayError`, and its cost is bounded.

Expressions are put together from a grammar that holds every kind of thing that people write, and things that they should not; claims
are any JSON, and the largest that pass the gate.
"""

from __future__ import annotations

import contextlib
import re
import resource
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import AccessDenied, ExpressionFailed, GatewayError
from gateway.mapping import (
    AccessRule,
    Cel,
    Constant,
    ExpressionProblem,
    Rules,
    Scope,
    Subject,
    apply,
    check_access,
    compile_expression,
)
from gateway.mapping.cel import Expression, Inputs, evaluate
from gateway.mapping.claims import MAX_NODES, MAX_STRING
from gateway.mapping.rules import MAX_VALUES
from gateway.model import QlikUser
from gateway.protocol import qps
from gateway.protocol.qps.users import ATTRIBUTE_BUDGET
from tests.properties.test_mapping import CLAIMS, NAME_IDS

MOST_SECONDS = 2.0
"""Of the processor, for one expression on the worst claims: six times what it may take, for slow and busy machines."""
MOST_MEMORY = 300 * 2**20
"""For all of them, one after the other: what one may take, and again for what the process itself needs and keeps."""

ATOMS = """
claims  claims.a  claims.groups  claims['a']  claims.?a  claims.?realm_access.?roles  name_id  idp  'x'  1  -1  2.5  true  null
[]  {}  ['alice','b']  {'a':1}  9223372036854775807  b'x'  dyn(claims.a)  type(claims.a)
"""
UNARY = """
!(_)  -(_)  size(_)  string(_)  int(_)  double(_)  bool(_)  [_]  (_).orValue([])  (_).trim()  (_).lowerAscii()  (_).upperAscii()
(_).split(',')  (_).join(',')  (_).map(x,x)  (_).filter(x,x!='')  (_).exists(x,x=='alice')  (_).all(x,x=='alice')
(_).map(x,(_).map(y,[x,y]))  (_).value()  (_).hasValue()  (_).optMap(x,x)  timestamp(_)  duration(_)  (_)[0]  (_)['a']
(_).reverse()  (_).substring(1)  (_).charAt(0)  (_).replace('a','bb')  (_).matches('(a*)*')  (_).matches('^[a-z]{3}')
(_).split('')  (_).replace('',_)  (_).replace('a',_)  (_).map(x,x+x)  (_).map(x,[x,x])  (_)+(_)+(_)  (_).map(x,(_)+x).join('')
'%s'.format([_])  (_).format([_,1.5])  '%.999f%s'.format([_,_])  strings.quote(_)  bytes(_)  [_,_,_]  (_).join(_)  (_).first().orValue('')
(_).map(x,(_).replace(x,_))  (_).map(x,x.split(''))  (_).all(x,!((_).contains(x)))  (_).exists_one(x,x in (_))
(_).optFlatMap(x,optional.of(x+x))  (_).getHours('UTC')  (_).getHours(_)
"""
BINARY = """
(_)+(~)  (_)==(~)  (_)<(~)  (_)in(~)  (_)&&(~)  (_)||(~)  (_)?(~):'x'  (_)/(~)  (_)%(~)  (_)*(~)  (_).matches(~)  (_).startsWith(~)
(_)[~]  (_).orValue(~)  (_).or(~)  (_).split(~)  (_).contains(~)  (_).map(x,x+(~))  (_).indexOf(~)  (_).lastIndexOf(~)  (_).endsWith(~)
(_).replace(_,~)  (_).replace(~,_)  (_).replace('a',~)  (_).join(~)  (_).map(x,(~)+x).join(~)  (_).map(x,x.replace(x,~))  [_]+[~]  [_,~]
(_).map(x,(~).map(y,x+y))  (_).exists(x,x.contains(~))  (_).all(x,(~).lastIndexOf(x)<0)  (_).format([~,_])  {'k':_,'l':~}  {string(_):~}
(_).map(x,(~).split(x))  (_).map(x,(~).join(x))  (_).filter(x,(~).exists(y,y==x))  (_).filter(x,x!=(~))
"""


HOLES = re.compile(r"(?<![a-z])_(?![a-z])|~")


def filled(form: str, one: str, other: str = "") -> str:
    return HOLES.sub(lambda hole: one if hole[0] == "_" else other, form)


EXPRESSIONS = st.recursive(
    st.sampled_from(ATOMS.split()),
    lambda inner: (
        st.builds(filled, st.sampled_from(UNARY.split()), inner) | st.builds(filled, st.sampled_from(BINARY.split()), inner, inner)
    ),
    max_leaves=6,
)


def rules(source: str) -> Rules:
    compiled = Cel(compile_expression(source, Scope.MAPPING))
    return Rules(user_directory=Constant("CONTOSO"), user_id=Constant("alice"), attributes=(("group", compiled),))


@settings(deadline=None, max_examples=400)
@given(EXPRESSIONS, CLAIMS, NAME_IDS)
def test_any_expression_on_any_claims_gives_texts_or_a_gateway_error(source: str, claims: dict[str, Any], name_id: str | None) -> None:
    try:
        mapping = rules(source)
    except ExpressionProblem:
        return
    try:
        user = apply(mapping, Subject(claims=claims, name_id=name_id), idp="entra").user
        body = qps.ticket_body(user, None)
    except GatewayError:
        return
    assert all(type(value) is str for _, value in user.attributes)
    assert len(user.attributes) <= MAX_VALUES
    assert body["UserId"] == "alice"


LISTS = st.sampled_from(
    [
        *("claims.?groups.orValue([]).filter(g, g != '')", "claims.?groups.orValue([]).map(g, g)", "[claims.?a.orValue('x'), 'y']"),
        *("['a\\x1fb', 'c']", "['']", "['', '']", "[]", "['a', '']", "['a\\x00b']", "[dyn(1), 'a']", "['x\\x1f1']", "[dyn(b'a')]"),
        *("['a', 'b'].map(x, dyn(null))", "[claims.?a]", "['a', 'b'] // as it is", "claims.?groups.orValue([]).map(g, g + '\\x1f')"),
    ]
)


@settings(deadline=None, max_examples=400)
@given(LISTS | EXPRESSIONS.map("[{}]".format), CLAIMS, NAME_IDS)
def test_a_list_in_one_text_is_the_list_itself(source: str, claims: dict[str, Any], name_id: str | None) -> None:
    try:
        expression = compile_expression(source, Scope.MAPPING)
        subject = Subject(claims=claims, name_id=name_id)
    except (ExpressionProblem, GatewayError):
        return

    def outcome(joined: Expression | None) -> object:
        inputs = Inputs(Scope.MAPPING, {"claims": subject.claims, "idp": "entra", "name_id": name_id or ""}, large=subject.large)
        try:
            return evaluate(replace(expression, joined=joined), inputs, what="it")
        except ExpressionFailed as failure:
            return failure.detail

    assert outcome(expression.joined) == outcome(None)


@settings(deadline=None, max_examples=400)
@given(EXPRESSIONS, CLAIMS, NAME_IDS, st.booleans())
def test_any_expression_as_a_rule_passes_or_refuses_and_never_for_a_reason_of_its_own(
    source: str,
    claims: dict[str, Any],
    name_id: str | None,
    denies: bool,  # noqa: FBT001
) -> None:
    try:
        rule = AccessRule(owner="test", id="r1", expression=compile_expression(source, Scope.ACCESS), denies=denies)
    except ExpressionProblem:
        return
    try:
        check_access([rule], Subject(claims=claims, name_id=name_id), QlikUser(directory="D", user_id="u", attributes=()), idp="entra")
    except GatewayError as refusal:
        by_rule = isinstance(refusal, AccessDenied | ExpressionFailed)
        assert by_rule == (refusal.rule == "r1")  # noqa: PT017 - not raised for every example


@settings(deadline=None, max_examples=200)
@given(EXPRESSIONS, CLAIMS, NAME_IDS)
def test_the_same_expression_on_the_same_claims_always_gives_the_same(source: str, claims: dict[str, Any], name_id: str | None) -> None:
    def outcome() -> object:
        try:
            return apply(rules(source), Subject(claims=claims, name_id=name_id), idp="entra").user
        except ExpressionProblem as problem:
            return problem.message
        except GatewayError as refusal:
            return refusal.code, refusal.detail

    assert outcome() == outcome()


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(["group", "mail", "x" * 60]), st.lists(st.text(max_size=3_000), max_size=40), max_size=3))
def test_no_ticket_has_attributes_over_the_budget(claims: dict[str, Any]) -> None:
    sources = tuple((name, Cel(compile_expression(f"claims['{name}']", Scope.MAPPING))) for name in claims)
    mapping = Rules(user_directory=Constant("CONTOSO"), user_id=Constant("alice"), attributes=sources)
    try:
        body = qps.ticket_body(apply(mapping, Subject(claims=claims, name_id=None), idp="entra").user, None)
    except GatewayError:
        return
    attributes = body["Attributes"]
    assert isinstance(attributes, list)
    pairs = [pair for attribute in attributes if isinstance(attribute, dict) for pair in attribute.items()]
    assert sum(len(name.encode()) + len(str(value).encode()) for name, value in pairs) <= ATTRIBUTE_BUDGET


# ---- the worst that passes the gate -------------------------------------------------------------------------------------

MANY = {"groups": [f"g{number}" for number in range(MAX_NODES - 10)], "a": "a"}
LONG = {"groups": ["a" * MAX_STRING] * 120, "a": "a" * MAX_STRING}
"""About a megabyte: more than any provider's answer that is read."""
DEEP: dict[str, Any] = {"a": "x"}
for _ in range(29):
    DEEP = {"a": DEEP, "groups": ["x"]}
SAME = {"groups": ["x"] * (MAX_NODES - 10), "a": "a" * MAX_STRING}
NESTED = {"groups": [["ab", ["b"] * 20] * 6] * 30, "a": {"a" * 99 + str(number): ["a" * 400] for number in range(500)}}
HALVES = {"groups": ["a" * 4_000 + "b"] * 200, "a": "a" * MAX_STRING}
MOST = {"many values": MANY, "long texts": LONG, "deep": DEEP, "all the same": SAME, "nested": NESTED, "almost found": HALVES}
COSTLY = [
    "claims.groups.map(x, x + claims.a)",
    "claims.groups.filter(x, claims.groups.exists(y, y == x))",
    "claims.groups.map(x, claims.groups.map(y, y).size())",
    "claims.groups.map(x, claims.groups.filter(y, claims.groups.exists(z, z == x)).size())",
    "claims.groups.exists(x, x.matches('(a*)*b'))",
    "claims.groups.all(x, x.matches('(.*a){12}'))",
    "claims.groups + claims.groups + claims.groups + claims.groups",
    "claims.groups.map(x, x.replace('a', 'aaaaaaaaaaaaaaaa'))",
    "claims.groups.map(x, x.split('').size())",
    "claims.groups.join(',').split(',').map(x, x.upperAscii())",
    "claims.groups.map(x, string(claims.groups.size()) + x).join('')",
    "[claims.groups].map(x, [x, x, x, x].map(y, [y, y, y, y]))[0][0][0]",
    "claims.groups.filter(x, x in claims.groups)",
    "claims.a.replace('a', claims.a)",
    "claims.a.replace('a', claims.a).size()",
    "claims.a.replace('a', claims.a).replace('a', claims.a).size()",
    "claims.groups.map(x, claims.a.replace('a', claims.a)).size()",
    "claims.groups.map(x, claims.a.replace('', x)).size()",
    "claims.groups.map(x, claims.a + x).join('')",
    "claims.groups.map(x, claims.a + claims.a + claims.a + claims.a + x).join(claims.a).size()",
    "claims.groups.map(x, claims.groups + [x]).size()",
    "claims.groups.all(x, !claims.a.contains(x))",
    "claims.groups.exists(x, claims.a.indexOf(x) == 7)",
    "claims.groups.exists(x, claims.a.lastIndexOf('b' + x) == 7)",
    "claims.groups.all(x, claims.a.split('').size() > 0)",
    "claims.groups.all(x, claims.a.split(x).size() > 0)",
    "claims.groups.all(x, claims.groups == claims.groups)",
    "claims.groups.all(x, [claims] != [claims])",
    "claims.groups.all(x, claims.groups + claims.groups == claims.groups + claims.groups)",
    "claims.groups.all(x, '%s%s%s'.format([claims, claims, claims]) != '')",
    "claims.groups.all(x, '%.999f'.format([1e308]) != '')",
    "claims.groups.all(x, strings.quote(claims.a) != '')",
    "claims.groups.join(claims.a).split('').map(x, x + x)",
    "claims.groups.join('').split('').filter(x, x != 'y')",
    "claims.groups.exists(x, x.matches('^[\\\\pL\\\\pN ._-]+!$'))",
    "claims.groups.all(x, claims.a.matches('(a?b?c?d?e?f?g?h?i?j?k?x*){100}') || true)",
    "claims.groups.exists(x, duration(claims.a) == duration(claims.a))",
    "claims.groups.all(x, claims[claims.a] == 1 || true)",
    "[claims.a + claims.a].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)[0].size()",
    "[claims.a].map(x, [x, x, x, x, x, x, x, x]).map(x, [x, x, x, x, x, x, x, x]).map(x, [x, x, x, x, x, x, x, x]) == [claims.a]",
    "optional.of(claims.a).optMap(x, x + x).optMap(x, x + x).optMap(x, x + x).optMap(x, x + x).orValue('').size()",
]


@pytest.mark.parametrize("claims", MOST.values(), ids=MOST)
@pytest.mark.parametrize("source", COSTLY)
def test_the_costliest_expressions_on_the_largest_claims_end_soon(source: str, claims: dict[str, Any]) -> None:
    assert seconds(source, claims) < MOST_SECONDS


@settings(deadline=None, max_examples=400)
@given(EXPRESSIONS, st.sampled_from(list(MOST.values())))
def test_any_expression_on_the_largest_claims_ends_soon(source: str, claims: dict[str, Any]) -> None:
    with contextlib.suppress(ExpressionProblem):
        assert seconds(source, claims) < MOST_SECONDS


def seconds(source: str, claims: dict[str, Any]) -> float:
    mapping = rules(source)
    began = time.process_time()
    with contextlib.suppress(GatewayError):
        apply(mapping, Subject(claims=claims, name_id=None), idp="entra")
    return time.process_time() - began


def test_the_costliest_expressions_on_the_largest_claims_leave_memory_for_others() -> None:
    """Told by the most that a process of their own ever held: half of them would take gigabytes."""
    run = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=True)
    assert int(run.stdout) < MOST_MEMORY


def held() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    before = held()
    for costly in COSTLY:
        for largest in MOST.values():
            with contextlib.suppress(ExpressionProblem):
                seconds(costly, largest)
    sys.stdout.write(str(held() - before))
