"""What must fit together inside a mapping and its access rules. Like `references`, it reads the tree and passes over what is malformed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from gateway.config.diagnostics import Code
from gateway.config.document import Document
from gateway.config.named import NamedFiles
from gateway.config.tables import read_table
from gateway.config.tree import Listing, Node, Scalar, Section, spot_inside
from gateway.config.values import Refusal, did_you_mean
from gateway.mapping import find_variable

_SOURCES = ("value", "claim", "cel", "name_id", "first_of")
_ALLOW = "allow"
_CEL_KEYS = frozenset({"cel", "when"})
NO_NAME_ID = "an OpenID provider sends no NameID: name_id is for SAML"


def check_mapping(document: Document, mapping: Section, *, saml: bool) -> None:
    """A provider's mapping, or what a virtual proxy puts in its place (`saml`: a NameID may come)."""
    if mapping.get("user_directory") is not None:
        _check_directory(document, mapping.section("user_directory"))
    sources = [mapping.get("user_directory"), mapping.get("user_id"), *(node for _, node in mapping.sections("attributes"))]
    for node in sources:
        if isinstance(node, Section):
            _check_source(document, node, saml=saml)
    for section in (mapping, *(attribute for _, attribute in mapping.sections("attributes"))):
        if section.get("over_budget") is not None and section.get("budget") is None:
            document.report(Code.MAPPING, section.key("over_budget"), "over_budget needs a budget beside it")
    _check_names(document, mapping.section("attributes"))


def check_access(document: Document, owner: Section) -> None:
    """Every rule of one owner has an id of its own."""
    seen = {_ALLOW: 0}
    for rule in owner.items("deny"):
        place = rule.scalar("id") if isinstance(rule, Section) else None
        if place is None:
            continue
        name = str(place.value)
        if name in seen:
            reason = f"the first stands in line {seen[name]}" if seen[name] else "'allow' is the id of the rule behind allow"
            document.report(Code.DUPLICATE, place, f"two access rules have the id '{name}'", reason)
        seen.setdefault(name, place.spot.line)


def check_name_id(document: Document, owner: Section) -> None:
    """Nothing reads a NameID where none ever comes: users of OpenID providers have none."""
    for scalar in _expressions(owner.section("mapping"), *owner.items("deny"), owner.get("allow")):
        place = find_variable(str(scalar.value), "name_id")
        if place is not None and not document.has_problem_at(scalar.spot):
            document.report(Code.EXPRESSION, spot_inside(scalar, *place) or scalar.spot, NO_NAME_ID)


def check_overrides(document: Document, providers: Mapping[str, Document]) -> None:
    """What virtual proxies put in the place of their identity providers' mappings fits these. `document`: gateway.yaml."""
    for _, virtual_proxy in document.root.sections("virtual_proxies"):
        names = [str(item.value) for item in virtual_proxy.items("identity_providers") if isinstance(item, Scalar)]
        offered = [providers[name] for name in names if name in providers]
        if offered and all(provider.root.text("protocol") == "oidc" for provider in offered):
            _check_no_name_id_sources(document, virtual_proxy.section("mapping"))
            check_name_id(document, virtual_proxy)
        theirs = {name for provider in offered for name in provider.root.section("mapping", "attributes").entries}
        for place in virtual_proxy.items("mapping", "without"):
            if isinstance(place, Scalar) and place.value not in theirs and not document.has_problem_at(place.spot):
                hint = did_you_mean(str(place.value), theirs)
                document.report(Code.DANGLING, place, f"no identity provider here maps an attribute '{place.value}'", hint)
        _check_spelling(document, virtual_proxy.section("mapping", "attributes"), theirs)


def _check_spelling(document: Document, attributes: Section, theirs: Collection[str]) -> None:
    folded = {name.casefold(): name for name in theirs}
    for name in attributes.entries:
        known = folded.get(name.casefold(), name)
        if known not in attributes.entries:
            message = f"'{name}' and the identity provider's '{known}' are one name to Qlik Sense"
            document.report(Code.DUPLICATE, attributes.key(name), message, f"write {known}")


def _check_no_name_id_sources(document: Document, node: Node | None) -> None:
    if isinstance(node, Listing):
        for item in node.items:
            _check_no_name_id_sources(document, item)
    elif isinstance(node, Section):
        key = node.key("name_id")
        if key is not None and not document.has_problem_at(key.spot):
            document.report(Code.MAPPING, key, NO_NAME_ID)
        for _, inner in node.entries.values():
            _check_no_name_id_sources(document, inner)


