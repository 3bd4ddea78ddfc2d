"""Claims to `QlikUser`: the mapping rules, the access rules, and the gate before both.

`Subject` (claims that passed the gate) → `apply` (rules decide who this is) → `check_access` (may they come in). All
of it is pure; expressions are compiled when the configuration is read. Knows nothing of protocols, HTTP or files.
"""

from gateway.mapping import actions
from gateway.mapping.access import AccessRule, check_access
from gateway.mapping.actions import Change
from gateway.mapping.cel import Expression, Scope, compile_expression
from gateway.mapping.claims import Subject, read_claims
from gateway.mapping.completeness import check_complete, claim_paths
from gateway.mapping.diagnosis import ExpressionProblem, find_variable
from gateway.mapping.patterns import Pattern, PatternProblem, Replacement, compile_pattern, read_replacement
from gateway.mapping.proof import self_test
from gateway.mapping.rules import Mapped, Overrides, Rules, Step, apply, assemble, steps
from gateway.mapping.sources import Budget, Cel, ClaimPath, Constant, FirstOf, NameId, Source, Stepped

__all__ = [
    "AccessRule",
    "Budget",
    "Cel",
    "Change",
    "ClaimPath",
    "Constant",
    "Expression",
    "ExpressionProblem",
    "FirstOf",
    "Mapped",
    "NameId",
    "Overrides",
    "Pattern",
    "PatternProblem",
    "Replacement",
    "Rules",
    "Scope",
    "Source",
    "Step",
    "Stepped",
    "Subject",
    "actions",
    "apply",
    "assemble",
    "check_access",
    "check_complete",
    "claim_paths",
    "compile_expression",
    "compile_pattern",
    "find_variable",
    "read_claims",
    "read_replacement",
    "self_test",
    "steps",
]
