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

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Blame(StrEnum):
    """Who can mend a failure."""

    BROWSER = "browser"
    IDP = "idp"
    QLIK = "qlik"
    OPERATOR = "operator"


AGAIN = "Open the Qlik link once more from the start. If it happens again, give the code and the reference below to your help desk."
TELL_IDP = (
    "Give the code and the reference below to your help desk: the administrators of the sign-in system and of this gateway can mend it."
)
TELL_ADMIN = "Give the code and the reference below to your help desk: the administrator of this gateway can mend it."
TELL_QLIK = "Give the code and the reference below to your help desk: the administrator of the Qlik Sense site can mend it."
ACCOUNT = "Give the code and the reference below to your help desk: they can see which rule decided and what your account lacks."


class GatewayError(Exception):
    """A request that must not go on. `detail` says why, for the log; the page shows the class's fixed sentences."""

    code: ClassVar[str] = "QGW-500"
    status: ClassVar[int] = 500
    blame: ClassVar[Blame] = Blame.OPERATOR
    title: ClassVar[str] = "Something went wrong inside the gateway"
    advice: ClassVar[str] = TELL_ADMIN

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class InternalError(GatewayError):
    """A fault of ours that no other class names."""


# ---- 1xx: the browser's request ------------------------------------------------------------------------------------


class BrowserError(GatewayError):
    """What the browser sent cannot be used."""

    code, status, blame = "QGW-100", 400, Blame.BROWSER
    title = "This request cannot be used"
    advice = AGAIN


class MalformedStart(BrowserError):
    """One of `targetId` and `proxyRestUri` is missing, doubled, empty or of a wrong shape."""

    code = "QGW-101"
    title = "This address was opened without the details that Qlik Sense adds"


class NotFound(BrowserError):
    """No such virtual proxy, identity provider or path."""

    code, status = "QGW-102", 404
    title = "There is nothing at this address"
    advice = "Check the link. If Qlik Sense sent you here, give the code and the reference below to your help desk."


class UnknownNode(BrowserError):
    """`proxyRestUri` names no configured node of this virtual proxy."""

    code, blame = "QGW-103", Blame.OPERATOR
    title = "The Qlik Sense server that sent you here is not known to this gateway"
    advice = TELL_ADMIN


class NotANavigation(BrowserError):
    """A script, an image or a socket asked for a login; only a navigation starts one."""

    code, status = "QGW-104", 401
    title = "Sign-in needed: open this address as a page"
    advice = "Reload the page that you were on."


class PrefetchRefused(BrowserError):
    """The browser asked ahead of the user (`Sec-Purpose: prefetch`)."""

    code, status = "QGW-105", 503
    title = "This page is not prepared in advance"
    advice = "Open the link."


class MalformedResponse(BrowserError):
    """The answer that the browser carried from the identity provider lacks, doubles or overfills a parameter."""

    code = "QGW-107"
    title = "The answer from your sign-in system arrived damaged"


class NoLoginInFlight(BrowserError):
    """This browser began no login with that state: another browser did, or the cookie is gone."""

    code = "QGW-108"
    title = "This browser did not begin this sign-in, or it has forgotten it"
    advice = "Open the Qlik link once more in this browser. Cookies must be allowed for this address."


class LoginExpired(BrowserError):
    """The login took longer than `login_lifetime`."""

    code = "QGW-109"
    title = "This sign-in took too long"
    advice = "Start again; your sign-in system may let you through without asking."


class LoginAlreadyUsed(BrowserError):
    """The transaction was finished before: Back, F5 or a replay."""

    code = "QGW-110"
    title = "This sign-in has been used already"
    advice = "If you are signed in, go on to Qlik Sense; else start again."


class UnreadableLogin(BrowserError):
    """The sealed login does not open: altered, or sealed under another cookie's name."""

    code = "QGW-111"
    title = "This browser's record of the sign-in cannot be read"


class UnknownSealingKey(BrowserError):
    """The login was sealed with a key that this gateway does not hold."""

    code = "QGW-112"
    title = "This sign-in was begun at a gateway with another key"


class LoginMismatch(BrowserError):
    """The answer came to another provider, binding or purpose than the login began with, or the configuration moved on."""

    code = "QGW-113"
    title = "This sign-in was begun under another configuration"


class MethodNotAllowed(BrowserError):
    """The path knows other methods."""

    code, status = "QGW-114", 405
    title = "This address cannot be used in this way"


