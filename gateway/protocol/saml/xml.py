"""The typed wall around lxml: bytes to a tree within limits, a tree to canonical bytes, and nothing else.

Limits come first, most of them before the parser sees a byte. The parser resolves no entity, loads no DTD, opens no file
and no connection. The limits are chosen by what the steps behind the parser cost: canonicalisation sorts attributes by
insertion and looks prefixes up along all ancestors, so attributes, namespace declarations and depth are bounded for each
element, not only as a total.

This module knows XML, not SAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Protocol, cast

from lxml import etree

from gateway.errors import GatewayError, SamlMalformed, SamlMarkup, SamlSignature, SamlStructure, SamlTooLarge

MAX_DEPTH: Final = 24
MAX_ATTRIBUTES: Final = 48
MAX_NAMESPACES: Final = 16
MAX_NAMESPACE: Final = 160
BLANKS: Final = " \t\r\n"

_SHORTEST_TAG: Final = 3
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*(?:<\?xml[ \t\r\n][^<>?]{0,120}\?>[ \t\r\n]*)?")
_DECLARED_ENCODING = re.compile(rb"encoding[ \t\r\n]*=[ \t\r\n]*[\"']([^\"']*)[\"']")
_LONG_NAMESPACE = re.compile(rb"xmlns[^=<]*+=[ \t\r\n]*+(?:\"[^\"]{%d}|'[^']{%d})" % (MAX_NAMESPACE + 1, MAX_NAMESPACE + 1))
_SHORT_NAMESPACE = re.compile(rb"[^=<]*+=[ \t\r\n]*+(?:\"[^\"]{0,%d}\"|'[^']{0,%d}')" % (MAX_NAMESPACE, MAX_NAMESPACE))  # behind `xmlns`
_LIKE_AN_ID = re.compile(rb"=(?<=(?:[iI][dD]|[^=][ \t\r\n])=)")  # behind a name that ends like one; a search for a literal is quick
_PARSER = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    dtd_validation=False,
    attribute_defaults=False,
    no_network=True,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
    strip_cdata=True,
    collect_ids=False,
)


def path(path: str, **namespaces: str) -> Any:  # noqa: ANN401  lxml has no types
    """A compiled path for plain strings. `//` would stop at every text: `descendant` does not."""
    return etree.XPath(path, namespaces=namespaces, smart_strings=False, regexp=False)


_too_deep = path("boolean(" + "/*" * (MAX_DEPTH + 1) + ")")
_too_many_attributes = path(f"boolean(/descendant::*/@*[{MAX_ATTRIBUTES + 1}])")
_find_id = path("/descendant::*/@ID")
_find_others = tuple(path(f"/descendant::*/@{name}") for name in ("Id", "id", "xml:id"))


class Element(Protocol):
    """What this package uses of an lxml element."""

    text: str | None
    tail: str | None

    @property
    def tag(self) -> str: ...
    @property
    def nsmap(self) -> Mapping[str | None, str]: ...
    def get(self, name: str) -> str | None: ...
    def keys(self) -> list[str]: ...
    def iter(self, *tags: str) -> Iterator[Element]: ...
    def iterchildren(self, *tags: str) -> Iterator[Element]: ...
    def getparent(self) -> Element | None: ...
    def getprevious(self) -> Element | None: ...
    def remove(self, child: Element) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Element]: ...
    def __getitem__(self, index: int) -> Element: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a document may be: `size` in bytes; `tags`, opening and closing ones; `forbidden`, markup that it may not hold."""

    size: int
    tags: int
    forbidden: re.Pattern[bytes]


MESSAGE: Final = Limits(size=256 * 1024, tags=6_000, forbidden=re.compile(rb"<[!?]"))
"""A message holds no DTD, comment, CDATA section or processing instruction: no signer leaves one in, for canonical form drops or
expands them. So they are signs of tampering."""


def read_document(raw: bytes, limits: Limits = MESSAGE) -> Element:
    """Parse a whole document. Raises `SamlTooLarge`, `SamlMarkup`, `SamlMalformed`, `SamlStructure` (an ID that occurs twice)."""
    check_size(raw, limits)
    body = cut_prolog(raw)
    check_markup(body, limits)
    check_tags(body, limits)
    root = _parse(body)
    check_tree(root, body)
    return root


def read_fragment(raw: bytes, namespaces: Mapping[str | None, str]) -> Element:
    """Parse one element that stood where `namespaces` were in scope (XML Encryption 1.1 §4.5). Raises like `read_document`."""
    check_size(raw, MESSAGE)
    body = cut_prolog(raw)
    scope = "".join(f' xmlns{":" + prefix if prefix else ""}="{escape(uri)}"' for prefix, uri in namespaces.items())
    frame = read_document(b"<frame" + scope.encode() + b">" + body + b"</frame>")
    if len(frame) != 1 or (frame.text or "").strip(BLANKS) or (frame[0].tail or "").strip(BLANKS):
        raise SamlMalformed("the plaintext is not one element")
    return frame[0]


def read_canonical(canonical: bytes) -> Element:
    """Parse what `canonical_bytes` gave: already within limits. Raises `SamlMalformed`."""
    return _parse(canonical)


