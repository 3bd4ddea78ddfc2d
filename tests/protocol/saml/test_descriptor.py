from __future__ import annotations

from typing import Any

import pytest
import xmlsec
from lxml import etree

from gateway.errors import ConfigError
from gateway.protocol.saml import metadata_document
from tests.peers.saml_forge import ACS, SP, party, us
from tests.peers.saml_metadata import M

NS = {"md": M, "ds": "http://www.w3.org/2000/09/xmldsig#"}
SCHEMAS = __import__("onelogin.saml2", fromlist=["x"]).__path__[0] + "/schemas/"
SCHEMA = etree.XMLSchema(etree.parse(SCHEMAS + "saml-schema-metadata-2.0.xsd"))


def ours(*, signed: bool = False, **changes: Any) -> Any:
    document = etree.fromstring(metadata_document(us(**changes), signed=signed))
    assert SCHEMA.validate(document), SCHEMA.error_log
    return document


def certificates(document: Any, use: str) -> list[str]:
    return [one.text for one in document.iterfind(f".//md:KeyDescriptor[@use='{use}']//ds:X509Certificate", NS)]


def test_it_says_who_we_are_and_where_answers_go() -> None:
    document = ours()
    assert document.get("entityID") == SP
    service = document.find("md:SPSSODescriptor/md:AssertionConsumerService", NS)
    assert service.get("Location") == ACS
    assert service.get("Binding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    role = document.find("md:SPSSODescriptor", NS)
    assert role.get("AuthnRequestsSigned") == "false"
    assert role.get("WantAssertionsSigned") == "true"


def test_an_encryption_key_is_published_only_where_encryption_is_offered() -> None:
    assert certificates(ours(), "encryption") == []
    assert certificates(ours(offer_encryption=True), "encryption") == [party("sp").trusted.base64]
    methods = [one.get("Algorithm") for one in ours(offer_encryption=True).iterfind(".//md:EncryptionMethod", NS)]
    assert methods[0].endswith("aes256-gcm")
    assert not any("cbc" in method for method in methods)


def test_an_elliptic_key_is_never_offered_for_encryption() -> None:
    assert certificates(ours(offer_encryption=True, keys=(party("sp-ec", curve="P-256").pair,)), "encryption") == []


def test_during_a_rollover_both_certificates_are_there() -> None:
    document = ours(next_certificate=party("sp-next").trusted, offer_encryption=True, sign_requests=True)
    assert certificates(document, "signing") == [party("sp").trusted.base64, party("sp-next").trusted.base64]
    assert certificates(document, "encryption") == [party("sp").trusted.base64]
    assert document.find("md:SPSSODescriptor", NS).get("AuthnRequestsSigned") == "true"


def test_without_a_key_there_is_none() -> None:
    assert ours(keys=()).find(".//md:KeyDescriptor", NS) is None


def test_a_name_id_format_is_there_when_configured() -> None:
    assert ours().find(".//md:NameIDFormat", NS) is None
    assert ours(name_id_format="urn:a<b").find(".//md:NameIDFormat", NS).text == "urn:a<b"


def test_it_is_signed_on_demand_so_that_another_library_verifies_it() -> None:
    document = ours(signed=True)
    xmlsec.tree.add_ids(document, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(party("sp").certificate_pem, xmlsec.KeyFormat.CERT_PEM, None)
    context.verify(document.find("ds:Signature", NS))


def test_it_cannot_be_signed_without_a_key() -> None:
    with pytest.raises(ConfigError):
        ours(signed=True, keys=())