class RequestTooLarge(BrowserError):
    """The body or the parameters are over the limit."""

    code, status = "QGW-115", 413
    title = "This request is too large"


class UnknownHint(BrowserError):
    """`idp=` names no identity provider of this virtual proxy."""

    code = "QGW-116"
    title = "The link asks for a sign-in system that is not offered here"


class Overloaded(BrowserError):
    """More work than the gateway takes at once."""

    code, status = "QGW-117", 503
    title = "The gateway is busy"
    advice = "Wait a few seconds, then open the Qlik link again."


# ---- 2xx: the identity provider --------------------------------------------------------------------------------------


class ProviderError(GatewayError):
    """The identity provider did not do its part."""

    code, status, blame = "QGW-200", 502, Blame.IDP
    title = "Your sign-in system answered in an unexpected way"
    advice = TELL_IDP


class ProviderUnreachable(ProviderError):
    """No answer: name, connection, TLS or time-out."""

    code, status = "QGW-201", 504
    title = "Your sign-in system does not answer"
    advice = "Try again in a minute. If it goes on, give the code and the reference below to your help desk."


class ProviderAnswer(ProviderError):
    """An answer that is not what the protocol asks for: status, size, type, JSON."""

    code = "QGW-202"


class DiscoveryRefused(ProviderError):
    """The discovery document is another issuer's, or names an endpoint that may not be used (Discovery 1.0 §4.3)."""

    code = "QGW-203"
    title = "Your sign-in system describes itself in a way that cannot be trusted"


class SignInDenied(ProviderError):
    """The provider ended the sign-in with an error of its own (OIDC Core §3.1.2.6)."""

    code, status = "QGW-204", 403
    title = "Your sign-in system did not let you through"
    advice = "If you cancelled, start again. Else give the code and the reference below to your help desk."


class MixUp(ProviderError):
    """The answer names another issuer, or none where one is announced (RFC 9207 §2.4)."""

    code, status = "QGW-205", 400
    title = "The answer came from another sign-in system than the one you were sent to"
    advice = AGAIN


class TokenRequestRefused(ProviderError):
    """The token endpoint answered with an error (RFC 6749 §5.2)."""

    code = "QGW-206"


class TokenResponseRefused(ProviderError):
    """The token response lacks an ID token or has another token type (OIDC Core §3.1.3.3)."""

    code = "QGW-207"


class AddressRefused(ProviderError):
    """A loopback or private address, or a scheme, that the configuration does not name (`outbound`)."""

    code, blame = "QGW-208", Blame.OPERATOR
    advice = TELL_ADMIN


class UserinfoRefused(ProviderError):
    """The userinfo answer is about somebody else or cannot be used (OIDC Core §5.3.2)."""

    code = "QGW-209"


class TokenError(ProviderError):
    """The ID token does not prove what it should."""

    code = "QGW-210"
    title = "Your sign-in system's proof of who you are was refused"


class TokenMalformed(TokenError):
    """Not a compact JWS, over the size limit, unknown critical header, or a payload that is not one strict JSON object."""

    code = "QGW-211"


class TokenAlgorithm(TokenError):
    """Signed with another algorithm than the registration pins."""

    code = "QGW-212"


class TokenType(TokenError):
    """The `typ` header says that this is another kind of token."""

    code = "QGW-213"


class TokenKeyUnknown(TokenError):
    """No published key fits, also after a refresh."""

    code = "QGW-214"


class TokenSignature(TokenError):
    """The signature does not verify."""

    code = "QGW-215"


class TokenIssuer(TokenError):
    """`iss` is not the configured issuer."""

    code = "QGW-216"


class TokenAudience(TokenError):
    """`aud` or `azp` is not us, or names others without `azp`."""

    code = "QGW-217"


class TokenTimes(TokenError):
    """Expired, too old, not yet valid, or a time of a wrong type."""

    code = "QGW-218"
    advice = "Try again. If it goes on, give the code and the reference below to your help desk: two clocks may differ."


class TokenNonce(TokenError):
    """`nonce` is not the one of this login."""

    code = "QGW-219"


class TokenHash(TokenError):
    """`at_hash` or `c_hash` does not fit."""

    code = "QGW-220"


class TokenSubject(TokenError):
    """`sub` is missing, empty, too long or not a string."""

    code = "QGW-221"


class ProofAlreadyUsed(ProviderError):
    """The same ID token (or assertion) was used for a login before."""

    code, status = "QGW-222", 400
    title = "This proof of who you are has been used already"
    advice = AGAIN


