"""An OpenID Connect relying party without any I/O: values and bytes in, values and requests out.

    registration    what is agreed with one provider          client_key     our signing key there
    discovery       what the provider says of itself          keys, jwk      its published keys
    authorization   to the provider and back, by browser      memo           what a login remembers meanwhile
    tokens          the code for the tokens                   client_authentication
    signed          a JWS, verified                           schemes        which signatures there are
    id_token        OIDC Core §3.1.3.7, rule by rule          second_opinion authlib's view of the same
    strength        how the user signed in                    userinfo       more claims
    logout          the end of a session, both ways           logout_memo    what it will need
    answers, strict_json, addresses: reading

Authorization code flow with PKCE only. No clock, no randomness, no network, no log: they are arguments or other rooms.
"""

from gateway.protocol.oidc.authorization import authorization_base, authorization_request, verify_authorization_response
from gateway.protocol.oidc.client_authentication import JTI_SIZE, Credentials, constant_credentials, credentials
from gateway.protocol.oidc.client_key import public_jwks, read_client_key
from gateway.protocol.oidc.discovery import Metadata, discovery_request, read_metadata
from gateway.protocol.oidc.id_token import Expected, verify_id_token
from gateway.protocol.oidc.keys import PublicKeys, jwks_request, read_jwks
from gateway.protocol.oidc.logout import LOGOUT_EVENT, logout_request, verify_front_channel, verify_logout_return, verify_logout_token
from gateway.protocol.oidc.memo import SEED_SIZE, LoginSecrets, login_secrets, read_memo, write_memo
from gateway.protocol.oidc.registration import (
    RESERVED_AUTHORIZATION_PARAMS,
    ClientAuth,
    ClientSecretBasic,
    ClientSecretPost,
    NoClientAuth,
    PrivateKeyJwt,
    RelyingParty,
    registration,
)
from gateway.protocol.oidc.schemes import SUPPORTED_ALGORITHMS
from gateway.protocol.oidc.tokens import Tokens, read_token_response, token_request
from gateway.protocol.oidc.userinfo import userinfo_request, verify_userinfo

__all__ = [
    "JTI_SIZE",
    "LOGOUT_EVENT",
    "RESERVED_AUTHORIZATION_PARAMS",
    "SEED_SIZE",
    "SUPPORTED_ALGORITHMS",
    "ClientAuth",
    "ClientSecretBasic",
    "ClientSecretPost",
    "Credentials",
    "Expected",
    "LoginSecrets",
    "Metadata",
    "NoClientAuth",
    "PrivateKeyJwt",
    "PublicKeys",
    "RelyingParty",
    "Tokens",
    "authorization_base",
    "authorization_request",
    "constant_credentials",
    "credentials",
    "discovery_request",
    "jwks_request",
    "login_secrets",
    "logout_request",
    "public_jwks",
    "read_client_key",
    "read_jwks",
    "read_memo",
    "read_metadata",
    "read_token_response",
    "registration",
    "token_request",
    "userinfo_request",
    "verify_authorization_response",
    "verify_front_channel",
    "verify_id_token",
    "verify_logout_return",
    "verify_logout_token",
    "verify_userinfo",
    "write_memo",
]
