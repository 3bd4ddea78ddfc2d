"""Signatures that must not count: foreign keys, weak or confused algorithms, transforms and references that are not on the list."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import xmlsec
from lxml import etree

from gateway.errors import SamlSignature, SamlSignatureMethod, SamlStructure
from tests.attacks.saml.attack import (
    Attack,
    assertion_of,
    cases,
    check,
    element,
    reference_of,
    rewritten,
    signature_of,
    tampered,
)
from tests.peers.saml_forge import DS, NS, A, Shape, party, sign, signed, them

T = xmlsec.Transform
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
STYLESHEET = (
    '<x:stylesheet xmlns:x="http://www.w3.org/1999/XSL/Transform" version="1.0"><x:template match="/">'
    "<x:copy-of select=\"document('file:///')\"/></x:template></x:stylesheet>"
)
XPATH_BOMB = "<ds:XPath>count(//@*[count(//@*[count(//@*) &lt; 0]) &lt; 0]) &gt; 0</ds:XPath>"


def by(name: str, **how: Any) -> Callable[[], Any]:
    return lambda: signed(by=party(name, **how))


def with_the_providers_certificate() -> Any:
    root = signed(by=party("mallory"))
    next(root.iter(f"{{{DS}}}X509Certificate")).text = party("idp").trusted.base64
    return root


def with_its_own_key_value() -> Any:
    root = signed(by=party("mallory"))
    info = next(root.iter(f"{{{DS}}}KeyInfo"))
    info.clear()
    info.append(
        element("<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>")
    )
    return root


def by_hmac(secret: bytes, method: Any) -> Callable[[], Any]:
    """The provider's public certificate as a shared secret."""
    return lambda: signed(method=method, key=xmlsec.Key.from_binary_data(xmlsec.KeyData.HMAC, secret), key_info=False)


def algorithm(place: str, uri: str | None) -> Callable[[], Any]:
    """Another `Algorithm` in the first element of that name."""

    def change(root: Any) -> None:
        found = next(root.iter(f"{{{DS}}}{place}"))
        del found.attrib["Algorithm"]
        if uri is not None:
            found.set("Algorithm", uri)

    return tampered(change)


def transforms(*algorithms: str, inside: str = "") -> Callable[[], Any]:
    """Another list of transforms; `inside` goes into the last."""

    def change(root: Any) -> None:
        place = next(root.iter(f"{{{DS}}}Transforms"))
        for old in list(place):
            place.remove(old)
        for uri in algorithms:
            etree.SubElement(place, f"{{{DS}}}Transform", Algorithm=uri)
        if inside:
            place[-1].append(element(inside))

    return tampered(change)


def uri(value: str | None) -> Callable[[], Any]:
    def change(root: Any) -> None:
        del reference_of(root).attrib["URI"]
        if value is not None:
            reference_of(root).set("URI", value)

    return tampered(change)


def second_reference(to: str) -> Callable[[], Any]:
    def change(root: Any) -> None:
        second = copy.deepcopy(reference_of(root))
        second.set("URI", to)
        reference_of(root).addnext(second)

    return tampered(change)


def inserted(into: str, xml: str) -> Callable[[], Any]:
    """A piece of XML at the end of the first element of that name."""
    return tampered(lambda root: next(root.iter(f"{{{DS}}}{into}")).append(element(xml)))


def attribute_on(place: str, name: str, value: str) -> Callable[[], Any]:
    return tampered(lambda root: next(root.iter(f"{{{DS}}}{place}")).set(name, value))


def emptied(place: str) -> Callable[[], Any]:
    def change(root: Any) -> None:
        next(root.iter(f"{{{DS}}}{place}")).text = ""

    return tampered(change)


def filtered_by_xpath() -> Any:
    """The provider signs everything but the NameID; then the NameID is changed."""

    def add(reference: Any) -> None:
        node = xmlsec.template.add_transform(reference, T.XPATH)
        path = etree.SubElement(node, f"{{{DS}}}XPath", nsmap={"saml": A})
        path.text = "not(ancestor-or-self::saml:NameID)"

    root = signed(transforms=add)
    next(root.iter(f"{{{A}}}NameID")).text = "mallory@example.com"
    return root


