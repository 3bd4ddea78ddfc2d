"""A SAML 2.0 service provider without input and output: requests out, responses in, metadata both ways.

Hostile bytes meet, in this order: limits, the parser, a walk over the tree, and, once the shape is right, exclusive
canonicalisation, SHA-2 and one RSA or ECDSA verification. No URI in a message is followed. Nothing in here knows HTTP
servers, files, the clock or the network; `now` and random bytes are arguments.

Specifications: SAML 2.0 Core, Bindings, Profiles, Metadata (OASIS 2005, with errata), XML Signature 1.1, XML Encryption 1.1.
"""

from gateway.protocol.saml.descriptor import metadata_document
from gateway.protocol.saml.keys import Certificate, KeyPair, read_certificate, read_key_pair
from gateway.protocol.saml.logout import verify_logout_request, verify_logout_response
from gateway.protocol.saml.logout_messages import logout_request, logout_response, stamp
from gateway.protocol.saml.metadata import MAX_METADATA, check_address, verify_metadata
from gateway.protocol.saml.opinion import Evidence, Reading, SecondOpinion
from gateway.protocol.saml.parameters import (
    MAX_CLOCK_SKEW,
    IdentityProviderMetadata,
    LogoutService,
    ServiceProvider,
    check_current,
    registration,
)
from gateway.protocol.saml.presets import PRESETS
from gateway.protocol.saml.request import RequestDraft, SentRequest, authn_request, draft_request, read_memo
from gateway.protocol.saml.response import MAX_ENCODED, is_unsolicited, verify_response

__all__ = [
    "MAX_CLOCK_SKEW",
    "MAX_ENCODED",
    "MAX_METADATA",
    "PRESETS",
    "Certificate",
    "Evidence",
    "IdentityProviderMetadata",
    "KeyPair",
    "LogoutService",
    "Reading",
    "RequestDraft",
    "SecondOpinion",
    "SentRequest",
    "ServiceProvider",
    "authn_request",
    "check_address",
    "check_current",
    "draft_request",
    "is_unsolicited",
    "logout_request",
    "logout_response",
    "metadata_document",
    "read_certificate",
    "read_key_pair",
    "read_memo",
    "registration",
    "stamp",
    "verify_logout_request",
    "verify_logout_response",
    "verify_metadata",
    "verify_response",
]
