"""The identity linter: configurations that are valid, and in which two people can become one user, or one person two.

Each finding is advice with a code, an explanation (docs/linter.md) and a way to say that it is known: `acknowledge:` in the
file that it stands in. It runs when nothing is wrong any more, so that it judges what would be served. What Qlik Sense does with
user ids and attributes: Qlik "Add ticket", "Certificates", KB 1942392.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.config.claims_used import CONSTANT, NAME_ID, Used, used_by
from gateway.config.diagnostics import Code, Severity
from gateway.config.document import Document
from gateway.config.tree import Node, Scalar, Section
from gateway.protocol.qps import read_node

REASSIGNED = frozenset(
    [
        "email",
        "emails",
        "mail",
        "emailaddress",
        "verified_primary_email",
        "signinname",
        "upn",
        "userprincipalname",
        "eppn",
        "edupersonprincipalname",
        "unique_name",
        "preferred_username",
        "username",
        "user_name",
        "login",
        "samaccountname",
        "windowsaccountname",
        "winaccountname",
        "uid",
        "name",
        "displayname",
        "display_name",
        "nickname",
        "cn",
        "commonname",
        "phone_number",
        "urn:oid:0.9.2342.19200300.100.1.3",
        "urn:oid:0.9.2342.19200300.100.1.1",
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
    ]
)
"""Claims that follow a person's name, address or account: given anew to somebody else, or changed by marriage or by the person."""
REASSIGNED_FORMATS = (":emailAddress", ":WindowsDomainQualifiedName", ":X509SubjectName")
"""What such a NameID's format ends in (SAML Core §8.3.2 to §8.3.4)."""
CASE_SENSITIVE = frozenset({"sub", "edupersontargetedid", "urn:oid:1.3.6.1.4.1.5923.1.1.1.10"})
"""Identifiers in which `a` and `A` are two people (OIDC Core §2, SAML Core §8.3.7)."""
CONNECTOR = frozenset({"group", "groups", "name", "email", "userid", "username", "userdirectory", "roles"})
"""Attributes that directory connectors write (Qlik "User directory connectors")."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of advice. `about` is what an acknowledgement names; `also`: another file that may acknowledge it, and what it names."""

    code: Code
    document: Document
    place: Node
    about: str
    message: str
    advice: str
    also: tuple[Document, str] | None = None


def lint(gateway: Document, providers: Mapping[str, Document]) -> None:
    """Report what is not acknowledged as warnings, what is as acknowledged, and acknowledgements of nothing."""
    used: set[int] = set()
    for finding in findings(gateway, providers):
        acknowledgement = _acknowledgement(finding)
        if acknowledgement is None:
            hint = f"{finding.advice}; or acknowledge: [{{finding: {finding.code.value}, about: {finding.about}, reason: …}}]"
            finding.document.report(finding.code, finding.place, finding.message, hint, severity=Severity.WARNING)
        else:
            used.add(id(acknowledgement))
            reason = acknowledgement.text("reason") or ""
            finding.document.report(finding.code, finding.place, finding.message, severity=Severity.WARNING, acknowledged=reason)
    for document in (gateway, *providers.values()):
        for item in _acknowledgements(document):
            if id(item) not in used:
                message = "there is nothing (any more) that this acknowledges"
                document.report(Code.STALE_ACKNOWLEDGEMENT, item, message, "take it out", severity=Severity.WARNING)


def findings(gateway: Document, providers: Mapping[str, Document]) -> Iterator[Finding]:
    """Everything that the linter has to say."""
    for document in providers.values():
        mapping = document.root.section("mapping")
        yield from _user_id(document, mapping.get("user_id"))
        yield from _directories(document, mapping.get("user_directory"))
        yield from _attributes(document, mapping)
    for _, virtual_proxy in gateway.root.sections("virtual_proxies"):
        mapping = virtual_proxy.section("mapping")
        yield from _directories(gateway, mapping.get("user_directory"))
        yield from _attributes(gateway, mapping)
    yield from _shared(gateway, providers)


def _user_id(document: Document, source: Node | None) -> Iterator[Finding]:
    for used in used_by(source):
        if used.kind == CONSTANT:
            message = "everybody who gets this user id is the same user in Qlik Sense, with all that is theirs"
            yield Finding(Code.SAME_ID, document, used.place, CONSTANT, message, "leave it out: who has no user id is refused")
        elif _reassigned(used, document):
            message = f"'{used.name}' can be given to somebody else, who then is the same user in Qlik Sense"
            yield Finding(
                Code.REASSIGNABLE_ID, document, used.place, used.name, message, "map an identifier that never changes, such as oid"
            )
            yield from _variance(document, used)
        elif used.kind == NAME_ID or _short(used.name) in CASE_SENSITIVE:
            what = "a NameID" if used.kind == NAME_ID else f"'{used.name}'"
            message = f"{what} may differ in case alone between two people, and Qlik Sense does not tell them apart"
            advice = "map an identifier without letters' case, such as a UUID"
            yield Finding(Code.CASE_SENSITIVE_ID, document, used.place, used.name, message, advice)


