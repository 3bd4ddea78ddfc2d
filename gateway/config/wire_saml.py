"""The wire shape of an identity provider's file with `protocol: saml`.

The descriptions are what editors show (`qlikgw schema saml`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from gateway.config import provider_values, saml_values
from gateway.config.wire import Id, PathText, Reads, SchemaVersion, SecretReference, Wire
from gateway.config.wire_acknowledge import ACKNOWLEDGE, Acknowledgements
from gateway.config.wire_authentication import AUTHENTICATION, SamlAuthenticationWire
from gateway.config.wire_gateway import ALLOW, DENY, DOMAINS, AccessExpression, ClockSkew, DenyWire, Domain
from gateway.config.wire_mapping import MappingWire
from gateway.config.wire_trials import TESTS, TrialWire

EntityId = Annotated[str, Reads(saml_values.read_entity_id)]
Endpoint = Annotated[str, Reads(saml_values.read_endpoint, {"format": "uri"})]
Uri = Annotated[str, Reads(saml_values.read_uri)]


class MetadataWire(Wire):
    """The identity provider's metadata: exactly one of url and file."""

    url: Endpoint | None = Field(default=None, description="Fetched when the first login needs it, then refreshed; https.")
    file: PathText | None = Field(default=None, description="A metadata document beside the configuration.")
    signing_certificate: PathText | None = Field(
        default=None, description="The certificate whose key must have signed the document's root; without it the transport is trusted."
    )


class ServiceProviderWire(Wire):
    """The gateway as this identity provider sees it."""

    entity_id: EntityId | None = Field(default=None, description="Our entity id. Default: {public_url}/idp/{id}/metadata.")
    key: PathText | None = Field(
        default=None, description="Our private key, PEM (qlikgw keygen saml): signs requests and logout messages, decrypts assertions."
    )
    key_password: SecretReference | None = Field(default=None, description="The password of the key, if it has one.")
    certificate: PathText | None = Field(default=None, description="The certificate of the key, PEM.")
    next_certificate: PathText | None = Field(default=None, description="Published beside the present one ahead of a rollover.")
    sign_requests: bool = Field(default=False, description="true signs every AuthnRequest.")
    sign_metadata: bool = Field(default=False, description="true signs our metadata document.")
    encryption: bool = Field(
        default=False, description="true publishes an encryption key. AD FS then encrypts with AES-CBC (allow_cbc_encryption)."
    )


class SamlWire(Wire):
    """One SAML identity provider. The file's name without .yaml is its id; its assertion consumer service is {public_url}/idp/{id}/acs."""

    schema_version: SchemaVersion
    protocol: Literal["saml"] = Field(description="saml: SAML 2.0.")
    display_name: Annotated[str, Reads(provider_values.read_display_name)] | None = Field(
        default=None, description="What the chooser page shows. Default: the id."
    )
    entity_id: EntityId = Field(description="The identity provider's entity id; metadata of another entity is refused.")
    metadata: MetadataWire | None = Field(default=None, description="Where its metadata is. Instead: sso_url and certificates.")
    sso_url: Endpoint | None = Field(default=None, description="Without metadata: where users are sent (HTTP-Redirect).")
    slo_url: Endpoint | None = Field(
        default=None, description="Without metadata: its single logout service (HTTP-Redirect). Needs sp.key: its messages are signed."
    )
    certificates: list[PathText] | None = Field(default=None, min_length=1, description="Without metadata: its signing certificates.")
    sp: ServiceProviderWire = Field(default=ServiceProviderWire(), description="The gateway as this identity provider sees it.")
    name_id_format: Uri | None = Field(
        default=None, description="Asked for by NameIDPolicy, and only when set.", json_schema_extra={"type": ["string", "null"]}
    )
    preset: Annotated[str, Reads(saml_values.read_preset)] | None = Field(
        default=None, description="adfs or entra: short names for their claim URIs (upn, email, groups, ...), beside the full ones."
    )
    domains: list[Domain] = Field(default=[], description=DOMAINS)
    authentication: SamlAuthenticationWire = Field(default=SamlAuthenticationWire(), description=AUTHENTICATION)
    clock_skew: ClockSkew = Field(default=timedelta(seconds=60), description="How far the provider's clock may be from ours: 0s to 180s.")
    second_opinion: bool = Field(default=True, description="false lets our own engine decide without python3-saml's second opinion.")
    allow_cbc_encryption: bool = Field(
        default=False, description="true accepts AES-CBC encrypted assertions, only under a verified Response signature. AD FS sends them."
    )
    idp_initiated: Id | None = Field(
        default=None,
        description="The virtual proxy where an unsolicited response begins a fresh login. Default: it ends on a page.",
        json_schema_extra={"type": ["string", "null"]},
    )
    mapping: MappingWire = Field(description="Who the user is in Qlik Sense.")
    deny: list[DenyWire] = Field(default=[], description=DENY)
    allow: AccessExpression | None = Field(default=None, description=ALLOW)
    tests: list[TrialWire] = Field(default=[], description=TESTS)
    acknowledge: Acknowledgements | None = Field(default=None, description=ACKNOWLEDGE)
