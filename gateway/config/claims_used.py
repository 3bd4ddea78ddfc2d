"""What a mapping in the tree reads: claims by name, wherever they stand below it, and whether letters are folded on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.config.tree import Listing, Node, Scalar, Section

_IN_CEL = re.compile(r"""\bclaims\s*(?:\.\??\s*([A-Za-z_]\w*)|\[\??\s*(?:"([^"]+)"|'([^']+)')\s*\])""")
_FOLDS_IN_CEL = re.compile(r"\.(?:lower|upper)Ascii\(\s*\)")
_FOLDS = frozenset({"lower", "upper", "fold"})


@dataclass(slots=True)
class ClaimsUsed:
    """`claims`: each name with the place that names it, in the order of the file; a nested one by its last name."""

    claims: list[tuple[str, Node]] = field(default_factory=list)
    name_id: Node | None = None
    folded: bool = False


def claims_used(node: Node | None) -> ClaimsUsed:
    """What stands below a source."""
    used = ClaimsUsed()
    for key, value in _entries(node):
        _note(used, key, value)
    return used


def _entries(node: Node | None, key: str = "") -> Iterator[tuple[str, Node]]:
    """Every value below a node with the nearest key above it."""
    if isinstance(node, Section):
        for name, (_, inner) in node.entries.items():
            yield name, inner
            yield from _entries(inner, name)
    elif isinstance(node, Listing):
        for item in node.items:
            yield key, item
            yield from _entries(item, key)


def _note(used: ClaimsUsed, key: str, value: Node) -> None:
    used.folded = used.folded or key in _FOLDS or (isinstance(value, Scalar) and key == "steps" and value.value in _FOLDS)
    if key == "name_id" and isinstance(value, Scalar) and value.value is True:
        used.name_id = value
    elif key == "claim" and isinstance(value, Listing):
        last = value.items[-1] if value.items else None
        used.claims += [(str(last.value), value)] if isinstance(last, Scalar) else []
    elif key == "claim" and isinstance(value, Scalar):
        # An item of a list is a member of a nested claim, and was noted with its list.
        used.claims += [] if any(place is not value and _holds(place, value) for _, place in used.claims) else [(str(value.value), value)]
    elif key == "cel" and isinstance(value, Scalar):
        used.folded = used.folded or bool(_FOLDS_IN_CEL.search(str(value.value)))
        used.claims += [(next(filter(None, found.groups())), value) for found in _IN_CEL.finditer(str(value.value))]


def _holds(place: Node, value: Scalar) -> bool:
    return isinstance(place, Listing) and any(item is value for item in place.items)