def _expressions(*nodes: Node | None) -> Iterator[Scalar]:
    """Every expression at or below some nodes."""
    for node in nodes:
        if isinstance(node, Scalar):
            yield node
        elif isinstance(node, Listing):
            yield from _expressions(*node.items)
        elif isinstance(node, Section):
            for key, (_, inner) in node.entries.items():
                if not isinstance(inner, Scalar) or key in _CEL_KEYS:
                    yield from _expressions(inner)


def check_trials(document: Document, virtual_proxies: Section) -> None:
    """A test signs in at a virtual proxy that exists and offers this provider. `virtual_proxies`: of gateway.yaml."""
    for trial in document.root.items("tests"):
        place = trial.scalar("virtual_proxy") if isinstance(trial, Section) else None
        if place is None or document.has_problem_at(place.spot):
            continue
        name = str(place.value)
        if name not in virtual_proxies.entries:
            document.report(Code.DANGLING, place, f"there is no virtual proxy '{name}'", did_you_mean(name, list(virtual_proxies.entries)))
            continue
        offered = [item.value for item in virtual_proxies.items(name, "identity_providers") if isinstance(item, Scalar)]
        if document.id not in offered:
            document.report(Code.DANGLING, place, f"the virtual proxy '{name}' does not offer this identity provider")


def check_tables(document: Document, mapping: Section, named: NamedFiles) -> None:
    """Every table in a file of its own can be read."""
    for place in table_files(mapping):
        content = named.table(place)
        if content is not None:
            try:
                read_table(str(place.value), content)
            except Refusal as refusal:
                document.report(refusal.code, place, refusal.message, refusal.hint)


def table_files(node: Node | None) -> Iterator[Scalar]:
    """Every place that names a table's file."""
    if isinstance(node, Listing):
        for item in node.items:
            yield from table_files(item)
    elif isinstance(node, Section):
        file = node.scalar("table", "file")
        if file is not None:
            yield file
        for _, inner in node.entries.values():
            yield from table_files(inner)


def _check_source(document: Document, node: Section, *, saml: bool, inner: bool = False) -> None:
    """Exactly one source, and nothing beside it that could never matter."""
    sources = [key for key in node.entries if key in _SOURCES]
    known = ", ".join(_SOURCES[: -1 if inner else None])
    if not sources:
        document.report(Code.MAPPING, node, f"one of {known} is needed here")
    elif len(sources) > 1:
        document.report(Code.MAPPING, node.key(sources[1]), f"{known} exclude each other: exactly one is needed")
    if not saml and node.get("name_id") is not None:
        document.report(Code.MAPPING, node.key("name_id"), NO_NAME_ID)
    for key in ("steps", "default"):
        if sources == ["value"] and node.get(key) is not None:
            document.report(Code.MAPPING, node.key(key), f"{key} beside a constant: write what comes of it as value")
    for candidate in node.items("first_of"):
        if isinstance(candidate, Section):
            _check_source(document, candidate, saml=saml, inner=True)


def _check_directory(document: Document, node: Section) -> None:
    source = next((key for key in node.entries if key in _SOURCES), None)
    listed = node.get("one_of")
    if listed is None and source not in (None, "value"):
        hint = "one_of: [CONTOSO, PARTNERS]"
        place = node.key(source or "")
        document.report(Code.MAPPING, place, "a directory from claims needs one_of: the directories that may come out", hint)
    allowed = [item.value for item in node.items("one_of") if isinstance(item, Scalar)]
    for key, consequence in (("value", "nobody could sign in"), ("default", "those without another one could not sign in")):
        constant = node.text(key)
        named = node.get(key)
        if listed is None or named is None or constant is None or constant in allowed or document.has_problem_at(named.spot):
            continue
        document.report(Code.MAPPING, named, f"this directory is not in one_of: {consequence}")


def _check_names(document: Document, attributes: Section) -> None:
    """Security rules read an attribute by its name without regard to case: two spellings would be one attribute with two meanings."""
    seen: dict[str, str] = {}
    for name in attributes.entries:
        first = seen.setdefault(name.casefold(), name)
        if first != name:
            hint = "one attribute with first_of, or another name"
            document.report(Code.DUPLICATE, attributes.key(name), f"'{first}' and '{name}' are one name to Qlik Sense", hint)
