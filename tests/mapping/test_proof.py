"""The self-test at start, and that each of its three proofs can fail."""

from __future__ import annotations

import pytest

from gateway.errors import ConfigError
from gateway.mapping import Scope, proof, self_test
from gateway.mapping.cel import Inputs

INPUTS = Inputs(Scope.MAPPING, {"claims": {"a": "x", "one": 1}}, large=False)


def test_the_installed_runtime_behaves_as_needed() -> None:
    self_test()


@pytest.mark.parametrize(
    ("source", "expected"), [("claims.a", "y"), ("claims.one", True), ("claims.one", 1.0), ("claims.b", "x"), ("clams", "x")]
)
def test_another_result_is_noticed(source: str, expected: object) -> None:
    with pytest.raises(ConfigError, match="does not behave as this gateway needs it to"):
        proof.prove_result(source, INPUTS, expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["claims.a", "clams"])
def test_a_success_that_should_fail_is_noticed(source: str) -> None:
    with pytest.raises(ConfigError):
        proof.prove_failure(source, INPUTS)


def test_an_expression_that_should_not_compile_is_noticed() -> None:
    with pytest.raises(ConfigError, match=r"claims\.a: was not refused"):
        proof.prove_refusal("claims.a")