def _reassigned(used: Used, document: Document) -> bool:
    if used.kind == NAME_ID:
        return (document.root.text("name_id_format") or "").endswith(REASSIGNED_FORMATS)
    return _short(used.name) in REASSIGNED


def _variance(document: Document, used: Used) -> Iterator[Finding]:
    if not used.folded:
        message = f"'{used.name}' may come in other letters' case or with blanks from one sign-in to the next"
        yield Finding(Code.VARIANT_ID, document, used.place, used.name, message, "fold it, for instance with the steps trim and lower")


def _directories(document: Document, source: Node | None) -> Iterator[Finding]:
    """Directories of one list that Qlik Sense takes for one."""
    seen: dict[str, str] = {}
    for name, place in _directory_names(source):
        first = seen.setdefault(name.upper(), name)
        if first != name:
            message = f"'{name}' and '{first}' are the same directory in Qlik Sense"
            yield Finding(Code.VARIANT_DIRECTORY, document, place, name, message, "keep one of them")


def _attributes(document: Document, mapping: Section) -> Iterator[Finding]:
    for name, (key, _) in mapping.section("attributes").entries.items():
        if name.lower() in CONNECTOR:
            message = f"where a directory connector knows the user, '{name}' may overwrite what it says"
            yield Finding(Code.CONNECTOR_ATTRIBUTE, document, key, name, message, f"name it otherwise, for instance sso_{name.lower()}")


def _shared(gateway: Document, providers: Mapping[str, Document]) -> Iterator[Finding]:
    """Two providers, one site, one directory: whoever controls the one can become each user of the other."""
    owners: dict[tuple[str, str], dict[str, tuple[Document, Node, str]]] = {}
    installations = _installations(gateway)
    for _, virtual_proxy in gateway.root.sections("virtual_proxies"):
        for provider in _offered(virtual_proxy, providers):
            override = virtual_proxy.get("mapping", "user_directory")
            document = gateway if override is not None else provider
            for name, place in _directory_names(override or provider.root.get("mapping", "user_directory")):
                site = installations.get(virtual_proxy.text("site") or "", "")
                owners.setdefault((site, name.upper()), {}).setdefault(provider.id, (document, place, name))
    told: set[tuple[str, str, int]] = set()
    for (site, _), found in sorted(owners.items()):
        first, *others = sorted(found)
        for other in others:
            document, place, name = found[other]
            if (first, other, id(place)) not in told:
                told.add((first, other, id(place)))
                message = f"the identity providers '{first}' and '{other}' both make users of the directory '{name}' on the site '{site}'"
                yield Finding(
                    Code.SHARED_IDENTITY, document, place, first, message, "give each its own directory", (providers[first], other)
                )


def _installations(gateway: Document) -> dict[str, str]:
    """Each site, by the first one that has a node in common with it: they are one Qlik Sense, with one set of users."""
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name, site in gateway.root.sections("qlik_sites"):
        nodes = [read_node(node.text("proxy_rest_uri") or "").name for node in site.items("nodes") if isinstance(node, Section)]
        found[name] = next((owners[node] for node in nodes if node in owners), name)
        owners |= dict.fromkeys(nodes, found[name])
    return found


def _offered(virtual_proxy: Section, providers: Mapping[str, Document]) -> Iterator[Document]:
    for item in virtual_proxy.items("identity_providers"):
        if isinstance(item, Scalar) and str(item.value) in providers:
            yield providers[str(item.value)]


def _directory_names(source: Node | None) -> Iterator[tuple[str, Node]]:
    """The directories that may come out: those listed, or the constant."""
    if isinstance(source, Section):
        listed = source.items("one_of") or [node for node in (source.get("value"),) if node is not None]
        yield from ((str(node.value), node) for node in listed if isinstance(node, Scalar))


def _short(claim: str) -> str:
    """A claim's name without the address in front of it; an OID stays whole."""
    lowered = claim.lower()
    return lowered if lowered.startswith("urn:oid:") else lowered.rpartition("/")[2]


def _acknowledgements(document: Document) -> list[Section]:
    return [item for item in document.root.items("acknowledge") if isinstance(item, Section)]


def _acknowledgement(finding: Finding) -> Section | None:
    """The first that fits. In the other file it has to say what it is about."""
    fitting = [item for item in _acknowledgements(finding.document) if item.text("about") in (None, finding.about)]
    if finding.also is not None:
        document, about = finding.also
        fitting += [item for item in _acknowledgements(document) if item.text("about") == about]
    return next((item for item in fitting if item.text("finding") == finding.code.value), None)
