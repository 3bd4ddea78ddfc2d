"""Signature wrapping: the signed part stays in the message, and another is put where it might be read."""

from __future__ import annotations

import copy
from typing import Any

from lxml import etree

from gateway.errors import (
    SamlMalformed,
    SamlSignature,
    SamlSignatureMethod,
    SamlStructure,
    SamlUnsigned,
)
from tests.attacks.saml.attack import (
    Attack,
    assertion_of,
    cases,
    check,
    element,
    evil_twin,
    rewritten,
    signature_of,
    tampered,
)
from tests.peers.saml_forge import DS, NS, A, P, encrypt, party, sign, signed


def around_the_response(root: Any) -> Any:
    evil = copy.deepcopy(root)
    evil.set("ID", "_evil")
    next(evil.iter(f"{{{A}}}NameID")).text = "mallory@example.com"
    signature_of(evil).append(root)
    return evil


def beside_the_response(root: Any) -> Any:
    evil = copy.deepcopy(root)
    evil.set("ID", "_evil")
    next(evil.iter(f"{{{A}}}NameID")).text = "mallory@example.com"
    original = copy.deepcopy(root)
    original.remove(signature_of(original))
    signature_of(evil).addprevious(original)
    return evil


def in_extensions_of_the_response(root: Any) -> Any:
    evil = copy.deepcopy(root)
    evil.set("ID", "_evil")
    next(evil.iter(f"{{{A}}}NameID")).text = "mallory@example.com"
    extensions = etree.SubElement(evil, f"{{{P}}}Extensions")
    evil.insert(2, extensions)
    extensions.append(copy.deepcopy(root))
    return evil


def before_the_original(root: Any) -> None:
    assertion_of(root).addprevious(evil_twin(assertion_of(root)))


def behind_the_original(root: Any) -> None:
    assertion_of(root).addnext(evil_twin(assertion_of(root)))


def original_inside_the_evil(root: Any) -> None:
    original = assertion_of(root)
    evil = evil_twin(original)
    root.replace(original, evil)
    evil.append(original)


def signature_in_the_evil(root: Any) -> None:
    original = assertion_of(root)
    evil = evil_twin(original)
    evil.insert(1, signature_of(original))
    original.addprevious(evil)


def original_in_the_signature_of_the_evil(root: Any) -> None:
    original = assertion_of(root)
    evil = evil_twin(original)
    signature = signature_of(original)
    evil.insert(1, signature)
    root.replace(original, evil)
    signature.append(original)


def evil_in_extensions(root: Any) -> None:
    extensions = etree.Element(f"{{{P}}}Extensions")
    extensions.append(evil_twin(assertion_of(root)))
    root.insert(1, extensions)


def original_in_extensions(root: Any) -> None:
    original = assertion_of(root)
    root.replace(original, evil_twin(original))
    extensions = etree.Element(f"{{{P}}}Extensions")
    extensions.append(original)
    root.insert(1, extensions)


def original_in_a_signature_object(root: Any) -> None:
    original = assertion_of(root)
    evil = evil_twin(original)
    signature = signature_of(original)
    root.replace(original, evil)
    evil.insert(1, signature)
    etree.SubElement(signature, f"{{{DS}}}Object").append(original)


def twice_the_same_id(root: Any) -> None:
    evil = evil_twin(assertion_of(root), identifier="")
    assertion_of(root).addprevious(evil)


def original_in_status_detail(root: Any) -> None:
    original = assertion_of(root)
    root.replace(original, evil_twin(original))
    etree.SubElement(root.find("samlp:Status", NS), f"{{{P}}}StatusDetail").append(original)


def original_in_advice(root: Any) -> None:
    original = assertion_of(root)
    evil = evil_twin(original)
    root.replace(original, evil)
    etree.SubElement(evil, f"{{{A}}}Advice").append(original)


def original_in_an_attribute_value(root: Any) -> None:
    original = assertion_of(root)
    evil = evil_twin(original)
    root.replace(original, evil)
    next(evil.iter(f"{{{A}}}AttributeValue")).append(original)


def original_in_a_foreign_element(root: Any) -> None:
    original = assertion_of(root)
    root.replace(original, evil_twin(original))
    etree.SubElement(root, "{urn:foreign}Box").append(original)


def signature_moved_to_the_response(root: Any) -> None:
    original = assertion_of(root)
    root.insert(1, signature_of(original))


def signature_moved_to_the_subject(root: Any) -> None:
    assertion_of(root).find("saml:Subject", NS).append(signature_of(assertion_of(root)))


def second_signature(root: Any) -> None:
    signature = signature_of(assertion_of(root))
    signature.addnext(copy.deepcopy(signature))


def decoy(identifier: str) -> Any:
    return lambda root: root.insert(1, element(f'<samlp:Extensions><x {identifier}="_assertion"/></samlp:Extensions>'))


def clear_beside_encrypted() -> Any:
    root = encrypt(signed())
    root.append(evil_twin(assertion_of(signed())))
    return root


def signed_twin_inside_a_signed_response() -> Any:
    root = signed(which="response")
    before_the_original(root)
    return root


def assertion_of_another_name(root: Any) -> Any:
    return etree.tostring(root).replace(b"saml:Assertion", b"saml:assertion")