def with_relative_namespace(root: Any) -> None:
    """Content that has no canonical form."""
    next(root.iter(f"{{{A}}}AttributeValue")).append(element('<x xmlns:r="relative"/>'))


def void_canonical_form() -> Any:
    """An engine that takes the failure for an empty form would check the digest of nothing."""
    root = signed()
    with_relative_namespace(root)
    next(root.iter(f"{{{DS}}}DigestValue")).text = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    return root


def void_signed_info() -> Any:
    text = etree.tostring(signed(), encoding="unicode")
    return text.replace("<ds:SignedInfo>", '<ds:SignedInfo xmlns:r="relative">')


def signed_value_of_another_message() -> Any:
    """SignedInfo and value of one message over the content of another."""
    root, other = signed(Shape(name_id="mallory@example.com"), by=party("mallory")), signed()
    assertion_of(root).replace(signature_of(assertion_of(root)), signature_of(assertion_of(other)))
    return root


def own_digest_under_the_providers_value() -> Any:
    root, other = signed(Shape(name_id="mallory@example.com"), by=party("mallory")), signed()
    next(root.iter(f"{{{DS}}}SignatureValue")).text = next(other.iter(f"{{{DS}}}SignatureValue")).text
    return root


def without_parts(root: Any) -> None:
    signature = signature_of(assertion_of(root))
    for part in list(signature):
        signature.remove(part)


def with_another_attribute(root: Any) -> None:
    assertion_of(root).find("saml:AttributeStatement", NS).append(element('<saml:Attribute Name="admin"/>'))


def with_a_filter_in_the_first_transform(root: Any) -> None:
    next(root.iter(f"{{{DS}}}Transform")).append(element("<ds:XPath>1</ds:XPath>"))


def unreferenced_first_signature() -> Any:
    """A good assertion signature under a Response signature of another key."""
    root = signed()
    sign(root, party("mallory"))
    return root


def elliptic_twin() -> Any:
    """An ECDSA signature as DER instead of the two numbers side by side: another length."""
    root = signed(by=party("idp-ec", curve="P-256"), method=T.ECDSA_SHA256)
    value = next(root.iter(f"{{{DS}}}SignatureValue"))
    value.text = "MAYCAQECAQE="
    return root


