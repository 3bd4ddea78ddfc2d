"""One file against its wire model: the model, or every mistake of form at its place and in a person's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config.diagnostics import Code
from gateway.config.document import Document
from gateway.config.tree import Listing, Node, Scalar, Section, Spot, spot_inside
from gateway.config.values import Refusal, did_you_mean
from gateway.config.wire import REFUSED, Readers, Wire

W = TypeVar("W", bound=Wire)

NULLABLE = frozenset({"starts_per_client", "requests_per_client", "starts_per_provider", "name_id_format", "idp_initiated"})
"""Keys for which a written `null` means something. A key with nothing behind it is always a mistake."""

ELSEWHERE = {
    "client_secret": "write client_auth: {method: client_secret_basic, secret: {file: PATH}}",
    "redirect_uri": "it follows from public_url: {public_url}/idp/{id}/callback",
    "tenant": "it is part of the issuer",
}
_KEY_PLACE = "[key]"
_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
}
_BOOLEANS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
_MISSING = ("missing", "union_tag_not_found")
_LENGTHS = ("too_short", "string_too_short")


def read_wire(document: Document, model: type[W]) -> W | None:
    """The file as its model; None when it has mistakes of form, which stand in the document then."""
    if not isinstance(document.tree, Section):
        return None
    for key, node in _nothings(document.tree):
        if not document.has_problem_at(node.spot):
            document.report(Code.EMPTY_VALUE, key or node, f"there is nothing behind '{key.value}'" if key else "there is nothing here")
    readers = Readers()
    try:
        return model.model_validate(document.tree.plain(), context=readers)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            _report(document, details, readers)
    return None


def _nothings(node: Node, key: Scalar | None = None) -> Iterator[tuple[Scalar | None, Node]]:
    """Every place where a value is missing, with its key."""
    if isinstance(node, Section):
        for inner_key, inner in node.entries.values():
            if inner_key.value != "claims":  # a test's claims are what a provider sends, null and all
                yield from _nothings(inner, inner_key)
    elif isinstance(node, Listing):
        for item in node.items:
            yield from _nothings(item)
    elif node.value is None and not (key is not None and key.value in NULLABLE and node.raw):
        yield key, node


def _report(document: Document, details: ErrorDetails, readers: Readers) -> None:
    node, key, rest = _find(document.root, details["loc"])
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        _report_unknown_key(document, details["loc"], readers)
    elif kind in _MISSING:
        name = str(rest[-1]) if kind == "missing" else str(context["discriminator"]).strip("'")
        document.report(Code.MISSING_KEY, node, f"the key '{name}' is missing", _missing_hint(node, name, readers))
    elif kind == "union_tag_invalid" and isinstance(node, Section):
        _report_choice(document, context, node.get(str(context["discriminator"]).strip("'")) or node)
    elif (isinstance(node, Scalar) and node.value is None) or document.has_problem_at(node.spot):
        return  # already told
    elif kind == REFUSED:
        _report_refusal(document, context["problem"], key if details["loc"][-1:] == (_KEY_PLACE,) and key else node)
    elif kind in _LENGTHS:
        document.report(Code.EMPTY_VALUE, node, "this must not be empty")
    elif kind == "literal_error":
        _report_choice(document, context, node)
    else:
        message, hint = _wrong_value(kind, context, node)
        document.report(Code.WRONG_VALUE, node, message, hint)


def _find(root: Node, loc: tuple[int | str, ...]) -> tuple[Node, Scalar | None, list[int | str]]:
    """The node at a place, its key, and what of the place is no part of the file: tags of unions, missing keys."""
    node, key, rest = root, None, []
    for step in loc:
        if isinstance(node, Section) and step in node.entries:
            key, node = node.entries[str(step)]
        elif isinstance(node, Listing) and isinstance(step, int):
            key, node = None, node.items[step]
        else:
            rest.append(step)
    return node, key, rest


def _report_unknown_key(document: Document, loc: tuple[int | str, ...], readers: Readers) -> None:
    parent, _, _ = _find(document.root, loc[:-1])
    name = str(loc[-1])
    known = _keys_of(parent, readers)
    place = parent.key(name) if isinstance(parent, Section) else None
    hint = ELSEWHERE.get(name) or did_you_mean(name, known) or (f"possible here: {', '.join(known)}" if known else None)
    document.report(Code.UNKNOWN_KEY, place or parent, f"there is no key '{name}' here", hint)


def _model_of(node: Node, readers: Readers) -> type[Wire] | None:
    return readers.models.get(id(node.data)) if isinstance(node, Section) else None


def _keys_of(node: Node, readers: Readers) -> list[str]:
    model = _model_of(node, readers)
    return [] if model is None else [field.alias or name for name, field in model.model_fields.items()]


def _missing_hint(node: Node, name: str, readers: Readers) -> str | None:
    """What belongs there; or the key that was probably meant to be it."""
    model = _model_of(node, readers)
    if model is None or not isinstance(node, Section):
        return None
    strangers = [key for key in node.entries if key not in _keys_of(node, readers)]
    if did_you_mean(name, strangers):
        return None  # the unknown key's own hint says it
    return next((field.description for key, field in model.model_fields.items() if (field.alias or key) == name), None)


def _report_refusal(document: Document, problem: Refusal, node: Node) -> None:
    spot: Spot = node.spot
    if problem.line is not None and problem.column is not None and isinstance(node, Scalar):
        spot = spot_inside(node, problem.line, problem.column) or spot
    document.report(problem.code, spot, problem.message, problem.hint)


def _report_choice(document: Document, context: Mapping[str, object], node: Node) -> None:
    told = str(context.get("expected") or context.get("expected_tags"))
    choices = re.findall(r"'([^']*)'", told) or [told.lower()]  # a switch that only has one position: True
    written = str(node.value) if isinstance(node, Scalar) else ""
    document.report(Code.WRONG_VALUE, node, f"this must be {_either(choices)}", did_you_mean(written, choices))


def _wrong_value(kind: str, context: Mapping[str, object], node: Node) -> tuple[str, str | None]:
    if kind in _EXPECTED:
        return f"this must be {_EXPECTED[kind]}, not {_describe(node)}", _type_hint(kind, context.get("examples"), node)
    if kind == "greater_than_equal":
        return f"the least possible value is {context['ge']}", None
    if kind == "less_than_equal":
        return f"the greatest possible value is {context['le']}", None
    return "this cannot be used here", None


def _describe(node: Node) -> str:
    if isinstance(node, Section):
        return "a mapping"
    if isinstance(node, Listing):
        return "a list"
    if isinstance(node.value, bool):
        return "true or false"
    return "a text" if isinstance(node.value, str) else "a number"


def _type_hint(kind: str, examples: object, node: Node) -> str | None:
    if isinstance(examples, list):
        return f"for instance: {examples[0]}"
    if kind == "string_type" and isinstance(node, Scalar):
        return "in quotes it is a text"
    if kind == "int_type" and isinstance(node, Scalar) and isinstance(node.value, str) and node.value.isdecimal():
        return "without quotes it is a number"
    if kind == "bool_type" and isinstance(node, Scalar) and str(node.value).lower() in _BOOLEANS:
        return f"write {_BOOLEANS[str(node.value).lower()]}"
    if kind == "list_type" and isinstance(node, Scalar):
        return "a list of one stands in brackets: [ … ]"
    return None


def _either(choices: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))
