"""Claims to `QlikUser`: the mapping rules, the access rules, and the gate before both.

`Subject` (claims that passed the gate) → `apply` (rules decide who this is) → `check_access` (may they come in). All
of it is pure; expressions are compiled when the configuration is read. Knows nothing of protocols, HTTP or files.
"""

from gateway.mapping.access import AccessRule, check_access
from gateway.mapping.cel import Expression, Scope, compile_expression
from gateway.mapping.claims import Subject, read_claims
from gateway.mapping.diagnosis import ExpressionProblem
from gateway.mapping.proof import self_test
from gateway.mapping.rules import Cel, ClaimPath, Constant, Mapped, NameId, Rules, Source, Step, apply, assemble, steps

__all__ = [
    "AccessRule",
    "Cel",
    "ClaimPath",
    "Constant",
    "Expression",
    "ExpressionProblem",
    "Mapped",
    "NameId",
    "Rules",
    "Scope",
    "Source",
    "Step",
    "Subject",
    "apply",
    "assemble",
    "check_access",
    "compile_expression",
    "read_claims",
    "self_test",
    "steps",
]
