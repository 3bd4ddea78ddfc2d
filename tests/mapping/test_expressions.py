"""Compiling expressions and reading what they give."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from gateway.errors import ExpressionFailed
from gateway.mapping import Expression, ExpressionProblem, Scope, compile_expression
from gateway.mapping.allowance import ROUNDS, Demand
from gateway.mapping.cel import MAX_OPT_MAPS, MAX_SOURCE, Inputs, evaluate
from gateway.mapping.diagnosis import diagnose
from gateway.mapping.syntax import Literal

BOTH = (Scope.MAPPING, Scope.ACCESS)
FREE = Demand(Literal(None), lists=False, always=True, usually=True)


def problem(source: str, scope: Scope = Scope.MAPPING, *, single: bool = False) -> ExpressionProblem:
    with pytest.raises(ExpressionProblem) as found:
        compile_expression(source, scope, single=single)
    return found.value


def result(source: str, *, large: bool = False, **claims: Any) -> object:
    inputs = Inputs(Scope.MAPPING, {"claims": claims, "idp": "entra"}, large=large)
    return evaluate(compile_expression(source, Scope.MAPPING), inputs, what="x")


def failure(source: str, *, large: bool = False, **claims: Any) -> str:
    with pytest.raises(ExpressionFailed) as failed:
        result(source, large=large, **claims)
    assert failed.value.code == "QGW-305"
    assert failed.value.detail.startswith("x: ")
    return failed.value.detail.removeprefix("x: ")


# ---- found at load ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line", "column", "message"),
    [
        ("claims.a +", 1, 11, "the expression ends too early"),
        ("clams.a", 1, 1, "there is no 'clams.a' here"),
        ("\n  'é🙂' +\n   usr", 3, 4, "there is no 'usr' here"),
        ("'é🙂' + usr", 1, 8, "there is no 'usr' here"),
        ("claims.a.startWith('x')", 1, 10, "there is no 'startWith' here"),
        ("'a' + 1", 1, 5, "'+' cannot be applied to '(string, int)'"),
        ("claims.a in 'x'", 1, 10, "'in' cannot be applied to '(dyn, string)'"),
        ("x'", 1, 2, "Syntax error: token recognition error at: '''"),
        ("for", 1, 1, "reserved identifier: for"),
        ("a b", 1, 3, "Syntax error: extraneous input 'b'"),
        ("a\0b", 1, 2, "the character U+0000 cannot stand in an expression"),
        ("1 +\n '\ud800'", 2, 3, "the character U+D800 cannot stand in an expression"),
    ],
)
def test_a_problem_has_its_place_in_the_expression(source: str, line: int, column: int, message: str) -> None:
    found = problem(source)
    assert (found.line, found.column, found.message) == (line, column, message)
    assert str(found) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "the expression is empty"),
        (" \n\t", "the expression is empty"),
        ("'" + "x" * MAX_SOURCE + "'", "the expression is longer than 8192 characters"),
        ("(" * 4_000, "the expression nests too deep, or chains too many operators"),
        ("[" * 4_000 + "]" * 4_000, "the expression nests too deep, or chains too many operators"),
        ("claims" + ".a" * 4_000, "the expression nests too deep, or chains too many operators"),
        ("1" + "+1" * 4_000, "the expression nests too deep, or chains too many operators"),
        ("optional.of(1)" + ".optMap(x, x)" * (MAX_OPT_MAPS + 1), "more than 8 optMap and optFlatMap in one expression"),
    ],
    ids=lambda text: text[:20],
)
def test_a_problem_of_the_whole_has_no_place(source: str, message: str) -> None:
    found = problem(source)
    assert (found.line, found.column, found.message) == (None, None, message)


@pytest.mark.parametrize(
    ("source", "scope", "hint"),
    [
        ("user.idd == 'x'", Scope.ACCESS, "did you mean 'user.id'?"),
        ("user.attribute.x == 'x'", Scope.ACCESS, "did you mean 'user.attributes'?"),
        ("claim.a == 'x'", Scope.ACCESS, "did you mean 'claims'?"),
        ("user.id", Scope.MAPPING, "only access rules know user.id; this place knows claims, name_id, idp"),
        ("user", Scope.MAPPING, "only access rules know user; this place knows claims, name_id, idp"),
        ("groups_overage", Scope.MAPPING, "only access rules know groups_overage; this place knows claims, name_id, idp"),
        ("zzz", Scope.MAPPING, "this place knows claims, name_id, idp"),
        ("claims.a.startWith('x')", Scope.MAPPING, "did you mean 'startsWith'?"),
        ("claims.a = 'x'", Scope.MAPPING, "== compares"),
        ("claims.a & claims.b", Scope.ACCESS, "&& and || are written twice"),
        ("claims.a | claims.b", Scope.ACCESS, "&& and || are written twice"),
        ("a b", Scope.ACCESS, None),
    ],
)
def test_a_problem_has_a_hint_where_one_helps(source: str, scope: Scope, hint: str | None) -> None:
    assert problem(source, scope).hint == hint


@pytest.mark.parametrize("source", ["user.idd", "user.directry", "user.atributes", "usr.id", "user", "user['id']", "user.id.x", "idp.x"])
def test_what_is_typed_cannot_be_misspelt(source: str) -> None:
    problem(f"{source} == 'x'", Scope.ACCESS)


@pytest.mark.parametrize(
    "source", ["user.id == 1", "user.attributes.group == 'a'", "user.attributes.exists(n, n == 1)", "groups_overage == 'x'"]
)
def test_what_is_typed_cannot_be_compared_with_another_type(source: str) -> None:
    assert "'==' cannot be applied" in problem(source, Scope.ACCESS).message


@pytest.mark.parametrize(
    "source", ["'yes'", "1", "[true]", "claims", "null", "user.id", "user.attributes", "claims.?a", "b'x'", "{'a': true}"]
)
def test_an_access_rule_that_can_never_be_a_boolean_does_not_load(source: str) -> None:
    assert problem(source, Scope.ACCESS).message.startswith("an access rule must be true or false, this is")


@pytest.mark.parametrize("source", ["true", "claims.a", "claims.a == 1", "groups_overage", "'a' in user.attributes.?x.orValue([])"])
def test_an_access_rule_that_may_be_a_boolean_loads(source: str) -> None:
    assert compile_expression(source, Scope.ACCESS).source == source


@pytest.mark.parametrize("source", ["1", "true", "['a']", "claims.?a", "null", "claims", "claims.a == 'x'", "b'x'"])
def test_a_user_id_that_can_never_be_a_string_does_not_load(source: str) -> None:
    assert problem(source, single=True).message.startswith("this must be one string, it is")


@pytest.mark.parametrize("source", ["claims.a", "'x'", "claims.a.lowerAscii()", "string(claims.a)", "claims.a[0]"])
def test_a_user_id_that_may_be_a_string_loads(source: str) -> None:
    compile_expression(source, Scope.MAPPING, single=True)


@pytest.mark.parametrize(
    "source", ["claims", "null", "claims.?a", "[claims.?a]", "[[1]]", "{'a': 1}", "b'x'", "timestamp(0)", "[null]", "type(1)"]
)
def test_an_attribute_that_can_never_be_carried_does_not_load(source: str) -> None:
    assert problem(source).message.startswith("this must be a string, a number, a boolean or a list of those, it is")


def test_an_optional_is_told_how_to_end() -> None:
    assert "end it with .orValue(…)" in problem("claims.?a").message


@pytest.mark.parametrize(
    "source", ["%$#@" * 2_000, "'" * 8_001, "u0" + "+u" * 30, ",".join(["[u"] * 1_500), "\\" * 8_000, "a" * 8_000, "1" * 8_000]
)
def test_garbage_is_told_in_few_words(source: str) -> None:
    found = problem(source)
    assert 0 < len(found.message) <= 300


def test_a_report_of_another_kind_is_told_in_its_first_line() -> None:
    """Seen when a compilation ran out of memory."""
    found = diagnose("ABORTED: std::bad_alloc [ABORTED]\nmore", "x", (), ())
    assert (found.message, found.line) == ("ABORTED: std::bad_alloc [ABORTED]", None)


def test_expressions_are_equal_where_source_and_scope_are() -> None:
    first, second = (compile_expression("claims.a", Scope.MAPPING) for _ in range(2))
    assert first == second
    assert first != compile_expression("claims.a", Scope.ACCESS)
    assert first != compile_expression("claims.b", Scope.MAPPING)
    assert repr(first) == "Expression(source='claims.a', scope=<Scope.MAPPING: 'mapping'>)"


# ---- what comes out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("claims.s", "Zoë 🙂"),
        ("claims.t", True),
        ("claims.i", 9007199254740993),
        ("claims.f", 1.0),
        ("1u", 1),
        ("claims.l", ("a", 1, 1.5, True)),
        ("claims.?missing.orValue([])", ()),
        ("claims.?missing.orValue('none')", "none"),
        ("claims.s.split(' ')[0].upperAscii()", "ZOë"),
        ("idp + '/' + claims.s", "entra/Zoë 🙂"),
        ("claims['https://example.com/a.b']", "namespaced"),
        ("claims.m.x.y", "deep"),
        ("has(claims.missing)", False),
        ("claims.l.filter(x, type(x) == string)", ("a",)),
    ],
)
def test_a_result_keeps_its_type(source: str, expected: object) -> None:
    found = result(
        source,
        **{"https://example.com/a.b": "namespaced"},
        s="Zoë 🙂",
        t=True,
        i=2**53 + 1,
        f=1.0,
        l=["a", 1, 1.5, True],
        m={"x": {"y": "deep"}},
    )
    assert (type(found), found) == (type(expected), expected)


ERRORS = {
    "missing claim": "claims.missing",
    "missing claim in a comparison": "claims.missing == 'x'",
    "missing claim in a list": "[claims.missing]",
    "division by zero": "claims.one / 0",
    "overflow": "9223372036854775807 + claims.one",
    "index": "claims.l[5]",
    "types known only now": "claims.s > 1",
    "conversion": "int(claims.s)",
    "no optional value": "optional.none().value()",
    "absent name_id": "name_id",
    "selection in a string": "claims.s.x",
}
WRONG_TYPES = {
    "null": "claims.n",
    "null in a list": "claims.nulls",
    "map": "claims.m",
    "map in a list": "[claims.m, claims.m]",
    "list in a list": "dyn([claims.l])",
    "all claims": "dyn(claims)",
    "optional with a value": "dyn(claims.?s)",
    "optional without": "dyn(claims.?missing)",
    "optional in a list": "dyn([claims.?s])",
    "bytes": "dyn(b'abc')",
    "timestamp": "dyn(timestamp(0))",
    "duration": "dyn(duration('1s'))",
    "type": "dyn(type(1))",
}
CLAIMS: dict[str, Any] = {"s": "x", "l": ["a"], "n": None, "nulls": ["a", None], "m": {"x": 1}, "one": 1}


@pytest.mark.parametrize("source", ERRORS.values(), ids=ERRORS)
def test_an_error_is_no_result(source: str) -> None:
    assert failure(source, **CLAIMS)


@pytest.mark.parametrize("source", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_another_type_is_no_result(source: str) -> None:
    assert "cannot be used here" in failure(source, **CLAIMS)


def test_an_exception_of_the_runtime_is_no_result() -> None:
    assert failure("claims.a", a="x", b="\ud800") == "basic_string: construction from null is not valid"


def test_an_error_keeps_the_runtimes_words_on_one_short_line() -> None:
    assert failure("claims.missing") == 'NOT_FOUND: Key not found in map : "missing"'
    assert len(failure("int(claims.s)", s="x\n" * 3_000)) <= 200
    assert "\n" not in failure("claims['x\\ny']")


def test_an_expression_runs_only_where_it_was_compiled_for() -> None:
    inputs = Inputs(Scope.MAPPING, {"claims": {}}, large=False)
    with pytest.raises(ExpressionFailed, match="an expression for access cannot be used for mapping"):
        evaluate(compile_expression("true", Scope.ACCESS), inputs, what="x")


class Lying:
    """A runtime value whose type and value do not agree."""

    def __init__(self, kind: str, value: object) -> None:
        self.kind = kind
        self.content = value

    def type(self) -> Lying:
        return self

    def name(self) -> str:
        return self.kind

    def value(self) -> object:
        return self.content

    def eval(self, _: object) -> Lying:
        return self

    def return_type(self) -> Lying:
        return self


@pytest.mark.parametrize(("kind", "value"), [("BOOL", "error text"), ("BOOL", 1), ("STRING", None), ("INT", True), ("LIST<DYN>", 3)])
def test_a_type_that_its_value_belies_is_no_result(kind: str, value: object) -> None:
    expression = Expression(source="x", scope=Scope.MAPPING, demand=FREE, program=Lying(kind, value), bounded=None)
    with pytest.raises(ExpressionFailed):
        evaluate(expression, Inputs(Scope.MAPPING, {"claims": {}}, large=False), what="x")


# ---- cost -------------------------------------------------------------------------------------------------------------


def test_a_null_costs_python_nothing() -> None:
    """Reading a null's value would take a reference from None; thousands of logins later the process would end."""
    inputs = Inputs(Scope.MAPPING, {"claims": {"n": None, "l": ["a", None]}}, large=False)
    expressions = [compile_expression(source, Scope.MAPPING) for source in ("claims.n", "claims.l")]
    before = sys.getrefcount(None)
    for _ in range(500):
        for expression in expressions:
            with pytest.raises(ExpressionFailed):
                evaluate(expression, inputs, what="x")
    assert sys.getrefcount(None) > before - 250


