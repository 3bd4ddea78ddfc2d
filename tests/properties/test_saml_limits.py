"""Limits and IDs that are judged by a look at the bytes are judged as by a look at all that there is."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError, SamlTooLarge
from gateway.protocol.saml.xml import _LONG_NAMESPACE, MAX_NAMESPACES, MESSAGE, check_tags, path, read_document, read_identifiers

IDENTIFIERS = [path(f"/descendant::*/@{name}") for name in ("ID", "Id", "id", "xml:id")]
ATTRIBUTES = st.sampled_from(["ID", "Id", "id", "iD", "xml:id", "q:ID", "Method", "d", "AnID", "xmlID"])
EQUALS = st.sampled_from(["=", " =", "= ", "\n=\t", "  ="])
ELEMENTS = st.lists(
    st.tuples(st.lists(st.tuples(ATTRIBUTES, EQUALS), max_size=3, unique_by=lambda pair: pair[0]), st.sampled_from(["", "ID=", "id ="])),
    max_size=4,
)
PIECES = st.lists(
    st.sampled_from(["xmlns", "xmlns:a", "=", ' = "', "'", '"', "<", ">", "u" * 80, "v" * 81, "w" * 160, "x" * 161, " ", "\n"])
    | st.just(' xmlns:b="urn:b"'),
    max_size=24,
)


@settings(max_examples=600, deadline=None, database=None)
@given(ELEMENTS)
def test_every_id_is_found_however_it_is_written(elements: list[tuple[list[tuple[str, str]], str]]) -> None:
    inside, number = "", 0
    for attributes, text in elements:
        written = ""
        for name, equals in attributes:
            number += 1
            written += f' {name}{equals}"v{number}"'
        inside += f"<e{written}>{text}</e>"
    body = f'<root xmlns:q="urn:q">{inside}</root>'.encode()
    with suppress(GatewayError):
        root = read_document(body)
        assert sorted(read_identifiers(root, body)) == sorted(one for find in IDENTIFIERS for one in find(root))


@settings(max_examples=3000, deadline=None, database=None)
@given(PIECES)
def test_namespaces_are_bounded_as_by_a_search_of_the_whole(pieces: list[str]) -> None:
    body = "".join(pieces).encode()
    too_large = max(piece.count(b"xmlns") for piece in body.split(b"<")) > MAX_NAMESPACES or _LONG_NAMESPACE.search(body) is not None
    try:
        check_tags(body, MESSAGE)
    except SamlTooLarge:
        assert too_large
    else:
        assert not too_large
