"""A named pipe stands in for every file that a message could name: opening it for reading would wake up the test."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway.errors import GatewayError
from gateway.idp.second_opinion import Python3Saml
from gateway.protocol.saml import verify_metadata, verify_response
from tests.attacks.saml.attack import assertion_of, element, reference_of
from tests.fakes import NOON
from tests.peers.saml_forge import DS, IDP, SENT, XENC, encrypt, party, post, sign, signed, them, us


class Trap:
    """A pipe with a writer that waits until somebody opens it for reading."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._opened = threading.Event()
        self._writer = threading.Thread(target=self._wait, daemon=True)
        self._writer.start()

    def _wait(self) -> None:
        os.close(os.open(self.path, os.O_WRONLY))
        self._opened.set()

    def sprung(self) -> bool:
        """Whether the pipe was opened before now; then the writer is let go."""
        before = self._opened.is_set()
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._writer.join(5)
        os.close(reader)
        return before


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path / "pipe")


def test_the_trap_notices_a_reader(trap: Trap) -> None:
    reader = os.open(trap.path, os.O_RDONLY)
    trap._writer.join(5)
    os.close(reader)
    assert trap._opened.is_set()


def reference(root: Any, uri: str) -> None:
    reference_of(root).set("URI", uri)


def second_reference(root: Any, uri: str) -> None:
    reference_of(root).addnext(element(f'<ds:Reference URI="{uri}"><ds:DigestMethod Algorithm="x"/><ds:DigestValue/></ds:Reference>'))


def manifest(root: Any, uri: str) -> None:
    next(root.iter(f"{{{DS}}}Signature")).append(element(f'<ds:Object><ds:Manifest><ds:Reference URI="{uri}"/></ds:Manifest></ds:Object>'))


def retrieval(root: Any, uri: str) -> None:
    info = next(root.iter(f"{{{DS}}}KeyInfo"))
    info.insert(0, element(f'<ds:RetrievalMethod URI="{uri}" Type="{DS}X509Data"/>'))


def every_algorithm(root: Any, uri: str) -> None:
    for one in root.iter():
        if one.get("Algorithm"):
            one.set("Algorithm", uri)


def every_namespace(root: Any, uri: str) -> Any:
    return etree.fromstring(etree.tostring(root).replace(b"http://www.w3.org/2001/XMLSchema-instance", uri.encode()))


def stylesheet(root: Any, uri: str) -> Any:
    return f'<?xml-stylesheet href="{uri}"?>'.encode() + etree.tostring(root)


def external_entity(root: Any, uri: str) -> Any:
    raw = etree.tostring(root).replace(b">alice@example.com<", b">&pipe;<")
    return f'<!DOCTYPE r [<!ENTITY pipe SYSTEM "{uri}">]>'.encode() + raw


def external_type(root: Any, uri: str) -> Any:
    return f'<!DOCTYPE r SYSTEM "{uri}">'.encode() + etree.tostring(root)


def schema_location(root: Any, uri: str) -> None:
    root.set("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation", f"urn:oasis:names:tc:SAML:2.0:assertion {uri}")


def schema_location_signed(_root: Any, uri: str) -> Any:
    fresh = signed(which="none")
    schema_location(assertion_of(fresh), uri)
    sign(assertion_of(fresh), party("idp"))
    return fresh


def inclusion(root: Any, uri: str) -> None:
    root.append(element(f'<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{uri}"/>'))


def base(root: Any, uri: str) -> None:
    root.set("{http://www.w3.org/XML/1998/namespace}base", uri)


def cipher_reference(root: Any, uri: str) -> Any:
    sealed = encrypt(root)
    for data in list(sealed.iter(f"{{{XENC}}}CipherData")):
        data.remove(data[0])
        data.append(element(f'<xenc:CipherReference URI="{uri}"/>'))
    return sealed


def key_retrieval(root: Any, uri: str) -> Any:
    sealed = encrypt(root)
    next(sealed.iter(f"{{{XENC}}}EncryptedKey")).addprevious(element(f'<ds:RetrievalMethod URI="{uri}"/>'))
    return sealed


def every_address(root: Any, uri: str) -> None:
    for one in root.iter():
        for name, value in one.attrib.items():
            if "://" in value or value.startswith("urn:"):
                one.set(name, uri)


PLANTS: list[Callable[[Any, str], Any]] = [
    reference,
    second_reference,
    manifest,
    retrieval,
    every_algorithm,
    every_namespace,
    stylesheet,
    external_entity,
    external_type,
    schema_location,
    schema_location_signed,
    inclusion,
    base,
    cipher_reference,
    key_retrieval,
    every_address,
]


@pytest.mark.parametrize("plain", [False, True], ids=["file URI", "plain path"])
@pytest.mark.parametrize("which", ["assertion", "response", "both"])
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_no_file_that_a_message_names_is_opened(trap: Trap, plant: Callable[[Any, str], Any], which: str, plain: bool) -> None:  # noqa: FBT001
    root = signed(which=which)
    changed = plant(root, str(trap.path) if plain else trap.path.as_uri())
    sp = us(second_opinion=True)
    with suppress(GatewayError):
        message = post(root if changed is None else changed)
        verify_response(message, sp=sp, idp=them(), sent=SENT, now=NOON, second_opinion=Python3Saml(sp, them()))
    assert not trap.sprung()


@pytest.mark.parametrize("plant", [stylesheet, external_type, inclusion, base, schema_location], ids=lambda plant: plant.__name__)
def test_no_file_that_metadata_names_is_opened(trap: Trap, plant: Callable[[Any, str], Any]) -> None:
    root = etree.fromstring(f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{IDP}"/>')
    changed = plant(root, trap.path.as_uri())
    document = root if changed is None else changed
    with suppress(GatewayError):
        verify_metadata(
            document if isinstance(document, bytes) else etree.tostring(document), entity_id=IDP, now=NOON, signing_certificate=None
        )
    assert not trap.sprung()
