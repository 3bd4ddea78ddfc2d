"""Who the assertion speaks of and what it says: NameID, session, attributes. The assertion is proven; its values are still data.

A text is taken whole or the response is refused: a comment or an element inside a value must never cut it short.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from gateway.errors import SamlAttribute, SamlNameId
from gateway.model import Claims, JsonValue
from gateway.noun import noun
from gateway.protocol.saml import names, xml
from gateway.protocol.saml.opinion import Reading
from gateway.protocol.saml.xml import BLANKS, Element

SUBJECT_NAMES: Final = frozenset({names.NAME_ID, names.ENCRYPTED_ID})


@noun
class NameId:
    """The subject's name (SAML Core §2.2.3)."""

    value: str
    format: str | None
    qualifier: str | None
    sp_qualifier: str | None


@noun
class Attribute:
    """One attribute (SAML Core §2.7.3.1), with the values of all elements of its Name."""

    name: str
    friendly_name: str | None
    values: tuple[str, ...]


def read_name_id(subject: Iterable[Element], sp_entity_id: str) -> NameId:
    """The one NameID: not blank, not padded, not another service provider's (SAML Core §2.2.2). Raises `SamlNameId`."""
    found = [child for child in subject if child.tag in SUBJECT_NAMES]
    if len(found) != 1 or found[0].tag != names.NAME_ID:
        raise SamlNameId(f"{len(found)} names of the subject, or an encrypted one")
    name_id = found[0]
    value = xml.leaf_text(name_id, SamlNameId)
    if not value or value != value.strip():
        raise SamlNameId("the NameID is blank or has blanks at its ends")
    if name_id.get("SPNameQualifier") not in {None, "", sp_entity_id}:
        raise SamlNameId("the NameID is qualified for another service provider")
    return NameId(
        value=value,
        format=name_id.get("Format") or None,
        qualifier=name_id.get("NameQualifier") or None,
        sp_qualifier=name_id.get("SPNameQualifier") or None,
    )


_contents_of_values = xml.path("saml:Attribute/saml:AttributeValue/node()", saml=names.ASSERTION)


def read_attributes(content: Iterable[Element]) -> tuple[Attribute, ...]:
    """Every attribute, those of one Name merged in document order. Raises `SamlAttribute`."""
    found: dict[str, Attribute] = {}
    for statement in xml.children(content, names.ATTRIBUTE_STATEMENT):
        elements = [*statement]
        texts = iter(plain_texts(statement, sum(map(len, elements))) or any_texts(elements))
        for element in elements:
            if element.tag != names.ATTRIBUTE:
                raise SamlAttribute(f"{xml.local_name(element)} in the AttributeStatement")
            name = element.get("Name")
            if not name:
                raise SamlAttribute("an attribute without a Name")
            values = tuple(islice(texts, len(element)))
            before = found.get(name)
            found[name] = Attribute(
                name=name,
                friendly_name=element.get("FriendlyName") or (before.friendly_name if before else None),
                values=before.values + values if before else values,
            )
    return tuple(found.values())


def plain_texts(statement: Element, expected: int) -> list[str] | None:
    """What `any_texts` gives, asked for at once; None where not each of the `expected` values is one text: empty, or with elements."""
    contents = _contents_of_values(statement)
    if len(contents) != expected or not {*map(type, contents)} <= {str}:
        return None
    return [one.strip(BLANKS) for one in contents]


def any_texts(attributes: Iterable[Element]) -> list[str]:
    """The values of all of them, in document order. Raises `SamlAttribute`."""
    return [read_value(value) for attribute in attributes for value in attribute]


def read_value(value: Element) -> str:
    """The text of an AttributeValue without blanks at its ends; a value may be a NameID (eduPersonTargetedID). Raises `SamlAttribute`."""
    if value.tag != names.ATTRIBUTE_VALUE:
        raise SamlAttribute(f"{xml.local_name(value)} instead of a value")
    if len(value):
        return _only_name_id(value)
    return (value.text or "").strip(BLANKS)


def _only_name_id(value: Element) -> str:
    if len(value) == 1 and value[0].tag == names.NAME_ID and not ((value.text or "") + (value[0].tail or "")).strip(BLANKS):
        value = value[0]
    return xml.leaf_text(value, SamlAttribute).strip(BLANKS)


def claims_of(attributes: Iterable[Attribute], short_names: Mapping[str, str]) -> Claims:
    """Lists of strings by Name; also by FriendlyName and by the configured short name, where that says one thing only.

    A Name always wins over an alias. An alias of two attributes that differ is left out: it means two things.
    """
    attributes = tuple(attributes)
    claims: dict[str, JsonValue] = {attribute.name: list(attribute.values) for attribute in attributes}
    aliases: dict[str, set[tuple[str, ...]]] = {}
    for attribute in attributes:
        for alias in {attribute.friendly_name, short_names.get(attribute.name)} - {None}:
            aliases.setdefault(alias or "", set()).add(attribute.values)
    for alias, meanings in aliases.items():
        if alias not in claims and len(meanings) == 1:
            claims[alias] = list(next(iter(meanings)))
    return claims


def reading_of(name_id: NameId, attributes: Iterable[Attribute]) -> Reading:
    """What we read, in the form in which two engines are compared: blank values do not count."""
    return Reading(
        name_id=name_id.value,
        name_id_format=name_id.format,
        attributes={
            attribute.name: tuple([trimmed for value in attribute.values if (trimmed := value.strip())]) for attribute in attributes
        },
    )
