"""Bytes that parsers trip over, values that readers cut short, and statements that are missing, doubled or of an unknown kind."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from typing import Any

from lxml import etree

from gateway.errors import (
    SamlAttribute,
    SamlAudience,
    SamlConditions,
    SamlIssuer,
    SamlMalformed,
    SamlMarkup,
    SamlNameId,
    SamlSignature,
    SamlSubject,
    SamlTooLarge,
    SignInDenied,
    SignInTooOld,
    SignInTooWeak,
)
from tests.attacks.saml.attack import Attack, assertion_of, cases, check, rewritten, said
from tests.peers.saml_forge import SP, A, Shape, fresh, party, post, sign, signed

DENIED = "urn:oasis:names:tc:SAML:2.0:status:Responder"
NAME = "alice@example.com</saml:NameID>"
MAIL = ">alice@example.com</saml:AttributeValue>"
LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))


MANY_ATTRIBUTES = "<e " + " ".join(f'a{n:x}=""' for n in range(48)) + "/>"


def raw_bytes(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """A good message whose bytes are changed."""
    return lambda: change(etree.tostring(signed()))


def parameter(change: Callable[[str], str]) -> Callable[[], str]:
    """A good message whose base64 is changed."""
    return lambda: change(post(signed()))


def before_the_root(text: str) -> Callable[[], bytes]:
    return raw_bytes(lambda raw: text.encode() + raw)


def in_the_name(before: str, inserted: str, after: str) -> Callable[[], str]:
    """The signed NameID with something in its middle."""
    return rewritten((NAME, f"{before}{inserted}{after}</saml:NameID>"))


def signed_value(xml: str) -> Callable[[], Any]:
    return said(extra_attributes=f'<saml:Attribute Name="role"><saml:AttributeValue>{xml}</saml:AttributeValue></saml:Attribute>')


def restricted(audience: str) -> str:
    return f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>"


def without(name: str) -> Callable[[], Any]:
    """The provider signs an assertion that lacks a part."""

    def forge() -> Any:
        root = signed(which="none")
        part = next(root.iter(f"{{{A}}}{name}"))
        part.getparent().remove(part)
        sign(assertion_of(root), party("idp"))
        return fresh(root)

    return forge


def without_id() -> Any:
    root = signed(which="none")
    del assertion_of(root).attrib["ID"]
    sign(root, party("idp"))
    return root


BYTES = [
    Attack("an empty parameter", SamlMalformed, lambda: "", raw=True),
    Attack("not base64", SamlMalformed, lambda: "<samlp:Response/>", raw=True),
    Attack("base64 for URLs", SamlMalformed, parameter(lambda text: text.replace("P", "-")), raw=True),
    Attack("blanks in the base64", SamlMalformed, parameter(lambda text: text[:40] + " " + text[40:]), raw=True),
    Attack("a character outside ASCII in the base64", SamlMalformed, parameter(lambda text: "ä" + text), raw=True),
    Attack("base64 that breaks off", SamlMalformed, parameter(lambda text: text.rstrip("=")[:-1]), raw=True),
    Attack("text behind the padding", SamlMalformed, lambda: base64.b64encode(b"<a/>").decode() + "AAAA", raw=True),
    Attack("XML that breaks off", SamlMalformed, raw_bytes(lambda raw: raw[:-20])),
    Attack("text behind the root", SamlMalformed, raw_bytes(lambda raw: raw + b"x")),
    Attack("two roots", SamlMalformed, raw_bytes(lambda raw: raw + raw)),
    Attack("text before the root", SamlMalformed, before_the_root("x")),
    Attack("a NUL", SamlMalformed, raw_bytes(lambda raw: raw.replace(b"alice", b"al\0ice"))),
    Attack("bytes that are not UTF-8", SamlMalformed, raw_bytes(lambda raw: raw.replace(b"alice", b"al\xffice"))),
    Attack("an overlong form of <", SamlMalformed, raw_bytes(lambda raw: raw.replace(b"alice", b"al\xc0\xbcice"))),
    Attack("UTF-16", SamlMalformed, raw_bytes(lambda raw: raw.decode().encode("utf-16"))),
    Attack("UTF-16 without a mark", SamlMalformed, raw_bytes(lambda raw: raw.decode().encode("utf-16-le"))),
    Attack("UTF-7 by declaration", SamlMalformed, before_the_root('<?xml version="1.0" encoding="UTF-7"?>')),
    Attack("Latin-1 by declaration", SamlMalformed, before_the_root("<?xml version='1.0' encoding='ISO-8859-1'?>")),
    Attack("a control character", SamlMalformed, raw_bytes(lambda raw: raw.replace(b"alice", b"al\x08ice"))),
    Attack("a reference to a control character", SamlMalformed, raw_bytes(lambda raw: raw.replace(b"alice", b"al&#8;ice"))),
    Attack("an undeclared entity", SamlMalformed, raw_bytes(lambda raw: raw.replace(b"alice", b"&alice;"))),
    Attack("an undeclared prefix", SamlMalformed, raw_bytes(lambda raw: raw.replace(b"<saml:Subject>", b"<x:Subject>", 1))),
    Attack("a deflated message", SamlMalformed, raw_bytes(lambda raw: zlib.compress(raw)[2:-4])),
    Attack("a deflate bomb", SamlMalformed, lambda: zlib.compress(b"<" + b" " * 50_000_000)),
    Attack("a document type", SamlMarkup, before_the_root("<!DOCTYPE samlp:Response>")),
    Attack("an external document type", SamlMarkup, before_the_root('<!DOCTYPE r SYSTEM "file:///etc/hostname">')),
    Attack("an external entity", SamlMarkup, before_the_root('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>')),
    Attack("a parameter entity", SamlMarkup, before_the_root('<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]>')),
    Attack("a billion laughs", SamlMarkup, before_the_root(f'<!DOCTYPE r [<!ENTITY l0 "ha">{LAUGHS}]>')),
    Attack("a quadratic entity", SamlMarkup, before_the_root(f'<!DOCTYPE r [<!ENTITY x "{"x" * 50_000}">]>')),
    Attack("a document type behind a declaration", SamlMarkup, before_the_root('<?xml version="1.0"?><!DOCTYPE r>')),
    Attack("a processing instruction", SamlMarkup, before_the_root('<?xml-stylesheet href="file:///etc/hostname"?>')),
    Attack("a comment in the NameID", SamlMarkup, in_the_name("alice@example.com", "<!-- -->", ".evil.example")),
    Attack("a CDATA section in the NameID", SamlMarkup, in_the_name("alice", "<![CDATA[@]]>", "example.com")),
    Attack("a processing instruction in the NameID", SamlMarkup, in_the_name("alice", "<?x?>", "@example.com")),
    Attack("a comment in a value", SamlMarkup, rewritten((MAIL, ">alice<!-- -->@example.com</saml:AttributeValue>"))),
    Attack("a comment in the audience", SamlMarkup, rewritten((f"{SP}</saml:Audience>", f"{SP}<!---->x</saml:Audience>"))),
    Attack("a comment in the signature", SamlMarkup, rewritten(("<ds:SignatureValue>", "<ds:SignatureValue><!-- -->"))),
    Attack("an element in the NameID after signing", SamlSignature, in_the_name("alice@example.com", "<x/>", "")),
]
SIZES = [
    Attack("a message of 10 MB", SamlTooLarge, lambda: "A" * 10_000_000, raw=True),
    Attack("a message just over the limit", SamlTooLarge, raw_bytes(lambda raw: raw + b" " * 262_145)),
    Attack("too many elements", SamlTooLarge, said(extra_attributes='<saml:Attribute Name="x"/>' * 6_001)),
    Attack("too deep", SamlTooLarge, said(extensions="<samlp:Extensions>" + "<x>" * 40 + "</x>" * 40 + "</samlp:Extensions>")),
    Attack("as deep as the parser breaks", SamlMalformed, lambda: b"<a>" * 2_900),
    Attack("many attributes on one element", SamlTooLarge, lambda: "<r " + " ".join(f'a{n:x}=""' for n in range(20_000)) + "/>"),
    Attack("many namespaces on one element", SamlTooLarge, lambda: "<r " + " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(17)) + "/>"),
    Attack("a long namespace", SamlTooLarge, lambda: f"<r xmlns='urn:{'x' * 1_000}'/>"),
    Attack("a long namespace of many short ones", SamlTooLarge, lambda: f"<r xmlns='urn:{'xmlns:x=' * 100}'/>"),
    Attack("a long namespace behind blanks", SamlTooLarge, lambda: f"<r xmlns:p{' ' * 90}= 'urn:{'x' * 1_000}'/>"),
    Attack("a long namespace of a long prefix", SamlTooLarge, lambda: f'<r xmlns:{"p" * 200}="urn:{"x" * 1_000}"/>'),
    Attack("a long name", SamlMalformed, lambda: f"<{'r' * 200_000}/>"),
    Attack("one attribute many times", SamlMalformed, lambda: "<r " + 'a="" ' * 40_000 + "/>"),
    Attack(
        "as much as fits, unsigned",
        SamlMalformed,
        lambda: "<r>" + ("<e " + " ".join(f'a{n:x}=""' for n in range(48)) + "/>") * 700 + "</r>",
    ),
]
STATEMENTS = [
    Attack("the provider refuses", SignInDenied, said(status=DENIED)),
    Attack("an empty status", SignInDenied, said(status="")),
    Attack("a status that begins like success", SignInDenied, said(status="urn:oasis:names:tc:SAML:2.0:status:SuccessOrNot")),
    Attack("no status", SamlMalformed, rewritten(("samlp:Status>", "samlp:Nothing>"))),
    Attack("two status codes", SamlMalformed, rewritten(("</samlp:Status>", '<samlp:StatusCode Value="x"/></samlp:Status>'))),
    Attack("a Response of another version", SamlMalformed, said(version="1.1")),
    Attack("an assertion of another version", SamlMalformed, said(assertion_version="1.1")),
    Attack("a Response without an ID", SamlMalformed, rewritten((' ID="_response"', ""))),
    Attack("an assertion without an ID", SamlMalformed, without_id),
    Attack("an empty issuer", SamlIssuer, said(issuer="")),
    Attack("no issuer", SamlIssuer, lambda: signed(Shape(issuer=None), position=0)),
    Attack("another issuer", SamlIssuer, said(issuer="https://evil.example.com/metadata")),
    Attack("an issuer that begins like the right one", SamlIssuer, said(issuer="https://idp.example.com/metadata2")),
    Attack("an issuer in another case", SamlIssuer, said(issuer="https://IDP.example.com/metadata")),
    Attack("two issuers", SamlIssuer, said(issuer="https://idp.example.com/metadata</saml:Issuer><saml:Issuer>x")),
    Attack("an element in the issuer", SamlIssuer, said(issuer="https://idp.example.com/metadata<x/>")),
    Attack("another issuer of the Response", SamlIssuer, said(response_issuer="https://evil.example.com/metadata")),
    Attack("an empty issuer of the Response", SamlIssuer, said(response_issuer="")),
    Attack("two subjects", SamlSubject, said(name_id_element="</saml:Subject><saml:Subject>")),
    Attack("no subject", SamlSubject, without("Subject")),
    Attack("no bearer confirmation", SamlSubject, said(method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")),
    Attack("a holder-of-key confirmation", SamlSubject, said(method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")),
    Attack("no NameID", SamlNameId, said(name_id_element="")),
    Attack("an empty NameID", SamlNameId, said(name_id="")),
    Attack("a blank NameID", SamlNameId, said(name_id="  ")),
    Attack("a padded NameID", SamlNameId, said(name_id="alice@example.com ")),
    Attack("a NameID with a no-break space at its end", SamlNameId, said(name_id="alice@example.com\u00a0")),
    Attack("two NameIDs", SamlNameId, said(name_id="alice</saml:NameID><saml:NameID>root")),
    Attack("a signed element inside the NameID", SamlNameId, said(name_id="root<x/>.evil.example")),
    Attack("an encrypted NameID", SamlNameId, said(name_id_element="<saml:EncryptedID/>")),
    Attack("a NameID qualified for another service provider", SamlNameId, said(name_id_attributes='SPNameQualifier="https://other"')),
    Attack("no conditions", SamlConditions, without("Conditions")),
    Attack("two conditions", SamlConditions, said(extra_conditions="</saml:Conditions><saml:Conditions>")),
    Attack("an unknown condition", SamlConditions, said(extra_conditions='<saml:Condition xmlns:x="urn:x"/>')),
    Attack("a condition of another namespace", SamlConditions, said(extra_conditions='<x:Only xmlns:x="urn:x"/>')),
    Attack("no audience restriction", SamlAudience, said(audience="")),
    Attack("an empty audience restriction", SamlAudience, said(audience="<saml:AudienceRestriction/>")),
    Attack("another audience", SamlAudience, said(audience=restricted("https://other"))),
    Attack("two restrictions, one without us", SamlAudience, said(audience=restricted(SP) + restricted("https://other"))),
    Attack("an audience that begins like us", SamlAudience, said(audience=restricted(SP + "/x"))),
    Attack("an element in the audience", SamlAudience, said(audience=restricted(SP + "<x/>"))),
    Attack("no sign-in statement", SamlMalformed, without("AuthnStatement")),
    Attack(
        "another method of sign-in than was asked for", SignInTooWeak, said(), sp={"authn_contexts": ("urn:mfa",), "second_opinion": False}
    ),
    Attack(
        "an old sign-in where a fresh one was asked for",
        SignInTooOld,
        said(signed_in=-120),
        sp={"force_authn": True, "second_opinion": False},
    ),
    Attack("an element inside a value", SamlAttribute, signed_value("Root<x/>Admin")),
    Attack("a NameID with text around it inside a value", SamlAttribute, signed_value("a<saml:NameID>b</saml:NameID>")),
    Attack("two NameIDs inside a value", SamlAttribute, signed_value("<saml:NameID>a</saml:NameID><saml:NameID>b</saml:NameID>")),
    Attack("an encrypted attribute", SamlAttribute, said(extra_attributes="<saml:EncryptedAttribute/>")),
    Attack("an attribute without a Name", SamlAttribute, said(extra_attributes="<saml:Attribute/>")),
    Attack("something else than a value", SamlAttribute, said(extra_attributes='<saml:Attribute Name="x"><saml:Other/></saml:Attribute>')),
]


@cases(BYTES)
def test_bytes_that_parsers_differ_on_are_refused(attack: Attack) -> None:
    check(attack)


@cases(SIZES)
def test_what_is_too_much_is_refused(attack: Attack) -> None:
    check(attack)


@cases(STATEMENTS)
def test_a_signed_message_that_says_the_wrong_thing_is_refused(attack: Attack) -> None:
    check(attack)
