"""The quick way to read base64 takes and gives what the standard library does in strict mode."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.protocol.saml.base64 import from_base64

WRITTEN = st.binary(max_size=400).map(lambda data: base64.b64encode(data).decode())
FOREIGN = st.sampled_from([*"-_+/=A \n\té\ud800\0", "==", "A===", "-_-_", "AB=="])


def by_the_book(text: str) -> bytes | None:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None


def as_we_do(text: str) -> bytes | None:
    try:
        return from_base64(text)
    except ValueError:
        return None


@given(st.binary(max_size=5000))
def test_what_was_written_is_read(data: bytes) -> None:
    assert from_base64(base64.b64encode(data).decode()) == data


@given(st.text(alphabet="AQgz09+/=-_ \n", max_size=24))
@example("AB==")
@example("AAAA=")
@example("AAAA====")
@example("=AAA")
@example("AA==AAAA")
def test_any_text_is_judged_as_by_the_book(text: str) -> None:
    assert as_we_do(text) == by_the_book(text)


@given(WRITTEN, FOREIGN, st.integers(0, 600), st.integers(0, 3))
def test_a_text_that_was_tampered_with_is_judged_as_by_the_book(text: str, piece: str, at: int, cut: int) -> None:
    tampered = text[:at] + piece + text[at + cut :]
    assert as_we_do(tampered) == by_the_book(tampered)


@pytest.mark.parametrize("text", ["A-AA", "A_AA", "AA", "AAA", "AB-="])
def test_neither_the_alphabet_of_urls_nor_missing_padding_is_taken(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|padding"):
        from_base64(text)


def test_what_is_refused_is_in_no_message() -> None:
    with pytest.raises(ValueError, match="base64") as caught:
        from_base64("SECRET!!")
    assert "SECR" not in f"{caught.value} {caught.value.__context__}"
