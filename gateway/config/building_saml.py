"""The wire shape of a SAML provider's file to values of the core, and the rules for what it names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from gateway.config.diagnostics import Code
from gateway.config.document import Document
from gateway.config.folder import Surroundings
from gateway.config.named import NamedFiles, decoded
from gateway.config.settings import MetadataSettings
from gateway.config.tree import Node, Scalar
from gateway.config.wire_saml import SamlWire
from gateway.errors import GatewayError
from gateway.protocol import saml

KEYGEN = "qlikgw keygen saml makes a pair"


def service_provider(name: str, wire: SamlWire, public_url: str, surroundings: Surroundings) -> saml.ServiceProvider:
    """The gateway as this identity provider sees it."""
    sp, read = wire.sp, surroundings.files
    pair = _key_pair(wire, surroundings) if read and sp.key is not None and sp.certificate is not None else None
    return saml.ServiceProvider(
        entity_id=sp.entity_id or f"{public_url}/idp/{name}/metadata",
        acs_url=f"{public_url}/idp/{name}/acs",
        slo_url=f"{public_url}/idp/{name}/slo",
        idp_entity_id=wire.entity_id,
        keys=() if pair is None else (pair,),
        next_certificate=saml.read_certificate(surroundings.file(sp.next_certificate)) if read and sp.next_certificate else None,
        sign_requests=sp.sign_requests,
        offer_encryption=sp.encryption,
        name_id_format=wire.name_id_format,
        allow_cbc_encryption=wire.allow_cbc_encryption,
        second_opinion=wire.second_opinion,
        short_names=saml.PRESETS[wire.preset] if wire.preset else {},
        clock_skew=wire.clock_skew,
    )


def _key_pair(wire: SamlWire, surroundings: Surroundings) -> saml.KeyPair:
    sp = wire.sp
    password = None
    if sp.key_password is not None:
        reference = sp.key_password
        text = surroundings.variable(reference.env) if reference.env else decoded(surroundings.file(reference.file or ""))
        password = (text or "").encode()
    return saml.read_key_pair(surroundings.file(sp.key or ""), surroundings.file(sp.certificate or ""), password)


def metadata_settings(wire: SamlWire, surroundings: Surroundings) -> MetadataSettings:
    """Where the identity provider's description comes from: a URL, a document, or the file itself."""
    if wire.metadata is None:
        certificates = (
            tuple(saml.read_certificate(surroundings.file(path)) for path in wire.certificates or ()) if surroundings.files else ()
        )
        described = saml.IdentityProviderMetadata(
            entity_id=wire.entity_id,
            certificates=certificates,
            sso_redirect=wire.sso_url,
            logout=saml.LogoutService(redirect=wire.slo_url, redirect_answers=wire.slo_url),
        )
        return MetadataSettings(fixed=described)
    source, signing = wire.metadata, None
    if source.signing_certificate is not None and surroundings.files:
        signing = saml.read_certificate(surroundings.file(source.signing_certificate))
    document = None if source.file is None else surroundings.file(source.file)
    return MetadataSettings(url=source.url, document=document, signing_certificate=signing)


def check_saml(document: Document, offers: Mapping[str, Collection[object]]) -> None:
    """Rules of a SAML provider's file that need no named file. `offers`: the identity providers of each virtual proxy."""
    root = document.root
    metadata = root.section("metadata")
    by_hand = [key for key in ("sso_url", "slo_url", "certificates") if root.get(key) is not None]
    if root.get("metadata") is None and not {"sso_url", "certificates"} <= set(by_hand):
        document.report(Code.MISSING_KEY, root, "metadata is missing, or sso_url and certificates in its place")
    if root.get("metadata") is not None and by_hand:
        document.report(Code.WRONG_VALUE, root.key(by_hand[0]), "with metadata, addresses and certificates come from there alone")
    if root.get("metadata") is not None and (metadata.get("url") is None) == (metadata.get("file") is None):
        document.report(Code.MISSING_KEY, root.get("metadata"), "metadata is exactly one of url and file")
    _check_key_uses(document)
    _check_idp_initiated(document, offers)


def _check_idp_initiated(document: Document, offers: Mapping[str, Collection[object]]) -> None:
    """The fresh login must be able to end at the provider whose response began it."""
    target = document.root.scalar("idp_initiated")
    if target is None or not isinstance(target.value, str):
        return
    if target.value not in offers:
        document.report(Code.DANGLING, target, f"there is no virtual proxy '{target.value}'")
    elif document.id not in offers[target.value]:
        hint = f"add {document.id} to its identity_providers"
        document.report(Code.DANGLING, target, f"the virtual proxy '{target.value}' does not offer this identity provider", hint)


def _check_key_uses(document: Document) -> None:
    """What needs our key has it; the key comes with its certificate."""
    sp = document.root.section("sp")
    if (sp.get("key") is None) != (sp.get("certificate") is None):
        document.report(Code.MISSING_KEY, sp.get("key") or sp.get("certificate"), "key and certificate come together", KEYGEN)
    for needy in ("key_password", "next_certificate"):
        if sp.get(needy) is not None and sp.get("key") is None:
            document.report(Code.MISSING_KEY, sp.key(needy), f"{needy} needs key and certificate", KEYGEN)
    slo_url = document.root.get("slo_url")
    if slo_url is not None and document.root.get("metadata") is None and sp.get("key") is None:
        document.report(Code.MISSING_KEY, slo_url, "slo_url needs sp.key and sp.certificate: logout messages are signed", KEYGEN)
    for use in ("sign_requests", "sign_metadata", "encryption"):
        wanted = sp.get(use)
        if isinstance(wanted, Scalar) and wanted.value is True and sp.get("key") is None:
            document.report(Code.MISSING_KEY, wanted, f"{use} needs key and certificate", KEYGEN)


def check_saml_material(document: Document, named: NamedFiles, now: datetime) -> None:
    """Everything that a SAML provider's file names: certificates, our key, the metadata document."""
    root, sp = document.root, document.root.section("sp")
    signing = root.get("metadata", "signing_certificate")
    for place in (*root.items("certificates"), sp.get("next_certificate"), signing):
        content = named.content(place)
        if content is not None:
            _attempt(document, place, saml.read_certificate, content)
    _check_pair(document, named)
    file, entity = root.get("metadata", "file"), root.scalar("entity_id")
    metadata = named.content(file)
    certificate = None if signing is None else _certificate(named.content(signing))
    if metadata is None or entity is None or document.has_problem_at(entity.spot) or (signing is not None and certificate is None):
        return
    try:
        saml.verify_metadata(metadata, entity_id=str(entity.value), now=now, signing_certificate=certificate, allow_loopback=True)
    except GatewayError as error:
        document.report(Code.MATERIAL, file, f"this metadata cannot be used: {error.detail}")


def _certificate(content: bytes | None) -> saml.Certificate | None:
    try:
        return None if content is None else saml.read_certificate(content)
    except ValueError:
        return None


def _check_pair(document: Document, named: NamedFiles) -> None:
    sp = document.root.section("sp")
    key, certificate = named.private(sp.get("key")), named.content(sp.get("certificate"))
    reference = sp.get("key_password")
    password = named.secret(reference)
    if key is None or certificate is None or (reference is not None and password is None):
        return
    secret = None if password is None else password.reveal().encode()
    _attempt(document, sp.get("key"), saml.read_key_pair, key, certificate, secret)


def _attempt(document: Document, place: Node | None, read: Callable[..., object], *content: bytes | None) -> None:
    try:
        read(*content)
    except ValueError as error:
        document.report(Code.MATERIAL, place, str(error).removesuffix("."))
