from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import MetadataMalformed, MetadataUnusable
from gateway.protocol.saml import IdentityProviderMetadata, verify_metadata
from gateway.protocol.saml.metadata import read_duration
from tests.fakes import NOON
from tests.peers.saml_forge import IDP, party
from tests.peers.saml_metadata import POST, REDIRECT, SSO, entity, feed, key, raw, signed_metadata

SOON = "2026-03-03T12:00:00Z"
LATER = "2026-03-09T12:00:00Z"


def read(document: Any, **how: Any) -> IdentityProviderMetadata:
    return verify_metadata(raw(document), **({"entity_id": IDP, "now": NOON, "signing_certificate": None} | how))


def keys_of(described: IdentityProviderMetadata) -> list[Any]:
    return [certificate.key for certificate in described.certificates]


def test_a_plain_description_is_read() -> None:
    described = read(entity())
    assert described.entity_id == IDP
    assert described.sso_redirect == SSO
    assert described.sso_post == SSO + "/post"
    assert keys_of(described) == [party("idp").key.public_key()]
    assert described.valid_until is None
    assert described.cache_for is None
    assert not described.wants_signed_requests


def test_every_signing_certificate_counts_and_no_other() -> None:
    keys = (
        key(party("idp").trusted.base64)
        + key(party("idp-next").trusted.base64, None)
        + key(party("idp-sealing").trusted.base64, "encryption")
        + key(party("weak", bits=1024).trusted_base64)
        + key("not base64 at all")
    )
    assert keys_of(read(entity(keys=keys))) == [party("idp").key.public_key(), party("idp-next").key.public_key()]


def test_comments_and_a_declaration_are_no_matter() -> None:
    inside = "<!-- more --><md:Extensions><x><![CDATA[<a>]]></x></md:Extensions>"
    assert read('<?xml version="1.0"?>\n<!-- made by hand -->' + entity(before=inside)).sso_redirect == SSO


def test_one_of_the_two_addresses_is_enough() -> None:
    assert read(entity(addresses=((POST, SSO),))).sso_redirect is None
    assert read(entity(addresses=((REDIRECT, SSO),))).sso_post is None
    assert read(entity(addresses=(("urn:soap", "https://idp.example.com/soap"), (POST, SSO)))).sso_post == SSO


def test_our_entity_is_found_in_a_feed() -> None:
    other = entity(entity_id="https://other.example.com", identifier="_other", addresses=((POST, "https://other.example.com/sso"),))
    assert read(feed(other, feed(entity()).replace("_feed", "_inner"))).sso_redirect == SSO


def test_the_shortest_time_on_the_way_up_counts() -> None:
    document = feed(
        entity(attributes=f' validUntil="{LATER}" cacheDuration="PT6H"', role_attributes=f' validUntil="{SOON}"'),
        attributes=f' validUntil="{LATER}" cacheDuration="P1D"',
    )
    described = read(document)
    assert described.valid_until == NOON + timedelta(days=1)
    assert described.cache_for == timedelta(hours=6)


def test_a_wish_for_signed_requests_is_told() -> None:
    assert read(entity(role_attributes=' WantAuthnRequestsSigned="true"')).wants_signed_requests


def test_a_signature_of_the_root_is_verified_with_the_configured_certificate() -> None:
    trusted = party("federation").trusted
    assert read(signed_metadata(entity()), signing_certificate=trusted).sso_redirect == SSO
    assert read(signed_metadata(feed(entity())), signing_certificate=trusted).sso_redirect == SSO


def test_http_is_for_loopback_and_by_leave_only() -> None:
    local = entity(addresses=((REDIRECT, "http://127.0.0.1:8102/sso"),))
    assert read(local, allow_loopback=True).sso_redirect == "http://127.0.0.1:8102/sso"
    with pytest.raises(MetadataUnusable):
        read(local)
    with pytest.raises(MetadataUnusable):
        read(entity(addresses=((REDIRECT, "http://idp.example.com/sso"),)), allow_loopback=True)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT6H", timedelta(hours=6)),
        ("P1D", timedelta(days=1)),
        ("P1Y2M3DT4H5M6.7S", timedelta(days=365 + 60 + 3, hours=4, minutes=5, seconds=6)),
        ("PT0S", timedelta()),
        (None, None),
    ],
)
def test_durations_are_read(text: str | None, duration: timedelta | None) -> None:
    assert read_duration(text) == duration


@pytest.mark.parametrize("text", ["", "P", "PT", "-P1D", "6H", "P1H", "P1DT", "1", "P99999Y", "PT1,5S"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(MetadataMalformed):
        read_duration(text)
