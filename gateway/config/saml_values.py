"""Texts of a SAML provider's file to values of the core. Every reader raises `Refusal`."""

from __future__ import annotations

from gateway.config.diagnostics import Code
from gateway.config.values import Refusal, did_you_mean
from gateway.errors import MetadataUnusable
from gateway.protocol.saml import PRESETS, check_address

_LONGEST = 1024


def read_entity_id(text: str) -> str:
    """An entity id: a URI of at most 1,024 characters (SAML Core §8.3.6)."""
    if len(text) > _LONGEST or not text.isprintable() or any(character.isspace() for character in text):
        raise Refusal(Code.WRONG_VALUE, "an entity id is a URI of at most 1024 characters, without blanks")
    return text


def read_endpoint(text: str) -> str:
    """An address of the identity provider: https, or http on loopback."""
    try:
        check_address(text, allow_loopback=True)
    except MetadataUnusable:
        insecure = text.startswith("http://")
        message = "this address begins with https://; http:// is for loopback only" if insecure else "this is an https address"
        raise Refusal(Code.INSECURE_URL if insecure else Code.WRONG_VALUE, message) from None
    return text


def read_uri(text: str) -> str:
    """A NameID format or an authentication context: a URI."""
    if ":" not in text or not text.isprintable() or any(character.isspace() for character in text):
        hint = "for instance: urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
        raise Refusal(Code.WRONG_VALUE, "this is a URI without blanks", hint)
    return text


def read_preset(text: str) -> str:
    """The name of a set of short claim names."""
    if text not in PRESETS:
        raise Refusal(Code.WRONG_VALUE, f"there are presets for {', '.join(sorted(PRESETS))}", did_you_mean(text, list(PRESETS)))
    return text
