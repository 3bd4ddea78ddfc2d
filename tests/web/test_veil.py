"""What a test sign-in shows: nothing that opens something elsewhere, whatever it is called, and in time that nobody can stretch."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.config.yaml12 import read_yaml
from gateway.explain import explain
from gateway.mapping import ClaimPath, actions
from gateway.mapping.sources import Stepped
from gateway.model import Claims, IdpSession, VerifiedIdentity
from gateway.web.pages import trial_page
from gateway.web.trace import Trace, trace_of
from gateway.web.veil import HIDDEN, TOO_DEEP, Veil
from tests.mapping.builders import access, rules

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"


def traced(claims: Claims, **attributes: Any) -> Trace:
    sources: dict[str, Any] = {name: ClaimPath((source,)) if isinstance(source, str) else source for name, source in attributes.items()}
    given = rules(**sources)
    told = explain(given, [access("!('x' in claims)")], claims={"sub": "alice", **claims}, name_id=None, idp="entra")
    identity = VerifiedIdentity(
        session=IdpSession(issuer="https://login.example.com", subject="alice"),
        claims={"sub": "alice", **claims},
        proof_id="proof",
        proof_expires_at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    return trace_of(told, identity, idp="entra", virtual_proxy="sales")


@pytest.mark.parametrize(
    "name",
    [
        "access_token",
        "accessToken",
        "https://example.com/access_token",
        "idp_refresh_token",
        "id-token",
        "JWT",
        "client_secret",
        "http://schemas.example.com/claims/Password",
        "authorization_code",
        "api_key",
    ],
)
def test_a_member_that_carries_a_secret_is_known_by_any_spelling_of_its_name(name: str) -> None:
    assert Veil.over({}).value({name: ["canary"]}) == {name: HIDDEN}


@pytest.mark.parametrize("name", ["at_hash", "country_code", "login_hint", "token_use", "email", "secretary", "password_changed"])
def test_other_members_are_shown(name: str) -> None:
    assert Veil.over({}).value({name: "canary"}) == {name: "canary"}


@pytest.mark.parametrize("text", [JWT, f"Bearer {JWT}", f"v1.{JWT}", f"a.b.c.d.e.{JWT}", f"https://x.example/?t={JWT}&b=1", f"({JWT})"])
def test_a_compact_token_is_taken_out_of_any_text(text: str) -> None:
    shown = Veil.over({}).text(text)
    assert HIDDEN in shown
    assert "eyJ" not in shown


def test_a_token_that_the_mapping_carries_on_is_hidden_wherever_it_comes_to() -> None:
    """Attribute, step, ticket request, dropped values, and the copied test case."""
    cap = Stepped(source=ClaimPath(("access_token",)), actions=(actions.Cap(1),))
    trace = traced({"access_token": ["canary-one", "canary-two"]}, badge="access_token", first=cap)
    assert "canary" not in repr([getattr(trace, name) for name in Trace.__slots__]) + "".join(
        line.outcome for line in (*trace.steps, *trace.rules)
    )
    assert "canary" not in trial_page(trace).html
    assert trace.ticket_request
    assert HIDDEN in trace.ticket_request


@pytest.mark.parametrize("text", ["ey" * 60_000, "ey12345678." * 10_000, "." * 100_000, "a." * 50_000, "-" * 100_000, "e" * 100_000])
def test_no_text_takes_longer_than_its_length(text: str) -> None:
    veil = Veil.over({"deep": [{"token": f"secret-{number}"} for number in range(500)]})
    began = time.process_time()
    veil.value({"claim": text})
    assert time.process_time() - began < 1.0


def test_claims_that_are_too_deep_or_hold_half_a_character_still_have_a_page() -> None:
    """The gate before the rules refuses both; the page says so."""
    deep: Any = "bottom"
    for _ in range(900):
        deep = [deep]
    hostile: list[Claims] = [{"deep": deep}, {"odd": "a\ud800b", "c\udfff": 1}]
    for claims in hostile:
        trace = traced(claims)
        assert trace.code == "QGW-301"
        assert trial_page(trace).html.encode()
    assert TOO_DEEP in traced({"deep": deep}).claims
    assert "a\\\\ud800b" in traced({"odd": "a\ud800b"}).claims


def test_a_copied_case_holds_no_character_that_a_yaml_file_cannot() -> None:
    claims = {"a\u2029b": "line\u2028separator", "bom": "\ufeffx", "blank": "no\xa0break", "face": "\U0001f600"}
    case = traced(claims, bom="bom").test_case
    reading = read_yaml("tests:\n" + case + "\n")
    assert not reading.faults
    assert not any(character in case for character in "\u2028\u2029\ufeff\xa0")
    assert "\U0001f600" in case