# ---- 3xx: identity, mapping, access ----------------------------------------------------------------------------------


class IdentityError(GatewayError):
    """The identity is proven, but does not lead to a Qlik user."""

    code, status, blame = "QGW-300", 403, Blame.OPERATOR
    title = "Your account cannot be turned into a Qlik Sense user"
    advice = ACCOUNT


class ClaimsRefused(IdentityError):
    """A claim holds control characters or lone surrogates, or the whole is too deep or too large."""

    code = "QGW-301"


class DirectoryUnmapped(IdentityError):
    """The mapping gives no user directory."""

    code = "QGW-302"


class UserIdUnmapped(IdentityError):
    """The mapping gives no user id."""

    code = "QGW-303"


class AttributeUnmapped(IdentityError):
    """An attribute's value is an object or another thing that a ticket cannot carry."""

    code = "QGW-304"


class ExpressionFailed(IdentityError):
    """A CEL expression ended in an error, or in a type that may not be used there."""

    code = "QGW-305"


class AccessDenied(IdentityError):
    """An access rule of the provider or of the virtual proxy did not come out as `true`."""

    code = "QGW-306"
    title = "You do not have access"
    advice = "If you should have access, give the code and the reference below to your help desk."


class ReservedDirectory(IdentityError):
    """`INTERNAL` and `NONE` belong to Qlik Sense itself."""

    code = "QGW-307"


class MalformedUser(IdentityError):
    """Directory or user id: blank, blanks at the ends, backslash, control characters, not NFC, too long."""

    code = "QGW-308"


class ReservedAttribute(IdentityError):
    """An attribute name that Qlik Sense sets itself, or that cannot be carried."""

    code = "QGW-309"


class AttributesTooLarge(IdentityError):
    """The attributes would not fit into the header that Qlik Sense sends them in."""

    code = "QGW-310"
    title = "Your account belongs to too many groups"


class DirectoryNotListed(IdentityError):
    """The directory is not in the mapping's `one_of`."""

    code = "QGW-312"


# ---- 4xx: Qlik -------------------------------------------------------------------------------------------------------


class QlikError(GatewayError):
    """The Qlik Sense Proxy Service did not do its part."""

    code, status, blame = "QGW-400", 502, Blame.QLIK
    title = "Qlik Sense answered in an unexpected way"
    advice = TELL_QLIK


class NodeUnreachable(QlikError):
    """No answer: name, connection or time-out."""

    code, status = "QGW-401", 504
    title = "Qlik Sense does not answer"
    advice = "Try again in a minute. If it goes on, give the code and the reference below to your help desk."


class NodeNotVerified(QlikError):
    """The node's certificate was not issued by the site, or not to this node."""

    code = "QGW-402"
    title = "The Qlik Sense server could not prove that it is the right one"


class CertificateRejected(QlikError):
    """The node does not accept our client certificate (403)."""

    code = "QGW-403"
    title = "Qlik Sense does not accept this gateway's certificate"


class NodeAnswer(QlikError):
    """An answer that is not the documented one."""

    code = "QGW-404"


class PrefixUnknown(QlikError):
    """The node does not know the virtual proxy (400)."""

    code = "QGW-405"
    title = "Qlik Sense does not know this virtual proxy"


class TargetRefused(QlikError):
    """The TargetUri leads outside the virtual proxy's `targets`; the ticket is discarded."""

    code, status, blame = "QGW-406", 400, Blame.BROWSER
    title = "The link leads to an address that is not listed for this virtual proxy"
    advice = "Open Qlik Sense from its own start page. If the address should be allowed, its administrator can list it."


# ---- 5xx: configuration ------------------------------------------------------------------------------------------------


class ConfigError(GatewayError):
    """What the gateway is built on does not behave as it must, so that no configuration can be used.

    The mistakes in a configuration itself have codes of their own, from QGW-501 on (`config.diagnostics`).
    """

    code = "QGW-590"


# ---- 6xx: the store ------------------------------------------------------------------------------------------------------


class StoreError(GatewayError):
    """The store of one-time marks failed; a login that cannot be marked as used is refused."""

    code, status = "QGW-600", 503
    title = "The gateway cannot finish sign-ins at the moment"
    advice = "Wait a moment, then open the Qlik link again."


class StoreUnavailable(StoreError):
    """The store does not answer."""

    code = "QGW-601"


class StoreFull(StoreError):
    """The store holds only live marks and takes no more: refusing is better than forgetting one."""

    code = "QGW-602"