@pytest.mark.parametrize(
    "source", ["claims.l.map(x, x)", "claims.l.filter(x, true)", "claims.l . filter (x, x == 'y')", "claims.s.split('').map(x, x)"]
)
def test_large_claims_leave_a_list_expression_few_steps(source: str) -> None:
    """Memory and time of a list grow with the square of its length: 5,000 elements would take 400 MB."""
    result(source, l=["x"] * 1_900, s="x" * 1_900, large=True)
    assert failure(source, l=["x"] * 2_500, s="x" * 2_500, large=True) == "the lists are too long for this expression"


def test_large_claims_leave_other_expressions_all_their_steps() -> None:
    assert result("'y' in claims.l", l=["x"] * 4_900, large=True) is False
    assert result("claims.l.exists(x, x == 'y')", l=["x"] * 4_900, large=True) is False
    assert result("claims.l", l=["x"] * 4_900, large=True) == ("x",) * 4_900


def test_no_expression_takes_more_steps_than_the_runtime_grants() -> None:
    assert failure("claims.l.exists(x, x == 'y')", l=["x"] * ROUNDS) == "the lists are too long for this expression"
    assert failure("claims.l.map(x, claims.l.exists(y, y == 'y'))", l=["x"] * 100) == "the lists are too long for this expression"


