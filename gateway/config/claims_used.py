"""What a user id in the tree is made of: claims by name, the NameID, or something that is the same for many people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.config.tree import Listing, Node, Scalar, Section
from gateway.mapping import claim_paths

_FOLDS_IN_CEL = re.compile(r"\.(?:lower|upper)Ascii\(\s*\)")
_FOLDS = frozenset({"lower", "upper"})
_NAME_ID = re.compile(r"""(?<![\w.'"])name_id(?![\w'"])""")
_FALLBACK = re.compile(r"""\borValue\(\s*(?:"[^"]+"|'[^']+')\s*\)""")

NAME_ID = "name_id"
CONSTANT = "value"


@dataclass(frozen=True, slots=True)
class Used:
    """One thing that is read, and where. `kind`: claim, `NAME_ID` or `CONSTANT`; a nested claim by its last name."""

    name: str
    place: Node
    kind: str = "claim"
    folded: bool = False


def used_by(source: Node | None, *, folded: bool = False) -> Iterator[Used]:
    """Everything that a source can be made of. `folded`: letters are folded further up."""
    if not isinstance(source, Section):
        return
    folded = folded or any(isinstance(step, Scalar) and step.value in _FOLDS for step in source.items("steps"))
    claim, name_id, value, cel = (source.get(key) for key in ("claim", NAME_ID, CONSTANT, "cel"))
    last = claim.items[-1] if isinstance(claim, Listing) and claim.items else claim
    if claim is not None and isinstance(last, Scalar):
        yield Used(str(last.value), claim, folded=folded)
    if name_id is not None:
        yield Used(NAME_ID, name_id, NAME_ID, folded)
    if value is not None:
        yield Used(CONSTANT, value, CONSTANT)
    if isinstance(cel, Scalar):
        yield from _used_in_cel(cel, folded=folded)
    for inner in source.items("first_of"):
        yield from used_by(inner, folded=folded)


def _used_in_cel(cel: Scalar, *, folded: bool) -> Iterator[Used]:
    text = str(cel.value)
    folded = folded or bool(_FOLDS_IN_CEL.search(text))
    found = [Used(path[-1], cel, folded=folded) for path in dict.fromkeys(claim_paths(text))]
    found += [Used(NAME_ID, cel, NAME_ID, folded)] if _NAME_ID.search(text) else []
    yield from found
    if not found or _FALLBACK.search(text):
        yield Used(CONSTANT, cel, CONSTANT)
