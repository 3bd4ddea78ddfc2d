"""The self-test: proof, at every start, that the installed runtime behaves as the rules of this package rely on.

The runtime comes as a binary and changes with its versions; what is proven here is what a login's safety rests on.
"""

from __future__ import annotations

from typing import Final

from gateway.errors import ConfigError, ExpressionFailed
from gateway.mapping.allowance import ROUNDS
from gateway.mapping.cel import Inputs, Scope, compile_expression, work_out
from gateway.mapping.claims import MAX_STRING
from gateway.mapping.diagnosis import ExpressionProblem
from gateway.mapping.results import Result

_DATA: Final[dict[str, object]] = {
    "claims": {
        "text": "Zoë, é\u2028",
        "yes": True,
        "number": 2**53 + 1,
        "half": 0.5,
        "list": ["a", "b"],
        "mixed": [1, None],
        "nothing": None,
        "object": {"text": "deep"},
        "long": ["x"] * (ROUNDS // 2),
        "wide": "x" * MAX_STRING,
    },
    "idp": "proof",
}
_GIVES: Final[dict[str, Result]] = {
    "claims.text": "Zoë, é\u2028",
    "claims.object.text": "deep",
    "claims.yes": True,
    "claims.number": 2**53 + 1,
    "claims.half": 0.5,
    "claims.list": ("a", "b"),
    "claims.?missing.orValue([])": (),
    "'a' in claims.list": True,
    "'c' in claims.list": False,
    "claims.text.split(',')[0]": "Zoë",
    "claims.long.exists(x, x == 'y')": False,
}
_FAILS: Final = (
    "claims.missing",
    "claims.missing == 'x'",
    "claims.number + claims.number == 0 || 1 / 0 == 1",
    "claims.text > 1",
    "[claims.missing]",
    "claims.nothing",
    "claims.mixed",
    "claims.object",
    "dyn(claims)",
    "dyn(claims.?text)",
    "dyn([claims.?text])",
    "dyn(b'x')",
    "dyn(timestamp(0))",
    "name_id",
    "(claims.long + claims.long).exists(x, x == 'y')",
)
_AT_ONCE: Final = (
    "claims.list",
    "claims[?'list'].orValue([])",
    "claims.?missing.orValue([])",
    "claims.list.filter(x, x.startsWith('a'))",
    "claims.?list.orValue([]).filter(x, x.contains('é'))",
    "'a' in claims.list && !('c' in claims['list'])",
    "claims.?text.orValue('') == 'Zoë, é\u2028' || claims.missing == 'x'",
    "claims.text != 'x'",
)
_FAILS_WHEN_LARGE: Final = "claims.long.filter(x, x == 'y')"
_COSTLY: Final = (
    "claims.wide.replace('x', claims.wide)",
    "claims.long.map(x, claims.wide + x)",
    "claims.long.exists(x, claims.wide.contains(claims.wide + x))",
)
_REFUSED: Final = ("clams", "claims.text +", "idp.name", "user.id", "idp + 1", "__spent", "idp.matches(idp)")


def self_test() -> None:
    """Raises `ConfigError` where the installed runtime does not give errors as errors, types as types, or ignores its budget."""
    inputs = Inputs(Scope.MAPPING, _DATA, large=False)
    for source, expected in _GIVES.items():
        prove_result(source, inputs, expected)
    for source in _FAILS:
        prove_failure(source, inputs)
    for source in _AT_ONCE:
        prove_shortcut(source, inputs)
    prove_result(_FAILS_WHEN_LARGE, inputs, ())
    large = Inputs(Scope.MAPPING, _DATA, large=True)
    for source in (_FAILS_WHEN_LARGE, *_COSTLY):  # that these are refused shows that the runtime's trees are read as they are meant
        prove_failure(source, large)
    for source in _REFUSED:
        prove_refusal(source)


def prove_result(source: str, inputs: Inputs, expected: Result) -> None:
    """The expression gives this value, of this type. Raises `ConfigError`."""
    try:
        result = work_out(compile_expression(source, Scope.MAPPING), inputs, what=source)
    except (ExpressionProblem, ExpressionFailed) as error:
        raise _unlike(source, str(error)) from error
    if (type(result), result) != (type(expected), expected):
        raise _unlike(source, f"gave {result!r}")


def prove_shortcut(source: str, inputs: Inputs) -> None:
    """The runtime gives what is worked out without it. Raises `ConfigError`."""
    found = inputs.at_once(compile_expression(source, Scope.MAPPING))
    if found is None:
        raise _unlike(source, "has no shortcut")
    prove_result(source, inputs, found)


def prove_failure(source: str, inputs: Inputs) -> None:
    """The expression compiles and gives nothing. Raises `ConfigError`."""
    try:
        result = work_out(compile_expression(source, Scope.MAPPING), inputs, what=source)
    except ExpressionProblem as error:
        raise _unlike(source, str(error)) from error
    except ExpressionFailed:
        return
    raise _unlike(source, f"gave {result!r}")


def prove_refusal(source: str) -> None:
    """The expression does not compile. Raises `ConfigError`."""
    try:
        compile_expression(source, Scope.MAPPING)
    except ExpressionProblem:
        return
    raise _unlike(source, "was not refused")


def _unlike(source: str, outcome: str) -> ConfigError:
    return ConfigError(f"the installed cel-expr-python does not behave as this gateway needs it to: {source}: {outcome}")