def test_a_list_expression_gives_the_same_with_few_steps_as_with_many() -> None:
    for source in (
        "claims.l.filter(x, x != 'b') // not b",
        "claims.l.map(x, x + '!')",
        "claims.l.filter(x, x == 'b')[0]",
        "[claims.l.map(x, x).size()]",
    ):
        assert result(source, l=["a", "b", "c"], large=True) == result(source, l=["a", "b", "c"])


def test_memory_that_an_expression_asks_for_in_vain_is_a_failure() -> None:
    """`std::bad_alloc` arrives as MemoryError."""

    class Exhausted(Lying):
        def eval(self, _: object) -> Lying:
            raise MemoryError("std::bad_alloc")

    expression = Expression(source="x", scope=Scope.MAPPING, demand=FREE, program=Exhausted("", None), bounded=None)
    with pytest.raises(ExpressionFailed, match="x: std::bad_alloc"):
        evaluate(expression, Inputs(Scope.MAPPING, {"claims": {}}, large=False), what="x")


def test_expressions_may_be_shared_by_threads() -> None:
    expression = compile_expression("claims.l.filter(x, x.startsWith(claims.s)).size()", Scope.MAPPING)
    wrong: list[object] = []

    def work(size: int) -> None:
        for _ in range(50):
            inputs = Inputs(Scope.MAPPING, {"claims": {"l": ["ab"] * size + ["b"], "s": "a"}}, large=False)
            if (found := evaluate(expression, inputs, what="x")) != size:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(size,)) for size in (1, 10, 50, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_list_of_texts_is_handed_out_in_one() -> None:
    inputs = Inputs(Scope.MAPPING, {"claims": {"groups": ["a", "b", "c d"]}, "idp": "entra"}, large=False)
    expression = compile_expression("claims.groups.filter(g, g != 'b')", Scope.MAPPING)
    assert inputs.texts(expression) == ("a", "c d")
    assert evaluate(expression, inputs, what="it") == ("a", "c d")


@pytest.mark.parametrize("source", ["claims.groups", "claims.groups[0]", "['a\\x1fb']", "[]", "[dyn(1)]", "claims.none.map(x, x)"])
def test_what_is_no_list_of_plain_texts_is_not_handed_out_in_one(source: str) -> None:
    inputs = Inputs(Scope.MAPPING, {"claims": {"groups": ["a", "b"]}, "idp": "entra"}, large=False)
    assert inputs.texts(compile_expression(source, Scope.MAPPING)) == ()
