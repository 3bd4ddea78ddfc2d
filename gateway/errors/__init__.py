"""Every way a login can fail.

One class per failure that a person can tell apart. A class carries what the outside may see: the stable code
(`docs/errors.md`), the HTTP status, who can mend it (`blame`) and two fixed sentences for the page. What an instance
carries, `detail`, is for the log alone: it may name hosts and claims, never a token, a code, a secret or an assertion.

    GatewayError
    ├── BrowserError    QGW-1xx  what the browser sent
    ├── ProviderError   QGW-2xx  what the identity provider did
    │   └── TokenError           ... an ID token that does not prove what it should
    ├── IdentityError   QGW-3xx  claims, mapping, access rules
    ├── QlikError       QGW-4xx  the Qlik Sense Proxy Service
    ├── ConfigError     QGW-5xx  the configuration (its problems have codes of their own: `config.diagnostics`)
    └── StoreError      QGW-6xx  the store of one-time marks

This module knows nothing of HTTP servers, protocols or logging.
"""

from gateway.errors.browser import (
    BrowserError,
    LoginAlreadyUsed,
    LoginExpired,
    LoginMismatch,
    MalformedResponse,
    MalformedStart,
    MethodNotAllowed,
    NoLoginInFlight,
    NotANavigation,
    NotFound,
    Overloaded,
    PrefetchRefused,
    RequestTooLarge,
    UnknownHint,
    UnknownNode,
    UnknownSealingKey,
    UnreadableLogin,
)
from gateway.errors.identity import (
    AccessDenied,
    AttributesTooLarge,
    AttributeUnmapped,
    ClaimsRefused,
    DirectoryNotListed,
    DirectoryUnmapped,
    ExpressionFailed,
    IdentityError,
    MalformedUser,
    ReservedAttribute,
    ReservedDirectory,
    UserIdUnmapped,
)
from gateway.errors.kind import ACCOUNT, AGAIN, TELL_ADMIN, TELL_IDP, TELL_QLIK, Blame, GatewayError, InternalError
from gateway.errors.operation import ConfigError, StoreError, StoreFull, StoreUnavailable
from gateway.errors.provider import (
    AddressRefused,
    DiscoveryRefused,
    MixUp,
    ProofAlreadyUsed,
    ProviderAnswer,
    ProviderError,
    ProviderUnreachable,
    SignInDenied,
    TokenAlgorithm,
    TokenAudience,
    TokenError,
    TokenHash,
    TokenIssuer,
    TokenKeyUnknown,
    TokenMalformed,
    TokenNonce,
    TokenRequestRefused,
    TokenResponseRefused,
    TokenSignature,
    TokenSubject,
    TokenTimes,
    TokenType,
    UserinfoRefused,
)
from gateway.errors.qlik import CertificateRejected, NodeAnswer, NodeNotVerified, NodeUnreachable, PrefixUnknown, QlikError, TargetRefused

__all__ = [
    "ACCOUNT",
    "AGAIN",
    "TELL_ADMIN",
    "TELL_IDP",
    "TELL_QLIK",
    "AccessDenied",
    "AddressRefused",
    "AttributeUnmapped",
    "AttributesTooLarge",
    "Blame",
    "BrowserError",
    "CertificateRejected",
    "ClaimsRefused",
    "ConfigError",
    "DirectoryNotListed",
    "DirectoryUnmapped",
    "DiscoveryRefused",
    "ExpressionFailed",
    "GatewayError",
    "IdentityError",
    "InternalError",
    "LoginAlreadyUsed",
    "LoginExpired",
    "LoginMismatch",
    "MalformedResponse",
    "MalformedStart",
    "MalformedUser",
    "MethodNotAllowed",
    "MixUp",
    "NoLoginInFlight",
    "NodeAnswer",
    "NodeNotVerified",
    "NodeUnreachable",
    "NotANavigation",
    "NotFound",
    "Overloaded",
    "PrefetchRefused",
    "PrefixUnknown",
    "ProofAlreadyUsed",
    "ProviderAnswer",
    "ProviderError",
    "ProviderUnreachable",
    "QlikError",
    "RequestTooLarge",
    "ReservedAttribute",
    "ReservedDirectory",
    "SignInDenied",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "TargetRefused",
    "TokenAlgorithm",
    "TokenAudience",
    "TokenError",
    "TokenHash",
    "TokenIssuer",
    "TokenKeyUnknown",
    "TokenMalformed",
    "TokenNonce",
    "TokenRequestRefused",
    "TokenResponseRefused",
    "TokenSignature",
    "TokenSubject",
    "TokenTimes",
    "TokenType",
    "UnknownHint",
    "UnknownNode",
    "UnknownSealingKey",
    "UnreadableLogin",
    "UserIdUnmapped",
    "UserinfoRefused",
]