def response_in_a_wrapper(root: Any) -> Any:
    wrapper = etree.Element("{http://schemas.xmlsoap.org/soap/envelope/}Envelope")
    wrapper.append(root)
    return wrapper


def unsigned_response_around_foreign_signature() -> Any:
    root = signed(which="none")
    notice = element('<saml:Assertion ID="_other" Version="2.0"><saml:Issuer>x</saml:Issuer></saml:Assertion>')
    root.insert(1, notice)
    sign(notice, party("idp"))
    return root


def signature_of_the_assertion_on_the_response() -> Any:
    """The Response's signature names the assertion instead of the Response."""
    root = signed(which="none")
    sign(root, party("idp"), uri="#_assertion")
    next(root.iter(f"{{{A}}}NameID")).text = "mallory@example.com"
    return root


ATTACKS = [
    Attack("wrapping 1: the signed Response inside the evil one's signature", SamlStructure, tampered(around_the_response, "response")),
    Attack("wrapping 2: the signed Response beside the evil one's signature", SamlStructure, tampered(beside_the_response, "response")),
    Attack(
        "wrapping 2b: the signed Response in the evil one's extensions", SamlStructure, tampered(in_extensions_of_the_response, "response")
    ),
    Attack("wrapping 3: an evil assertion before the signed one", SamlStructure, tampered(before_the_original)),
    Attack("wrapping 3b: an evil assertion behind the signed one", SamlStructure, tampered(behind_the_original)),
    Attack("wrapping 4: the signed assertion inside the evil one", SamlStructure, tampered(original_inside_the_evil)),
    Attack("wrapping 5: the signature in the evil assertion, the signed one behind", SamlStructure, tampered(signature_in_the_evil)),
    Attack("wrapping 6: the signed assertion in the evil one's signature", SamlStructure, tampered(original_in_the_signature_of_the_evil)),
    Attack("wrapping 7: the evil assertion in extensions", SamlStructure, tampered(evil_in_extensions)),
    Attack("wrapping 7b: the signed assertion in extensions", SamlStructure, tampered(original_in_extensions)),
    Attack("wrapping 8: the signed assertion in a ds:Object", SamlStructure, tampered(original_in_a_signature_object)),
    Attack("wrapping 9: two assertions with one ID", SamlStructure, tampered(twice_the_same_id)),
    Attack("wrapping 10: the signed assertion in StatusDetail", SamlStructure, tampered(original_in_status_detail)),
    Attack("wrapping 11: a decoy with xml:id", SamlStructure, tampered(decoy("xml:id"))),
    Attack("wrapping 12: a clear assertion beside the encrypted one", SamlStructure, clear_beside_encrypted),
    Attack("wrapping 13: a decoy of no namespace with the same ID", SamlStructure, tampered(decoy("ID"))),
    Attack("a decoy with the same Id", SamlStructure, tampered(decoy("Id"))),
    Attack("a decoy with the same id", SamlStructure, tampered(decoy("id"))),
    Attack("the signed assertion in Advice", SamlStructure, tampered(original_in_advice)),
    Attack("the signed assertion in an attribute value", SamlStructure, tampered(original_in_an_attribute_value)),
    Attack("the signed assertion in a foreign element", SamlStructure, tampered(original_in_a_foreign_element)),
    Attack("an evil assertion in a signed Response", SamlStructure, signed_twin_inside_a_signed_response),
    Attack("an evil assertion where both are signed", SamlStructure, tampered(before_the_original, "both")),
    Attack("the signature of another assertion", SamlStructure, unsigned_response_around_foreign_signature),
    Attack("the assertion's signature as the Response's", SamlSignatureMethod, tampered(signature_moved_to_the_response)),
    Attack("a Response's signature that covers the assertion only", SamlSignatureMethod, signature_of_the_assertion_on_the_response),
    Attack("the assertion's signature in the subject", SamlStructure, tampered(signature_moved_to_the_subject)),
    Attack("two signatures of one assertion", SamlStructure, tampered(second_signature)),
    Attack("an assertion of another name", SamlStructure, tampered(assertion_of_another_name)),
    Attack("a Response in a SOAP envelope", SamlMalformed, tampered(response_in_a_wrapper)),
    Attack("the assertion alone, without a Response", SamlMalformed, tampered(assertion_of)),
    Attack("no assertion at all", SamlStructure, tampered(lambda root: root.remove(assertion_of(root)))),
    Attack("the assertion under another ID than was signed", SamlSignatureMethod, rewritten(('ID="_assertion"', 'ID="_other"'))),
    Attack("assertion and reference renamed alike", SamlSignature, rewritten(("_assertion", "_other"))),
    Attack("the signature removed", SamlUnsigned, tampered(lambda root: assertion_of(root).remove(signature_of(assertion_of(root))))),
    Attack("the Response's signature removed", SamlUnsigned, tampered(lambda root: root.remove(signature_of(root)), "response")),
    Attack("never signed", SamlUnsigned, tampered(lambda _root: None, "none")),
]


@cases(ATTACKS)
def test_a_wrapped_or_unsigned_assertion_is_refused(attack: Attack) -> None:
    check(attack)
