"""A folder to a configuration: read, check in every respect, build when nothing is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.config.building import MANAGEMENT_HOST, build
from gateway.config.building_saml import check_saml, check_saml_material
from gateway.config.diagnostics import Code, Problem, Severity
from gateway.config.document import Document, read_document
from gateway.config.folder import GATEWAY_FILE, Surroundings, Unreadable, read_folder
from gateway.config.material import check_gateway_material, check_provider_material
from gateway.config.named import NamedFiles
from gateway.config.references import check_gateway, check_provider
from gateway.config.settings import Configuration
from gateway.config.shape import read_wire
from gateway.config.tree import Scalar
from gateway.config.values import Refusal, read_id, read_listen_host
from gateway.config.wire_gateway import GatewayWire
from gateway.config.wire_oidc import OidcWire
from gateway.config.wire_saml import SamlWire

ProviderWire = OidcWire | SamlWire


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """`configuration` is None when there is any error. Problems are in the order of files and lines, gateway.yaml first."""

    configuration: Configuration | None = field(repr=False)
    problems: tuple[Problem, ...]
    folder_unreadable: bool = False


def load(folder: Path, *, environ: Mapping[str, str], files: bool = True, now: datetime | None = None) -> Loaded:
    """Read and check a folder. Needs no network and never raises.

    `files` False leaves the contents of named files and variables unread: what is built then can be explained, not served.
    """
    surroundings = Surroundings(folder, environ, files)
    try:
        documents = [_document(name, content) for name, content in read_folder(folder)]
    except Unreadable as error:
        folder_itself = Document(".")
        folder_itself.report(Code.UNREADABLE, None, f"the folder {error}")
        return Loaded(configuration=None, problems=tuple(folder_itself.problems), folder_unreadable=True)
    return _check(documents, surroundings, now or datetime.now(UTC))


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


def _check(documents: list[Document], surroundings: Surroundings, now: datetime) -> Loaded:
    gateway = next((document for document in documents if document.name == GATEWAY_FILE), None)
    if gateway is None:
        gateway = Document(GATEWAY_FILE)
        gateway.report(Code.UNREADABLE, None, "the file does not exist", "it describes the gateway, the Qlik sites and the virtual proxies")
        documents = [gateway, *documents]
    providers = [document for document in documents if document is not gateway and document.name.endswith(".yaml")]
    wire = _check_gateway(gateway, {document.id for document in providers}, surroundings, now)
    offers = _offers(gateway)
    wires = {document.id: _check_provider(document, offers, surroundings, now) for document in providers}
    if wire is None or any(document.failed for document in documents):
        return _loaded(documents, None)
    try:
        built = build(wire, {name: found for name, found in wires.items() if found is not None}, surroundings)
    except ValueError as error:  # a rule of the core that no check above knows
        gateway.report(Code.WRONG_VALUE, None, f"this configuration cannot be used: {error}")
        return _loaded(documents, None)
    return _loaded(documents, built)


def _check_gateway(document: Document, providers: set[str], surroundings: Surroundings, now: datetime) -> GatewayWire | None:
    wire = read_wire(document, GatewayWire)
    if document.tree is not None:
        check_gateway(document, providers)
        _check_environment(document, surroundings)
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
    if is_saml:
        check_saml(document, offers)
        if surroundings.files:
            check_saml_material(document, named, now)
    elif surroundings.files:
        check_provider_material(document, named)
    return wire


def _loaded(documents: list[Document], configuration: Configuration | None) -> Loaded:
    problems = [problem for document in documents for problem in document.problems]
    problems.sort(key=lambda problem: (problem.file != GATEWAY_FILE, problem.file, problem.line, problem.column))
    if any(problem.severity is Severity.ERROR for problem in problems):
        configuration = None
    return Loaded(configuration=configuration, problems=tuple(problems))
