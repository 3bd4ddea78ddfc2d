from __future__ import annotations

import re
from collections import Counter

import pytest

from gateway.config.diagnostics import Code
from gateway.doctor import FindingCode
from gateway.errors import (
    AGAIN,
    TELL_ADMIN,
    TELL_IDP,
    TELL_QLIK,
    AddressRefused,
    Blame,
    GatewayError,
    LoginLoop,
    SamlInResponseTo,
    SamlUnsolicited,
    TargetRefused,
    UnknownNode,
)
from tests.architecture.error_catalogue import DOCUMENT, SERIES, catalogue, errors

each_error = pytest.mark.parametrize("error", errors(), ids=lambda error: error.__name__)

MENDED_BY = {
    "1": Blame.BROWSER,
    "2": Blame.IDP,
    "3": Blame.OPERATOR,
    "4": Blame.QLIK,
    "5": Blame.OPERATOR,
    "6": Blame.OPERATOR,
}
EXCEPTIONS = {
    LoginLoop: Blame.QLIK,  # the user did nothing but follow redirects
    UnknownNode: Blame.OPERATOR,  # the user can only ask for the node to be listed
    AddressRefused: Blame.OPERATOR,  # the provider names an address that our configuration must allow
    TargetRefused: Blame.BROWSER,  # whoever made the link chose the address
    SamlUnsolicited: Blame.BROWSER,  # the user began at the provider
    SamlInResponseTo: Blame.BROWSER,  # the answer to another sign-in, in another tab or of somebody else
}
FITTING = {TELL_ADMIN: Blame.OPERATOR, TELL_IDP: Blame.IDP, TELL_QLIK: Blame.QLIK}


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text("utf-8") == catalogue(), "run: python -m tests.architecture.error_catalogue"


def test_every_code_means_one_thing() -> None:
    codes = Counter(
        [
            *(error.code for error in errors()),
            *(code.value for code in Code),
            *(code.value for code in FindingCode if code.value not in set(Code)),
        ]
    )
    assert [code for code, count in codes.items() if count > 1] == []


@each_error
def test_an_error_says_what_happened_and_what_to_do(error: type[GatewayError]) -> None:
    assert re.fullmatch(r"[A-Z][^\n]*[^.\s]", error.title), "a title is a line without a full stop"
    assert re.fullmatch(r"[A-Z][^\n]*\.", error.advice), "advice is a sentence"
    assert error.__dict__.get("__doc__"), "the meaning stands at the class itself"


@each_error
def test_a_code_stands_in_the_series_of_its_kind(error: type[GatewayError]) -> None:
    assert re.fullmatch(r"QGW-[1-6]\d\d", error.code)
    assert issubclass(error, SERIES[error.code[4]][1])
    assert 400 <= error.status <= 599


@each_error
def test_the_one_who_can_mend_an_error_fits_its_series_and_its_advice(error: type[GatewayError]) -> None:
    assert error.blame is EXCEPTIONS.get(error, MENDED_BY[error.code[4]])
    assert error.blame is FITTING.get(error.advice, error.blame)
    assert error.advice != AGAIN or error.blame is not Blame.OPERATOR
