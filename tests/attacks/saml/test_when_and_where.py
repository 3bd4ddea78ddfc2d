"""Genuinely signed, but not for us, not now, not in answer to our request, or not for the first time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import (
    GatewayError,
    MetadataExpired,
    SamlConditions,
    SamlDestination,
    SamlInResponseTo,
    SamlTimes,
    SamlUnsolicited,
)
from gateway.protocol.saml import verify_response
from tests.attacks.saml.attack import Attack, cases, check, never_asked, rewritten, said
from tests.fakes import NOON
from tests.peers.saml_forge import ACS, REQUEST, SENT, Shape, post, signed, signed_text, them, us

OTHER = "_another0123456789abcdef0123456789a"
SKEW = 60


def unreadable(name: str, value: str) -> Any:
    """One time of the assertion is written in another way."""

    def forge() -> Any:
        text = Shape().xml()
        start = text.index(f'{name}="', text.index("<saml:Assertion")) + len(name) + 2
        return signed_text(text[:start] + value + text[text.index('"', start) :])

    return forge


WHERE = [
    Attack("another recipient", SamlDestination, said(recipient="https://evil.example.com/acs")),
    Attack("no recipient", SamlDestination, said(recipient=None)),
    Attack("an empty recipient", SamlDestination, said(recipient="")),
    Attack("a recipient that contains our address", SamlDestination, said(recipient="https://evil.example.com/?" + ACS)),
    Attack("a recipient that begins with our address", SamlDestination, said(recipient=ACS + ".evil.example")),
    Attack("a recipient with a slash more", SamlDestination, said(recipient=ACS + "/")),
    Attack("a recipient in another case", SamlDestination, said(recipient=ACS.upper())),
    Attack("a recipient on http", SamlDestination, said(recipient=ACS.replace("https", "http"))),
    Attack("another Destination", SamlDestination, said(destination="https://evil.example.com/acs")),
    Attack("an empty Destination", SamlDestination, said(destination="")),
    Attack("a Destination that begins with our address", SamlDestination, said(destination=ACS + "/evil")),
    Attack("a Destination that our address begins with", SamlDestination, said(destination=ACS[:-1])),
    Attack("another Destination, signed", SamlDestination, lambda: signed(Shape(destination="https://evil.example.com"), "response")),
    Attack("no Destination in a signed Response", SamlDestination, lambda: signed(Shape(destination=None), "response")),
    Attack("no Destination where both are signed", SamlDestination, lambda: signed(Shape(destination=None), "both")),
    Attack(
        "Destination and recipient of the same other host",
        SamlDestination,
        said(destination="https://e.example/acs", recipient="https://e.example/acs"),
    ),
]
ANSWERS = [
    Attack("unsolicited", SamlUnsolicited, said(in_response_to=None, confirmed_for=None)),
    Attack("unsolicited, the Response signed", SamlUnsolicited, lambda: signed(Shape(in_response_to=None, confirmed_for=None), "response")),
    Attack("the Response stripped, another's confirmation", SamlInResponseTo, said(in_response_to=None, confirmed_for=OTHER)),
    Attack("the Response stripped of InResponseTo", SamlInResponseTo, said(in_response_to=None)),
    Attack("an unsolicited assertion in a Response that claims to answer", SamlInResponseTo, said(confirmed_for=None)),
    Attack("an empty InResponseTo in the confirmation", SamlInResponseTo, said(confirmed_for="")),
    Attack("another request in both", SamlInResponseTo, said(in_response_to=OTHER, confirmed_for=OTHER)),
    Attack("another request in the Response", SamlInResponseTo, said(in_response_to=OTHER)),
    Attack("another request in the confirmation", SamlInResponseTo, said(confirmed_for=OTHER)),
    Attack("another's assertion in a Response edited to answer us", SamlInResponseTo, lambda: signed(Shape(confirmed_for=OTHER))),
    Attack("the confirmation edited to answer us", SamlInResponseTo, said(in_response_to="", confirmed_for=None)),
    Attack("our request with a blank behind it", SamlInResponseTo, said(in_response_to=REQUEST + " ", confirmed_for=REQUEST + " ")),
    Attack("our request in another case", SamlInResponseTo, said(in_response_to=REQUEST.upper(), confirmed_for=REQUEST.upper())),
]
TIMES = [
    Attack("issued in the future", SamlTimes, said(issued=SKEW + 1)),
    Attack("the Response issued in the future", SamlTimes, said(response_issued=SKEW + 1)),
    Attack("issued more than ten minutes ago", SamlTimes, said(issued=-600 - SKEW)),
    Attack("the Response issued more than ten minutes ago", SamlTimes, said(response_issued=-600 - SKEW)),
    Attack("not valid yet", SamlTimes, said(not_before=SKEW + 1)),
    Attack("expired", SamlTimes, said(not_on_or_after=-SKEW, not_before=-400)),
    Attack("expired within 300 seconds", SamlTimes, said(not_on_or_after=-200, not_before=-400)),
    Attack("valid backwards", SamlConditions, said(not_before=30, not_on_or_after=30)),
    Attack("the confirmation expired", SamlTimes, said(confirmed_until=-SKEW)),
    Attack("a confirmation without an end", SamlTimes, said(confirmed_until=None)),
    Attack("a confirmation with a beginning", SamlTimes, said(confirmed_from=-10)),
    Attack("signed in in the future", SamlTimes, said(signed_in=SKEW + 1)),
    Attack("the provider's session is over", SamlTimes, said(session_until=-SKEW)),
    Attack("a time with an offset", SamlTimes, unreadable("IssueInstant", "2026-03-02T12:00:00+00:00")),
    Attack("a time without a zone", SamlTimes, unreadable("IssueInstant", "2026-03-02T12:00:00")),
    Attack("a date alone", SamlTimes, unreadable("NotOnOrAfter", "2026-03-03")),
    Attack("no such day", SamlTimes, unreadable("NotOnOrAfter", "2026-02-30T12:00:00Z")),
    Attack("a sixty-first second", SamlTimes, unreadable("NotOnOrAfter", "2026-03-02T12:00:60Z")),
    Attack("the year 10000", SamlTimes, unreadable("NotOnOrAfter", "10000-01-01T00:00:00Z")),
    Attack("digits of another script", SamlTimes, unreadable("NotOnOrAfter", "٢٠٢٧-01-01T00:00:00Z")),
    Attack("an empty time", SamlTimes, unreadable("AuthnInstant", "")),
    Attack("a time that is a word", SamlTimes, unreadable("SessionNotOnOrAfter", "never")),
    Attack("past the metadata's validUntil", MetadataExpired, signed, idp=lambda: them(valid_until=NOON)),
    Attack("no IssueInstant", SamlTimes, rewritten((' IssueInstant="2026-03-02T12:00:00Z" Destination', " Destination"))),
]


@cases(WHERE)
def test_a_message_for_another_address_is_refused(attack: Attack) -> None:
    check(attack)


@cases(ANSWERS)
def test_a_message_that_does_not_answer_our_request_is_refused(attack: Attack) -> None:
    check(attack)


@cases(TIMES)
def test_a_message_for_another_time_is_refused(attack: Attack) -> None:
    check(attack)


@pytest.mark.parametrize(
    ("change", "last"),
    [
        ({"issued": SKEW}, "an instant of issue ahead by the skew"),
        ({"issued": -600 - SKEW + 1}, "issued ten minutes and almost the skew ago"),
        ({"not_before": SKEW}, "valid within the skew"),
        ({"not_on_or_after": -SKEW + 1, "not_before": -400}, "expired within the skew"),
        ({"confirmed_until": -SKEW + 1}, "confirmed until within the skew"),
        ({"signed_in": SKEW}, "signed in ahead by the skew"),
        ({"session_until": -SKEW + 1}, "a session that ended within the skew"),
        ({"not_before": None, "not_on_or_after": None}, "conditions without times: the confirmation bounds them"),
        ({"session_until": None}, "no end of the session"),
        ({"signed_in": -10 * 365 * 86400}, "signed in years ago"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_last_moment_inside_each_bound_is_accepted(change: dict[str, int | None], last: str) -> None:
    message = post(signed(Shape(**change)))  # type: ignore[arg-type]
    assert verify_response(message, sp=us(), idp=them(), sent=SENT, now=NOON, second_opinion=never_asked).name_id, last


@pytest.mark.parametrize(("skew", "accepted"), [(179, True), (180, False)])
def test_the_skew_is_the_configured_one(skew: int, accepted: bool) -> None:  # noqa: FBT001
    message = post(signed(Shape(not_on_or_after=-skew, not_before=-400)))
    try:
        verify_response(message, sp=us(clock_skew=timedelta(seconds=180)), idp=them(), sent=SENT, now=NOON, second_opinion=never_asked)
    except GatewayError:
        assert not accepted
    else:
        assert accepted
