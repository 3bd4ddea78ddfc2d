"""What was measured on the expression runtime itself, written down: each is a reason for a line in `gateway.mapping`.

When a new version changes one of these, the line may go; until then this shows why it stands there.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

ENVIRONMENT = cel.NewEnv(
    variables={"claims": cel.Type.Map(cel.Type.STRING, cel.Type.DYN), "user.id": cel.Type.STRING},
    extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()],
)


def run(source: str, **claims: Any) -> Any:
    return ENVIRONMENT.compile(source).eval(data={"claims": claims, "user.id": "alice"})


def test_an_error_is_a_value_that_python_takes_for_true() -> None:
    outcome = run("claims.missing == 'x'")
    assert outcome.type() == cel.Type.ERROR
    assert outcome.value() == 'NOT_FOUND: Key not found in map : "missing"'
    assert bool(outcome.value())


def test_an_optional_calls_itself_an_error_and_has_no_value() -> None:
    outcome = run("claims.?a", a="x")
    assert outcome.type().name() == "ERROR"
    with pytest.raises(TypeError):
        outcome.value()


def test_nul_ends_a_string_and_a_name() -> None:
    assert run("claims.a == 'admin'", a="admin\0, or not").value() is True
    assert run("claims.admin", **{"admin\0x": True}).value() is True


def test_one_lone_surrogate_breaks_every_expression() -> None:
    with pytest.raises(RuntimeError, match="construction from null"):
        run("claims.a", a="x", other="\ud800")


def test_one_integer_beyond_64_bits_breaks_every_expression() -> None:
    assert run("claims.a", a="x", other=2**64).type().name() == "ERROR"
    assert run("claims.a", a=2**63).value() == 2**63
    assert run("claims.a > 0", a=2**63).value() is True


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None cannot die since CPython 3.12")
def test_reading_a_null_takes_a_reference_from_none_each_time() -> None:
    program = ENVIRONMENT.compile("claims.a")
    activation = ENVIRONMENT.Activation({"claims": {"a": None}})
    before = sys.getrefcount(None)
    for _ in range(300):
        program.eval(activation).value()
    taken = before - sys.getrefcount(None)
    for _ in range(300):  # given back: this process goes on living
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))
    assert taken > 250


def test_the_budget_of_iterations_is_9999_for_one_evaluation() -> None:
    assert run("claims.l.exists(x, x == 'y')", l=["x"] * 9_999).value() is False
    with pytest.raises(RuntimeError, match="Iteration budget exceeded"):
        run("claims.l.exists(x, x == 'y')", l=["x"] * 10_000)
    with pytest.raises(RuntimeError, match="Iteration budget exceeded"):
        run("claims.l.map(x, claims.l.map(y, 1))", l=["x"] * 100)


def test_a_misspelt_member_of_a_typed_variable_does_not_compile() -> None:
    with pytest.raises(RuntimeError, match=r"undeclared reference to 'user\.idd'"):
        ENVIRONMENT.compile("user.idd")


def test_nesting_is_limited_by_the_parser() -> None:
    for source in ("(" * 4_000 + "1" + ")" * 4_000, "[" * 4_000, "claims" + ".a" * 2_000, "1" + "+1" * 2_000):
        with pytest.raises(RuntimeError, match="recursion"):
            ENVIRONMENT.compile(source)


def test_a_double_without_a_fraction_stays_a_double() -> None:
    assert repr(run("claims.a", a=1.0).value()) == "1.0"


def test_a_result_outlives_its_activation() -> None:
    result = run("claims.l", l=["x" * 100] * 10).value()
    assert [item.value() for item in result] == ["x" * 100] * 10


def test_regular_expressions_take_linear_time() -> None:
    """RE2: an expression that makes a backtracking engine run for ever."""
    assert run("claims.s.matches('(a|aa)*(a|aa)*b')", s="a" * 8_000).value() is False
