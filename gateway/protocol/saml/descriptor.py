"""Our own metadata, as an identity provider's administrator loads it (SAML Metadata §2.4.4)."""

from __future__ import annotations

from html import escape
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.errors import ConfigError
from gateway.protocol.saml import names
from gateway.protocol.saml.keys import Certificate
from gateway.protocol.saml.parameters import ServiceProvider, registration
from gateway.protocol.saml.signing import signed_document

_OFFERED: Final = "".join(f'<md:EncryptionMethod Algorithm="{one}"/>' for one in (names.AES256_GCM, names.AES128_GCM, names.OAEP_SHA1_MASK))


def metadata_document(sp: ServiceProvider, *, signed: bool) -> str:
    """Our EntityDescriptor as XML; the same registration gives the same document. Raises `ConfigError` when it cannot be signed.

    An encryption key is published only where the configuration offers encryption: AD FS encrypts, with AES-CBC, as soon as it
    sees one. During a rollover both certificates stand for signing; for encryption only those whose key we hold.
    """
    identifier = f"_{registration(sp)}"
    start = f'<md:EntityDescriptor xmlns:md="{names.METADATA}" ID="{identifier}" entityID="{escape(sp.entity_id)}">'
    document = (
        f'{start}<md:SPSSODescriptor AuthnRequestsSigned="{str(sp.sign_requests).lower()}" WantAssertionsSigned="true"'
        f' protocolSupportEnumeration="{names.PROTOCOL}">{key_descriptors(sp)}{logout_services(sp)}{name_id_format(sp)}'
        f'<md:AssertionConsumerService Binding="{names.HTTP_POST}" Location="{escape(sp.acs_url)}" index="0" isDefault="true"/>'
        "</md:SPSSODescriptor></md:EntityDescriptor>"
    )
    if not signed:
        return document
    if not sp.keys:
        raise ConfigError("signed metadata without sp.key")
    return signed_document(document, identifier=identifier, after=start, pair=sp.keys[0])


def key_descriptors(sp: ServiceProvider) -> str:
    """Every certificate that we sign with or will sign with; those that may be encrypted to, if any (Metadata §2.4.1.1)."""
    signing = [pair.certificate for pair in sp.keys]
    if sp.next_certificate is not None:
        signing.append(sp.next_certificate)
    encrypting = [pair.certificate for pair in sp.keys if isinstance(pair.key, rsa.RSAPrivateKey)] if sp.offer_encryption else []
    return "".join(key_descriptor("signing", one) for one in signing) + "".join(
        key_descriptor("encryption", one, _OFFERED) for one in encrypting
    )


def key_descriptor(use: str, certificate: Certificate, methods: str = "") -> str:
    """One KeyDescriptor."""
    return (
        f'<md:KeyDescriptor use="{use}"><ds:KeyInfo xmlns:ds="{names.DSIG}"><ds:X509Data><ds:X509Certificate>'
        f"{certificate.base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods}</md:KeyDescriptor>"
    )


def logout_services(sp: ServiceProvider) -> str:
    """By redirect and by POST, where we can sign what we answer (Metadata §2.4.2)."""
    if not sp.logs_out:
        return ""
    location = escape(sp.slo_url or "")
    return "".join(
        f'<md:SingleLogoutService Binding="{binding}" Location="{location}"/>' for binding in (names.HTTP_REDIRECT, names.HTTP_POST)
    )


def name_id_format(sp: ServiceProvider) -> str:
    """Only when one is configured."""
    return "" if sp.name_id_format is None else f"<md:NameIDFormat>{escape(sp.name_id_format)}</md:NameIDFormat>"