def check_size(raw: bytes, limits: Limits) -> None:
    """Raises `SamlTooLarge`."""
    if len(raw) > limits.size:
        raise SamlTooLarge(f"{len(raw)} bytes, limit {limits.size}")


def cut_prolog(raw: bytes) -> bytes:
    """The document without byte order mark and XML declaration: UTF-8, and no NUL. Raises `SamlMalformed`."""
    prolog = _PROLOG.match(raw)
    start = prolog.end() if prolog else 0
    declared = _DECLARED_ENCODING.search(raw, 0, start) if start else None
    if declared and declared[1].lower() not in {b"utf-8", b"utf8"}:
        raise SamlMalformed("declared as another encoding than UTF-8")
    body = raw[start:]
    try:
        body.decode()
    except UnicodeDecodeError:
        raise SamlMalformed("not UTF-8") from None
    if b"\0" in body or not body.startswith(b"<"):
        raise SamlMalformed("not an XML document")
    return body


def check_markup(body: bytes, limits: Limits) -> None:
    """Raises `SamlMarkup` for a document type, an entity and whatever else the document may not hold."""
    if b"!" not in body and b"?" not in body:  # a single byte is found much faster than a pattern
        return
    found = limits.forbidden.search(body)
    if found:
        raise SamlMarkup(f"it holds {found.group().decode()}")


def check_tags(body: bytes, limits: Limits) -> None:
    """Bound the number of tags, and the number and length of namespaces that one tag declares. Raises `SamlTooLarge`.

    A `<` cannot stand in an attribute's value, so each piece between two of them holds one tag at most.
    """
    if len(body) > _SHORTEST_TAG * limits.tags and body.count(b"<") > limits.tags:
        raise SamlTooLarge(f"more than {limits.tags} tags")
    declarations = body.split(b"xmlns")[1:]
    if len(declarations) <= MAX_NAMESPACES and all(map(_SHORT_NAMESPACE.match, declarations)):
        return
    if max([piece.count(b"xmlns") for piece in body.split(b"<")]) > MAX_NAMESPACES:
        raise SamlTooLarge(f"more than {MAX_NAMESPACES} namespaces on one element")
    if _LONG_NAMESPACE.search(body):
        raise SamlTooLarge(f"a namespace of more than {MAX_NAMESPACE} bytes")


def check_tree(root: Element, body: bytes) -> None:
    """Bound depth and attributes; every ID once (SAML Core §1.3.4). Raises `SamlTooLarge`, `SamlStructure`. It was parsed from `body`."""
    if _too_deep(root):
        raise SamlTooLarge(f"deeper than {MAX_DEPTH} levels")
    if _too_many_attributes(root):
        raise SamlTooLarge(f"more than {MAX_ATTRIBUTES} attributes on one element")
    identifiers = read_identifiers(root, body)
    if len(set(identifiers)) != len(identifiers):
        raise SamlStructure("an ID occurs twice")


def read_identifiers(root: Element, body: bytes) -> list[str]:
    """Every ID, Id, id and xml:id. Where only as many names as there are IDs end like one, none of the others has to be looked for."""
    found: list[str] = _find_id(root)
    if len(_LIKE_AN_ID.findall(body)) != len(found):
        found.extend([identifier for find in _find_others for identifier in find(root)])
    return found


def canonical_bytes(element: Element, prefixes: Sequence[str]) -> bytes:
    """Exclusive canonical form without comments (RFC 3741). Raises `SamlSignature` where there is none, e.g. a relative namespace."""
    try:
        form = etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=list(prefixes) if prefixes else None
        )
    except etree.LxmlError as error:
        raise SamlSignature(f"no canonical form: {str(error)[:80]}") from None
    if not form:  # pragma: no cover - no known input gives it, but nothing must never have a digest
        raise SamlSignature("the canonical form is empty")
    return cast("bytes", form)


def serialized(element: Element) -> bytes:
    """The element as it stands, with every namespace that is in scope. UTF-8, no declaration, no tail."""
    return cast("str", etree.tostring(element, encoding="unicode", with_tail=False)).encode()


def children(parent: Iterable[Element], tag: str) -> list[Element]:
    """Those of that name among the children of an element, or in a list of them. For few it is quicker than `iterchildren`."""
    return [child for child in parent if child.tag == tag]


def detach(child: Element, parent: Element) -> None:
    """Remove an element from its parent; the text behind it stays (lxml would take it along)."""
    tail, previous = child.tail, child.getprevious()
    if tail and previous is not None:
        previous.tail = (previous.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail
    parent.remove(child)


def leaf_text(element: Element, error: type[GatewayError] = SamlMalformed) -> str:
    """The whole text of an element that has no elements inside; a text is never cut short at a child. Raises `error`."""
    if len(element):
        raise error(f"an element inside {local_name(element)}")
    return element.text or ""


def local_name(element: Element) -> str:
    """The tag without its namespace, for log texts."""
    return element.tag.rpartition("}")[2][:80]


def _parse(body: bytes) -> Element:
    try:
        root = etree.fromstring(body, _PARSER)
    except etree.XMLSyntaxError as error:
        raise SamlMalformed(f"not well-formed: {str(error)[:120]}") from None
    if root.getroottree().docinfo.internalDTD is not None:  # pragma: no cover - no DTD passes `check_markup`
        raise SamlMarkup("document type declaration")
    return cast("Element", root)
