"""QGW-200 to 229: the identity provider, by OpenID Connect or whatever the protocol."""

from __future__ import annotations

from gateway.errors.kind import AGAIN, TELL_ADMIN, TELL_IDP, Blame, GatewayError


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


class SignInTooWeak(ProviderError):
    """The sign-in lacks what `authentication` requires (`acr`, `amr`, an authentication context), also after one step-up."""

    code, status = "QGW-223", 403
    title = "Your sign-in was not strong enough for this part of Qlik Sense"
    advice = (
        "Start again and use the stronger way to sign in, such as a second factor. "
        "If you were not asked for one, give the code and the reference below to your help desk."
    )


class SignInTooOld(SignInTooWeak):
    """The sign-in is older than `authentication` allows, or the provider does not say when it was, also after one step-up."""

    code = "QGW-224"
    title = "Your sign-in is too long ago for this part of Qlik Sense"
    advice = "Start again and sign in anew. If you were not asked to, give the code and the reference below to your help desk."


class ProofAlreadyUsed(ProviderError):
    """The same ID token (or assertion) was used for a login before."""

    code, status = "QGW-222", 400
    title = "This proof of who you are has been used already"
    advice = AGAIN
