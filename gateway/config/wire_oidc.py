"""The wire shape of an identity provider's file with `protocol: oidc`.

The descriptions are what editors show (`qlikgw schema oidc`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gateway.config import provider_values
from gateway.config.diagnostics import Code
from gateway.config.values import Refusal
from gateway.config.wire import PathText, Reads, SchemaVersion, SecretReference, Text, Wire, refusal
from gateway.config.wire_acknowledge import ACKNOWLEDGE, Acknowledgements
from gateway.config.wire_authentication import AUTHENTICATION, OidcAuthenticationWire
from gateway.config.wire_gateway import ALLOW, DENY, DOMAINS, AccessExpression, ClockSkew, DenyWire, Domain
from gateway.config.wire_mapping import MappingWire
from gateway.config.wire_trials import TESTS, TrialWire


def _with_openid(scopes: list[str]) -> list[str]:
    if "openid" not in scopes:
        raise refusal(
            Refusal(Code.WRONG_VALUE, "without the scope openid there is no ID token", f"write [{', '.join(['openid', *scopes])}]")
        )
    return scopes


Scopes = Annotated[list[Annotated[str, Reads(provider_values.read_scope)]], AfterValidator(_with_openid)]
Algorithms = Annotated[list[Annotated[str, Reads(provider_values.read_algorithm)]], Field(min_length=1)]


class SecretBasicWire(Wire):
    """The secret in the Authorization header."""

    method: Literal["client_secret_basic"] = Field(description="The secret in the Authorization header.")
    secret: SecretReference = Field(description="The client secret that the provider gave: {file: PATH} or {env: QLIKGW_NAME}.")


class SecretPostWire(Wire):
    """The secret in the request's body."""

    method: Literal["client_secret_post"] = Field(description="The secret in the request's body.")
    secret: SecretReference = Field(description="The client secret that the provider gave: {file: PATH} or {env: QLIKGW_NAME}.")


class PrivateKeyWire(Wire):
    """A signed assertion; the provider finds the public key at /idp/{id}/jwks.json."""

    method: Literal["private_key_jwt"] = Field(description="A signed assertion; the provider finds the public key at /idp/{id}/jwks.json.")
    key: PathText = Field(description="The private key, PEM or JWK (qlikgw keygen jwk).")
    key_password: SecretReference | None = Field(default=None, description="The password of the key, if it has one.")


class NoSecretWire(Wire):
    """A public client: PKCE alone."""

    method: Literal["none"] = Field(description="A public client: PKCE alone.")


ClientAuthWire = Annotated[SecretBasicWire | SecretPostWire | PrivateKeyWire | NoSecretWire, Field(discriminator="method")]


class OidcWire(Wire):
    """One OpenID provider. The file's name without .yaml is its id; the redirect URI to register is {public_url}/idp/{id}/callback."""

    schema_version: SchemaVersion
    protocol: Literal["oidc"] = Field(description="oidc: OpenID Connect.")
    display_name: Annotated[str, Reads(provider_values.read_display_name)] | None = Field(
        default=None, description="What the chooser page shows. Default: the id."
    )
    issuer: Annotated[str, Reads(provider_values.read_issuer, {"examples": ["https://login.example.com/realms/staff"]})] = Field(
        description="The provider's issuer, to the letter as its discovery document says it."
    )
    client_id: Annotated[str, Reads(provider_values.read_client_id)] = Field(description="The client id that the provider gave.")
    client_auth: ClientAuthWire = Field(description="How the gateway proves at the provider who it is.")
    domains: list[Domain] = Field(default=[], description=DOMAINS)
    authentication: OidcAuthenticationWire = Field(default=OidcAuthenticationWire(), description=AUTHENTICATION)
    scopes: Scopes = Field(default=["openid"], description="What is asked for; openid is always among it.")
    response_mode: Literal["query", "form_post"] = Field(default="query", description="How the answer comes back through the browser.")
    id_token_algorithms: Algorithms = Field(
        default=["RS256"], description="The signature algorithms that are accepted; never taken from the provider's metadata."
    )
    userinfo: bool = Field(
        default=False, description="true adds claims of the userinfo endpoint; they never replace those of the ID token."
    )
    authorization_params: dict[Annotated[str, Reads(provider_values.read_parameter_name)], Text] = Field(
        default={}, description="More parameters of the authorization request. The gateway's own cannot be set here."
    )
    clock_skew: ClockSkew = Field(default=timedelta(seconds=60), description="How far the provider's clock may be from ours: 0s to 180s.")
    allow_logout_token_without_exp: bool = Field(
        default=False,
        description="true takes back-channel logout tokens that never end for two minutes. Keycloak before 24 and Hydra send them.",
    )
    mapping: MappingWire = Field(description="Who the user is in Qlik Sense.")
    deny: list[DenyWire] = Field(default=[], description=DENY)
    allow: AccessExpression | None = Field(default=None, description=ALLOW)
    tests: list[TrialWire] = Field(default=[], description=TESTS)
    acknowledge: Acknowledgements | None = Field(default=None, description=ACKNOWLEDGE)
