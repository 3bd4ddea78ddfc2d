"""A folder to a configuration: read, check in every respect, build when nothing is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.config.building import MANAGEMENT_HOST, build
from gateway.config.building_mapping import build_access, build_overrides, build_rules
from gateway.config.building_saml import check_saml, check_saml_material
from gateway.config.defaults import apply_defaults
from gateway.config.diagnostics import Code, Problem, Severity
from gateway.config.document import Document, read_document
from gateway.config.folder import GATEWAY_FILE, Surroundings, Unreadable
from gateway.config.lint import lint
from gateway.config.mapping_references import check_overrides, check_tables, check_trials, table_files
from gateway.config.material import check_gateway_material, check_provider_material
from gateway.config.named import NamedFiles
from gateway.config.oversights import tell_oversights
from gateway.config.references import check_gateway, check_provider
from gateway.config.settings import Configuration
from gateway.config.shape import read_wire
from gateway.config.sources import Sources
from gateway.config.strength_rules import check_strengths
from gateway.config.tree import Scalar
from gateway.config.trials import Door, run_trials
from gateway.config.values import Refusal, did_you_mean, read_id, read_listen_host
from gateway.config.wire_gateway import GatewayWire, VirtualProxyWire
from gateway.config.wire_oidc import OidcWire
from gateway.config.wire_saml import SamlWire

ProviderWire = OidcWire | SamlWire


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """`configuration` is None when there is any error. Problems are in the order of files and lines, gateway.yaml first.

    `acknowledged` are findings that somebody gave a reason for. `sources` is what was looked at, also where it could not be used.
    """

    configuration: Configuration | None = field(repr=False)
    problems: tuple[Problem, ...]
    acknowledged: tuple[Problem, ...] = ()
    sources: Sources = field(repr=False)
    folder_unreadable: bool = False


def load(folder: Path, *, environ: Mapping[str, str], files: bool = True, tables: bool = True, now: datetime | None = None) -> Loaded:
    """Read and check a folder. Needs no network and never raises.

    `files` False leaves the contents of named files and variables unread: what is built then can be explained, not served.
    `tables` False leaves lookup tables unread, too; tests of a provider that uses one are left out then.
    """
    surroundings = Surroundings(folder, environ, files, tables)
    try:
        documents = [_document(name, content) for name, content in surroundings.entries()]
    except Unreadable as error:
        folder_itself = Document(".")
        folder_itself.report(Code.UNREADABLE, None, f"the folder {error}")
        return Loaded(configuration=None, problems=tuple(folder_itself.problems), sources=surroundings.sources(), folder_unreadable=True)
    configuration = _check(documents, surroundings, now or datetime.now(UTC))
    return _loaded(documents, configuration, surroundings.sources())


def _document(name: str, content: bytes | str) -> Document:
    """One entry of the folder."""
    document = Document(name)
    if not name.endswith(".yaml"):
        hint = "only *.yaml belongs here; names that begin with a dot are ignored"
        if name.endswith(".yml"):
            hint = f"rename it to {name.removesuffix('.yml')}.yaml"
        document.report(Code.UNEXPECTED_FILE, None, "this does not belong in the configuration folder", hint)
    elif isinstance(content, str):
        document.report(Code.UNREADABLE, None, f"the file {content}")
    else:
        document = read_document(name, content)
        _check_name(document)
    return document


def _check_name(document: Document) -> None:
    try:
        read_id(document.id)
    except Refusal as refusal:
        document.report(Code.WRONG_VALUE, None, f"the file's name is the provider's id: {refusal.message}", refusal.hint)


def _check(documents: list[Document], surroundings: Surroundings, now: datetime) -> Configuration | None:
    gateway = next((document for document in documents if document.name == GATEWAY_FILE), None) or _missing_gateway(documents)
    providers = [document for document in documents if document is not gateway and document.name.endswith(".yaml")]
    wire = _check_gateway(gateway, {document.id for document in providers}, surroundings, now)
    offers = _offers(gateway)
    wires = {document.id: _check_provider(document, offers, surroundings, now) for document in providers}
    by_id = {document.id: document for document in providers}
    check_strengths(gateway, by_id)
    check_overrides(gateway, by_id)
    _check_trials(gateway, wire, providers, wires, surroundings)
    if wire is None or any(document.failed for document in documents):
        return None
    tell_oversights(gateway, by_id)
    lint(gateway, by_id)
    try:
        return build(wire, {name: found for name, found in wires.items() if found is not None}, surroundings)
    except ValueError as error:  # a rule of the core that no check above knows
        gateway.report(Code.WRONG_VALUE, None, f"this configuration cannot be used: {error}")
        return None


def _missing_gateway(documents: list[Document]) -> Document:
    """An empty gateway.yaml with a word on what is probably it: a file of nearly that name, which is no provider then."""
    gateway = Document(GATEWAY_FILE)
    near = next((document for document in documents if did_you_mean(document.id, [gateway.id])), None)
    near = near or next((document for document in documents if "qlik_sites" in document.root.entries), None)
    hint = "it describes the gateway, the Qlik sites and the virtual proxies"
    if near is not None:
        documents.remove(near)
        hint = f"rename {near.name} to {GATEWAY_FILE}"
    gateway.report(Code.UNREADABLE, None, "the file does not exist", hint)
    documents.insert(0, gateway)
    return gateway


def _check_gateway(document: Document, providers: set[str], surroundings: Surroundings, now: datetime) -> GatewayWire | None:
    apply_defaults(document)
    wire = read_wire(document, GatewayWire)
    if document.tree is not None:
        check_gateway(document, providers)
        _check_environment(document, surroundings)
        check_tables(document, document.root.section("virtual_proxies"), NamedFiles(document, surroundings))
        if surroundings.files:
            check_gateway_material(document, NamedFiles(document, surroundings), now)
    return wire


def _check_environment(document: Document, surroundings: Surroundings) -> None:
    """The one setting that may come from outside the files."""
    host = surroundings.environ.get(MANAGEMENT_HOST)
    try:
        read_listen_host(host or "localhost")
    except ValueError as error:
        document.report(Code.NAMED_FILE, document.root.get("management"), f"{MANAGEMENT_HOST}: {error}")


def _offers(gateway: Document) -> dict[str, set[object]]:
    """The identity providers that each virtual proxy names."""
    virtual_proxies = gateway.root.section("virtual_proxies")
    return {
        name: {item.value for item in virtual_proxies.section(name).items("identity_providers") if isinstance(item, Scalar)}
        for name in virtual_proxies.entries
    }


def _check_provider(document: Document, offers: dict[str, set[object]], surroundings: Surroundings, now: datetime) -> ProviderWire | None:
    """The file of an identity provider: its protocol first, for everything else depends on it."""
    place = document.root.scalar("protocol")
    is_saml = place is not None and place.value == "saml"
    wire = read_wire(document, SamlWire) if is_saml else read_wire(document, OidcWire)
    check_provider(document, saml=is_saml)
    named = NamedFiles(document, surroundings)
    check_tables(document, document.root.section("mapping"), named)
    if is_saml:
        check_saml(document, offers)
        if surroundings.files:
            check_saml_material(document, named, now)
    elif surroundings.files:
        check_provider_material(document, named)
    return wire


def _check_trials(
    gateway: Document,
    wire: GatewayWire | None,
    providers: list[Document],
    wires: Mapping[str, ProviderWire | None],
    surroundings: Surroundings,
) -> None:
    """The tests in the providers' files, as far as what they test is without mistakes."""
    usable = None if wire is None or gateway.failed else wire
    doors = None if usable is None else {name: _door(name, vp, surroundings) for name, vp in usable.virtual_proxies.items()}
    for document in providers:
        found = wires[document.id]
        if gateway.root.get("virtual_proxies") is not None:
            check_trials(document, gateway.root.section("virtual_proxies"))
        if found is None or not found.tests or document.failed:
            continue
        if surroundings.tables or not any(True for part in (document, gateway) for _ in table_files(part.root)):
            access = build_access(f"identity provider {document.id}", found.deny, found.allow)
            run_trials(document, found.tests, build_rules(found.mapping, surroundings), access, doors)


def _door(name: str, wire: VirtualProxyWire, surroundings: Surroundings) -> Door:
    access = build_access(f"virtual proxy {name}", wire.deny, wire.allow)
    return Door(overrides=build_overrides(wire.mapping, surroundings), access=access)


def _loaded(documents: list[Document], configuration: Configuration | None, sources: Sources) -> Loaded:
    problems = [problem for document in documents for problem in document.problems]
    problems.sort(key=lambda problem: (problem.file != GATEWAY_FILE, problem.file, problem.line, problem.column))
    if any(problem.severity is Severity.ERROR for problem in problems):
        configuration = None
    open_ones = tuple(problem for problem in problems if problem.acknowledged is None)
    acknowledged = tuple(problem for problem in problems if problem.acknowledged is not None)
    return Loaded(configuration=configuration, problems=open_ones, acknowledged=acknowledged, sources=sources)
