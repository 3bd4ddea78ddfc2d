"""QGW-230 to 269: SAML responses and SAML metadata."""

from __future__ import annotations

from gateway.errors.kind import AGAIN, Blame
from gateway.errors.provider import ProviderError


class SamlError(ProviderError):
    """The SAML response does not prove what it should."""

    code, status = "QGW-230", 400
    title = "Your sign-in system's proof of who you are was refused"


class SamlMalformed(SamlError):
    """Not base64, not UTF-8, not well-formed, not a Response 2.0, or a required part is missing, doubled or misshapen."""

    code = "QGW-231"
    title = "The answer from your sign-in system arrived damaged"


class SamlTooLarge(SamlError):
    """More bytes, elements, attributes, namespaces or levels than a message may have."""

    code = "QGW-232"
    title = "The answer from your sign-in system is too large"


class SamlMarkup(SamlError):
    """A document type, an entity, a comment, a CDATA section or a processing instruction."""

    code = "QGW-233"


class SamlStructure(SamlError):
    """Not exactly one assertion in its place, an ID that occurs twice, or a signature where none belongs: signature wrapping."""

    code = "QGW-234"


class SamlUnsigned(SamlError):
    """No signature covers the assertion."""

    code = "QGW-235"


class SamlSignatureMethod(SamlError):
    """The signature asks for an algorithm, a transform or a reference that is not on the list."""

    code = "QGW-236"


class SamlSignature(SamlError):
    """The signature verifies with none of the provider's certificates, or the signed part was altered."""

    code = "QGW-237"


class SamlDecryption(SamlError):
    """The assertion cannot be decrypted. One error whatever the reason: telling them apart would be an oracle."""

    code = "QGW-238"


class SamlEncryptionMethod(SamlError):
    """The assertion is encrypted in a way that is not on the list, or that needs an opt-in or a signed Response."""

    code = "QGW-239"


class SamlDestination(SamlError):
    """`Destination` or `Recipient` is not our assertion consumer service."""

    code = "QGW-240"
    title = "The answer from your sign-in system was meant for another address"


class SamlIssuer(SamlError):
    """Issued by another entity than the configured one."""

    code = "QGW-241"
    title = "The answer came from another sign-in system than the one you were sent to"


class SamlAudience(SamlError):
    """We are not in the audience."""

    code = "QGW-242"
    title = "The answer from your sign-in system was meant for another application"


class SamlUnsolicited(SamlError):
    """A response that nobody here asked for: never an identity."""

    code, blame = "QGW-243", Blame.BROWSER
    title = "This sign-in did not begin here"
    advice = "Open Qlik Sense by its own link; your sign-in system may let you through without asking."


class SamlInResponseTo(SamlError):
    """The response answers another request than the one this browser was sent with."""

    code, blame = "QGW-244", Blame.BROWSER
    title = "The answer belongs to another sign-in"
    advice = AGAIN


class SamlSubject(SamlError):
    """The subject carries no bearer confirmation."""

    code = "QGW-245"


class SamlConditions(SamlError):
    """The conditions are missing, doubled, contradictory or of an unknown kind."""

    code = "QGW-246"


class SamlTimes(SamlError):
    """Expired, too old, not yet valid, or a time that cannot be read."""

    code = "QGW-247"
    advice = "Try again. If it goes on, give the code and the reference below to your help desk: two clocks may differ."


class SamlNameId(SamlError):
    """The NameID is missing, doubled, encrypted, blank, padded or qualified for another service provider."""

    code, status = "QGW-250", 403


class SamlAttribute(SamlError):
    """An attribute is encrypted, unnamed, or has a value with elements inside."""

    code, status = "QGW-251", 403


class OpinionsDiffer(SamlError):
    """The second engine refuses the response or reads another identity from it. Somebody may be attacking; nobody gets in."""

    code, status = "QGW-252", 403


class MetadataError(ProviderError):
    """The SAML provider's metadata cannot be used."""

    code = "QGW-260"
    title = "Your sign-in system describes itself in a way that cannot be used"


class MetadataMalformed(MetadataError):
    """Too large, not well-formed, with a document type, or not a metadata document."""

    code = "QGW-261"


class MetadataSignature(MetadataError):
    """The signature of the whole document is missing or does not verify with the configured certificate."""

    code = "QGW-262"
    title = "Your sign-in system describes itself in a way that cannot be trusted"


class MetadataEntity(MetadataError):
    """The document describes another entity than the configured one, or describes it twice."""

    code = "QGW-263"
    title = "Your sign-in system describes itself in a way that cannot be trusted"


class MetadataExpired(MetadataError):
    """Past `validUntil`, and no newer document could be had."""

    code = "QGW-264"


class MetadataUnusable(MetadataError):
    """No identity provider role, no signing certificate that may be used, or no https address to send users to."""

    code = "QGW-265"
