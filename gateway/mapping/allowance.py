"""What one evaluation of an expression may take, and on which claims that is certain beforehand.

Most expressions only read, and their cost is known to be small whatever the claims, or as long as claims are of the usual
size (`claims.SMALL_*`): that is found out once, when the configuration is read. For the others it depends on how long the
claims of a login are (`Demand.check`), and one that takes too much even on short ones is a mistake of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import ExpressionFailed
from gateway.mapping.claims import MAX_NODES, MAX_STRING, SMALL_TEXT, SMALL_TOTAL, SMALL_VALUES
from gateway.mapping.cost import Cost, Path, cost_of, makes_lists
from gateway.mapping.diagnosis import ExpressionProblem
from gateway.mapping.prices import Unpriced
from gateway.mapping.sizes import Extent, extent
from gateway.mapping.syntax import Tree

ROUNDS: Final = 10_000
"""So many steps of its macros in one evaluation are one too many for the runtime."""
FEW_ROUNDS: Final = 2_000
"""How many are left of them where lists that grow could take too much otherwise."""
MOST: Final = Cost(work=0.3e9, memory=112 * 2**20)
"""A third of a second, and a hundred megabytes: what one expression may take."""
LITTLE: Final = Cost(work=0.05e9, memory=24 * 2**20)
"""What it may take where its memory is freed at the end of the login's mapping, and not at its own."""

_SMALL: Final = Extent(SMALL_TEXT, SMALL_VALUES, 2 * SMALL_VALUES + 1, SMALL_TOTAL)
_LARGEST: Final = Extent(MAX_STRING, MAX_NODES, 2 * MAX_NODES + 1, (2 * MAX_NODES + 1) * MAX_STRING)
_ORDINARY: Final = Extent(64, 16, 33, 512)
"""Claims that are there at any login: sixteen values of a few words."""
_ENDLESS: Final = Extent(1e12, 1e12, 1e12, 1e12)
_NONE: Final = Extent(0, 0, 1, 0)


_HINT: Final = "texts are made of texts again and again, or lists of lists"


class Parts:
    """The sizes of what the expressions of one login read, each measured once."""

    __slots__ = ("_data", "_measured")

    def __init__(self, data: Mapping[str, object]) -> None:
        self._data = data
        self._measured: dict[Path, Extent | None] = {}

    def __call__(self, path: Path) -> Extent | None:
        if path not in self._measured:
            self._measured[path] = self._measure(path)
        return self._measured[path]

    def _measure(self, path: Path) -> Extent | None:
        """None for what is no variable; a member that is not there ends an evaluation, or is as good as empty."""
        here: object = self._data
        for place, name in enumerate(path):
            if not isinstance(here, Mapping) or name not in here:
                return _NONE if place else None
            here = here[name]
        return extent(here)


@dataclass(frozen=True, slots=True)
class Demand:
    """What evaluating an expression takes. `always`: little, whatever the claims; `usually`: little, unless they are large.

    `lists`: its macros make lists.
    """

    tree: Tree
    lists: bool
    always: bool
    usually: bool

    def rounds(self, parts: Parts) -> tuple[int, bool]:
        """How many rounds its macros may have on these claims, and whether they take little. Raises `ExpressionFailed`."""
        for rounds in (ROUNDS, FEW_ROUNDS) if self.lists else (ROUNDS,):
            cost = cost_of(self.tree, parts, rounds=rounds)
            if cost.within(MOST):
                return rounds, cost.within(LITTLE)
        raise ExpressionFailed("the claims are too long for this expression: it could take too much time or memory")


def demand_of(tree: Tree, variables: frozenset[str]) -> Demand:
    """Raises `ExpressionProblem` where the expression can take too much on any claims, or nobody can tell how much."""

    def within(most: Cost, largest: Extent) -> bool:
        return cost_of(tree, lambda path: _assumed(path, variables, largest), rounds=ROUNDS).within(most)

    try:
        if not within(MOST, _ORDINARY):
            raise ExpressionProblem("this could take too much time or memory even with short claims", hint=_HINT)
        return Demand(tree, makes_lists(tree), always=within(LITTLE, _LARGEST), usually=within(LITTLE, _SMALL))
    except Unpriced as unpriced:
        raise ExpressionProblem(str(unpriced)) from None


def _assumed(path: Path, variables: frozenset[str], largest: Extent) -> Extent | None:
    """How large a part may be, whatever its name. The values of a user's attributes are not bounded by those of the claims."""
    if path[0] not in variables:
        return None
    return _ENDLESS if largest is _LARGEST and path[0] == "user.attributes" else largest
