"""Metadata decides whom we believe: what is wrapped, swapped, stale or for others must not."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from lxml import etree

from gateway.errors import (
    GatewayError,
    MetadataEntity,
    MetadataExpired,
    MetadataMalformed,
    MetadataSignature,
    MetadataUnusable,
)
from gateway.protocol.saml import MAX_METADATA, verify_metadata
from tests.fakes import NOON
from tests.peers.saml_forge import DS, IDP, party
from tests.peers.saml_metadata import POST, REDIRECT, SSO, M, entity, feed, key, raw, signed_metadata

EVIL_KEY = key(party("mallory").trusted.base64)


@dataclass(frozen=True)
class Bad:
    """A document, and the code that it must end with. `signed`: a signing certificate is configured."""

    name: str
    code: type[GatewayError]
    document: Callable[[], Any]
    signed: bool = False


def text(**changes: Any) -> Callable[[], str]:
    return lambda: entity(**changes)


def at(address: str) -> Callable[[], str]:
    return lambda: entity(addresses=((REDIRECT, address),))


def tampered(change: Callable[[Any], Any]) -> Callable[[], Any]:
    def forge() -> Any:
        root = etree.fromstring(etree.tostring(signed_metadata(entity())))
        changed = change(root)
        return root if changed is None else changed

    return forge


def wrapped_in_a_feed(root: Any) -> Any:
    outer = etree.fromstring(feed(entity(keys=EVIL_KEY, identifier="_evil")))
    outer.append(root)
    return outer


def evil_root_with_the_signature(root: Any) -> Any:
    evil = etree.fromstring(entity(keys=EVIL_KEY, identifier="_evil"))
    signature = root.find(f"{{{DS}}}Signature")
    extensions = etree.SubElement(evil, f"{{{M}}}Extensions")
    evil.insert(0, copy.deepcopy(signature))
    extensions.append(root)
    return evil


def evil_root_of_the_same_id(root: Any) -> Any:
    evil = etree.fromstring(entity(keys=EVIL_KEY))
    evil.insert(0, root.find(f"{{{DS}}}Signature"))
    return evil


def another_key(root: Any) -> None:
    next(root.iter(f"{{{M}}}KeyDescriptor")).find(".//{*}X509Certificate").text = party("mallory").trusted_base64


def another_address(root: Any) -> bytes:
    return etree.tostring(root).replace(b"/sso", b"/ssO")


def two_signatures(root: Any) -> None:
    root.insert(0, copy.deepcopy(root[0]))


def stripped(root: Any) -> None:
    root.remove(root.find(f"{{{DS}}}Signature"))


CPU_LIMIT = 0.25
BAD = [
    Bad("nothing", MetadataMalformed, lambda: b""),
    Bad("a web page", MetadataMalformed, lambda: b"<!DOCTYPE html><html></html>"),
    Bad("an external entity", MetadataMalformed, lambda: '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + entity(before="&e;")),
    Bad("no metadata", MetadataMalformed, lambda: "<html/>"),
    Bad("metadata that breaks off", MetadataMalformed, lambda: entity()[:-30]),
    Bad("too large", MetadataMalformed, lambda: entity() + " " * MAX_METADATA),
    Bad("too many elements", MetadataMalformed, lambda: feed("<x/>" * 60_001)),
    Bad("too deep", MetadataMalformed, text(before="<x>" * 50 + "</x>" * 50)),
    Bad("a validUntil that cannot be read", MetadataMalformed, text(attributes=' validUntil="tomorrow"')),
    Bad("a cacheDuration that cannot be read", MetadataMalformed, text(attributes=' cacheDuration="long"')),
    Bad("an element inside a certificate", MetadataMalformed, text(keys=key("<x/>"))),
    Bad("another entity", MetadataEntity, text(entity_id="https://evil.example.com")),
    Bad("an entity that begins like ours", MetadataEntity, text(entity_id=IDP + "/x")),
    Bad("an entity in another case", MetadataEntity, text(entity_id=IDP.upper())),
    Bad("an empty feed", MetadataEntity, feed),
    Bad("our entity twice", MetadataEntity, lambda: feed(entity(), entity(identifier="_twin", keys=EVIL_KEY))),
    Bad("expired", MetadataExpired, text(attributes=' validUntil="2026-03-02T12:00:00Z"')),
    Bad("a feed that is expired", MetadataExpired, lambda: feed(entity(), attributes=' validUntil="2026-03-01T12:00:00Z"')),
    Bad("a service provider", MetadataUnusable, lambda: entity().replace("IDPSSODescriptor", "SPSSODescriptor")),
    Bad("an identity provider of SAML 1.1", MetadataUnusable, text(protocols="urn:oasis:names:tc:SAML:1.1:protocol")),
    Bad("no certificate", MetadataUnusable, text(keys="")),
    Bad("an encryption certificate only", MetadataUnusable, text(keys=key(party("idp").trusted.base64, "encryption"))),
    Bad("a weak certificate only", MetadataUnusable, text(keys=key(party("weak", bits=1024).trusted_base64))),
    Bad("no address", MetadataUnusable, text(addresses=())),
    Bad("an address for SOAP only", MetadataUnusable, text(addresses=(("urn:oasis:names:tc:SAML:2.0:bindings:SOAP", SSO),))),
    Bad("a javascript address", MetadataUnusable, at("javascript:alert(1)//https://x")),
    Bad("a file address", MetadataUnusable, at("file:///etc/hostname")),
    Bad("an http address", MetadataUnusable, at("http://idp.example.com/sso")),
    Bad("http on loopback without leave", MetadataUnusable, at("http://127.0.0.1/sso")),
    Bad("an address with a user", MetadataUnusable, at("https://idp.example.com@evil.example.com/sso")),
    Bad("an address with a fragment", MetadataUnusable, at(SSO + "#x")),
    Bad("an address with a blank", MetadataUnusable, at("https://idp.example.com/ sso")),
    Bad("an address with a line break", MetadataUnusable, at("https://idp.example.com/&#10;sso")),
    Bad("an address outside ASCII", MetadataUnusable, at("https://idp.exämple.com/sso")),
    Bad("an address without a host", MetadataUnusable, at("https:///sso")),
    Bad("an address with a wrong port", MetadataUnusable, at("https://idp.example.com:x/sso")),
    Bad("an address with a broken host", MetadataUnusable, at("https://[::1/sso")),
    Bad("no address but an empty one", MetadataUnusable, text(addresses=((POST, ""),))),
    Bad("unsigned", MetadataSignature, text(), signed=True),
    Bad("the signature stripped", MetadataSignature, tampered(stripped), signed=True),
    Bad("signed by another", MetadataSignature, lambda: signed_metadata(entity(), party("mallory")), signed=True),
    Bad("a key swapped after signing", MetadataSignature, tampered(another_key), signed=True),
    Bad("the address swapped after signing", MetadataSignature, tampered(another_address), signed=True),
    Bad("wrapped: the signed entity in an unsigned feed", MetadataSignature, tampered(wrapped_in_a_feed), signed=True),
    Bad("wrapped: the signed entity inside an evil one", MetadataSignature, tampered(evil_root_with_the_signature), signed=True),
    Bad("wrapped: an evil root of the same ID", MetadataSignature, tampered(evil_root_of_the_same_id), signed=True),
    Bad("two signatures", MetadataSignature, tampered(two_signatures), signed=True),
    Bad("a good signature of another entity", MetadataEntity, lambda: signed_metadata(entity(entity_id="https://other")), signed=True),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_metadata_that_must_not_decide_is_refused(bad: Bad) -> None:
    document = raw(bad.document())
    trusted = party("federation").trusted if bad.signed else None

    def seconds() -> float:
        began = time.thread_time()
        with pytest.raises(GatewayError) as refused:
            verify_metadata(document, entity_id=IDP, now=NOON, signing_certificate=trusted)
        taken = time.thread_time() - began
        assert type(refused.value).code == bad.code.code, refused.value.detail
        return taken

    assert seconds() < CPU_LIMIT or min(seconds() for _ in range(3)) < CPU_LIMIT  # the first run may have been disturbed
