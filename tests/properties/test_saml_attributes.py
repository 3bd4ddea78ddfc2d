"""Values that are asked for at once are those that are found one by one."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.saml import names
from gateway.protocol.saml.attributes import any_texts, plain_texts
from gateway.protocol.saml.xml import read_document

TEXTS = ["a", " b ", "c &amp; d", "&#13;", " ", "\n"]
OTHER = ["", "<saml:NameID>n</saml:NameID>", "t<saml:NameID>n</saml:NameID>u", "<x/>"]
TAGS = st.sampled_from(["AttributeValue"] * 5 + ["NameID"])
VALUES = st.lists(st.tuples(TAGS, st.sampled_from(TEXTS * 2 + OTHER)), max_size=4)


@settings(max_examples=600, deadline=None, database=None)
@given(st.lists(st.tuples(st.sampled_from(["Attribute"] * 4 + ["Other"]), VALUES), max_size=4))
def test_values_asked_for_at_once_are_those_that_are_found_one_by_one(attributes: list[tuple[str, list[tuple[str, str]]]]) -> None:
    inside = "".join(
        f"<saml:{name}>{''.join(f'<saml:{tag}>{value}</saml:{tag}>' for tag, value in values)}</saml:{name}>" for name, values in attributes
    )
    statement: Any = read_document(f'<saml:AttributeStatement xmlns:saml="{names.ASSERTION}">{inside}</saml:AttributeStatement>'.encode())
    plain = plain_texts(statement, sum(map(len, statement)))
    every = [(name, *one) for name, values in attributes for one in values]
    assert (plain is not None) == all(name == "Attribute" and tag == "AttributeValue" and value in TEXTS for name, tag, value in every)
    if plain is not None:
        assert plain == any_texts(statement)