FOREIGN = [
    Attack("signed by another key", SamlSignature, by("mallory")),
    Attack("another key, the provider's certificate in KeyInfo", SamlSignature, with_the_providers_certificate),
    Attack("another key, its own KeyValue", SamlSignature, with_its_own_key_value),
    Attack("another key of the provider's name", SamlSignature, lambda: signed(by=party("idp", bits=3072))),
    Attack("an RSA signature where the provider has an ECDSA key", SamlSignature, signed, idp=lambda: them(party("idp-ec", curve="P-256"))),
    Attack(
        "an ECDSA signature where the provider has an RSA key",
        SamlSignature,
        lambda: signed(by=party("idp-ec", curve="P-256"), method=T.ECDSA_SHA256),
    ),
    Attack("an ECDSA value of another length", SamlSignature, elliptic_twin, idp=lambda: them(party("idp-ec", curve="P-256"))),
    Attack("HMAC-SHA256 keyed with the certificate in PEM", SamlSignatureMethod, by_hmac(party("idp").certificate_pem, T.HMAC_SHA256)),
    Attack("HMAC-SHA1 keyed with the certificate in PEM", SamlSignatureMethod, by_hmac(party("idp").certificate_pem, T.HMAC_SHA1)),
    Attack(
        "HMAC-SHA512 keyed with the certificate in base64",
        SamlSignatureMethod,
        by_hmac(party("idp").trusted.base64.encode(), T.HMAC_SHA512),
    ),
    Attack("a Response signature of another key over a good assertion", SamlSignature, unreferenced_first_signature),
    Attack("SignedInfo and value of another message", SamlSignature, signed_value_of_another_message),
    Attack("an own SignedInfo under the provider's value", SamlSignature, own_digest_under_the_providers_value),
    Attack(
        "the NameID changed after signing", SamlSignature, rewritten(("alice@example.com</saml:NameID>", "root@example.com</saml:NameID>"))
    ),
    Attack("an attribute added after signing", SamlSignature, tampered(with_another_attribute)),
    Attack("the audience changed in a signed Response", SamlSignature, rewritten(("/corp/metadata<", "/corp/metadatA<"), which="response")),
    Attack(
        "the Destination changed in a signed Response",
        SamlSignature,
        rewritten(('Destination="https:', 'Destination="http:'), which="response"),
    ),
    Attack("no signature value", SamlSignature, emptied("SignatureValue")),
    Attack("no digest value", SamlSignature, emptied("DigestValue")),
    Attack(
        "a signature value that is not base64",
        SamlSignature,
        tampered(lambda root: setattr(next(root.iter(f"{{{DS}}}SignatureValue")), "text", "%%%%")),
    ),
    Attack("a relative namespace in the content, digest of nothing", SamlSignature, void_canonical_form),
    Attack("a relative namespace in the content", SamlSignature, tampered(with_relative_namespace)),
    Attack("a relative namespace in SignedInfo", SamlSignature, void_signed_info),
]
DOWNGRADES = [
    Attack("RSA-SHA1", SamlSignatureMethod, lambda: signed(method=T.RSA_SHA1)),
    Attack("SHA-1 digest under RSA-SHA256", SamlSignatureMethod, lambda: signed(digest=T.SHA1)),
    Attack("ECDSA-SHA1", SamlSignatureMethod, lambda: signed(by=party("idp-ec", curve="P-256"), method=T.ECDSA_SHA1)),
    Attack("DSA-SHA1 by name", SamlSignatureMethod, algorithm("SignatureMethod", DS + "dsa-sha1")),
    Attack("RSA-MD5 by name", SamlSignatureMethod, algorithm("SignatureMethod", MORE + "rsa-md5")),
    Attack("MD5 digest by name", SamlSignatureMethod, algorithm("DigestMethod", MORE + "md5")),
    Attack("HMAC-SHA256 by name", SamlSignatureMethod, algorithm("SignatureMethod", MORE + "hmac-sha256")),
    Attack("an algorithm of nobody", SamlSignatureMethod, algorithm("SignatureMethod", "none")),
    Attack("no signature algorithm", SamlSignatureMethod, algorithm("SignatureMethod", None)),
    Attack("no digest algorithm", SamlSignatureMethod, algorithm("DigestMethod", None)),
    Attack("ECDSA's name over an RSA value", SamlSignature, algorithm("SignatureMethod", MORE + "ecdsa-sha256")),
    Attack(
        "RSA-SHA512's name over an RSA-SHA256 value",
        SamlSignature,
        algorithm("SignatureMethod", MORE + "rsa-sha512"),
    ),
    Attack("a truncated HMAC length", SamlSignatureMethod, inserted("SignatureMethod", "<ds:HMACOutputLength>8</ds:HMACOutputLength>")),
    Attack("inclusive canonicalisation", SamlSignatureMethod, lambda: signed(canonicalization=T.C14N)),
    Attack("canonicalisation 1.1", SamlSignatureMethod, lambda: signed(canonicalization=T.C14N11)),
    Attack("canonicalisation with comments", SamlSignatureMethod, algorithm("CanonicalizationMethod", EXC + "WithComments")),
    Attack("a canonicalisation of nobody", SamlSignatureMethod, algorithm("CanonicalizationMethod", "urn:nothing")),
]
TRANSFORMS = [
    Attack("signed through an XPath filter that leaves out the NameID", SamlSignatureMethod, filtered_by_xpath),
    Attack("an XPath transform of cubic cost", SamlSignatureMethod, transforms(ENVELOPED, XPATH, inside=XPATH_BOMB)),
    Attack("an XPath filter 2.0", SamlSignatureMethod, transforms(ENVELOPED, "http://www.w3.org/2002/06/xmldsig-filter2", EXC)),
    Attack("an XSLT transform", SamlSignatureMethod, transforms(ENVELOPED, XSLT, inside=STYLESHEET)),
    Attack("a base64 transform", SamlSignatureMethod, transforms(ENVELOPED, DS + "base64")),
    Attack("a decryption transform", SamlSignatureMethod, transforms(ENVELOPED, "http://www.w3.org/2002/07/decrypt#XML")),
    Attack("three transforms", SamlSignatureMethod, transforms(ENVELOPED, EXC, EXC)),
    Attack("one transform", SamlSignatureMethod, transforms(EXC)),
    Attack("the enveloped transform alone", SamlSignatureMethod, transforms(ENVELOPED)),
    Attack("the transforms in the other order", SamlSignatureMethod, transforms(EXC, ENVELOPED)),
    Attack("no transforms", SamlSignatureMethod, transforms()),
    Attack("a parameter inside the enveloped transform", SamlSignatureMethod, tampered(with_a_filter_in_the_first_transform)),
    Attack("an unknown parameter of canonicalisation", SamlSignatureMethod, inserted("CanonicalizationMethod", "<ds:XPath>1</ds:XPath>")),
    Attack("a long list of prefixes", SamlSignatureMethod, lambda: signed(prefixes=[f"p{number}" for number in range(9)])),
    Attack("a reference to the whole document", SamlSignatureMethod, uri("")),
    Attack("a reference to nothing", SamlSignatureMethod, uri(None)),
    Attack("a reference to another ID", SamlSignatureMethod, uri("#_response")),
    Attack("a reference by XPointer", SamlSignatureMethod, uri("#xpointer(id('_assertion'))")),
    Attack("a reference to the root by XPointer", SamlSignatureMethod, uri("#xpointer(/)")),
    Attack("a reference to a file", SamlSignatureMethod, uri("file:///etc/hostname")),
    Attack("a reference to a web server", SamlSignatureMethod, uri("http://127.0.0.1:9/x")),
    Attack("a reference without the hash", SamlSignatureMethod, uri("_assertion")),
    Attack("a second reference to the same", SamlSignatureMethod, second_reference("#_assertion")),
    Attack("a second reference to a file", SamlSignatureMethod, second_reference("file:///dev/zero")),
    Attack("a ds:Object with a Manifest", SamlSignatureMethod, inserted("Signature", "<ds:Object><ds:Manifest/></ds:Object>")),
    Attack("two KeyInfos", SamlSignatureMethod, inserted("Signature", "<ds:KeyInfo/>")),
    Attack("an unknown attribute on the reference", SamlSignatureMethod, attribute_on("Reference", "Href", "x")),
    Attack("an unknown attribute on SignedInfo", SamlSignatureMethod, attribute_on("SignedInfo", "{urn:x}a", "x")),
    Attack("an element inside the digest", SamlSignatureMethod, inserted("DigestValue", "<ds:X/>")),
    Attack("an element inside the signature value", SamlSignature, inserted("SignatureValue", "<ds:X/>")),
    Attack("an empty signature", SamlSignatureMethod, tampered(without_parts)),
    Attack("a signature inside KeyInfo", SamlStructure, inserted("KeyInfo", "<ds:Signature/>")),
    Attack("SignedInfo under another name", SamlSignatureMethod, rewritten(("ds:SignedInfo", "ds:signedInfo"))),
]


@cases(FOREIGN)
def test_a_signature_of_another_key_or_over_other_bytes_is_refused(attack: Attack) -> None:
    check(attack)


@cases(DOWNGRADES)
def test_a_weak_or_confused_algorithm_is_refused(attack: Attack) -> None:
    check(attack)


@cases(TRANSFORMS)
def test_a_signature_of_another_shape_is_refused_before_anything_in_it_is_followed(attack: Attack) -> None:
    check(attack)
