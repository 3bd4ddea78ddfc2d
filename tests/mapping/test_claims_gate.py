"""The gate that every set of claims passes before a rule sees it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from gateway.errors import ClaimsRefused
from gateway.mapping import Subject, read_claims
from gateway.mapping.claims import MAX_DEPTH, MAX_NODES, MAX_STRING
from gateway.model import JsonValue
from tests.mapping.builders import subject


def nested(levels: int) -> dict[str, JsonValue]:
    claims: dict[str, JsonValue] = {"bottom": True}
    for _ in range(levels - 1):
        claims = {"down": claims}
    return claims


def refusal_of(claims: dict[str, JsonValue]) -> str:
    with pytest.raises(ClaimsRefused) as refusal:
        read_claims(claims)
    assert refusal.value.code == "QGW-301"
    return refusal.value.detail


def test_ordinary_claims_pass_unchanged() -> None:
    claims: dict[str, JsonValue] = {
        "sub": "Zoë 🙂",
        "email_verified": True,
        "exp": 1_700_000_000,
        "score": 0.5,
        "middle_name": None,
        "roles": ["a", ["b"], {}],
        "realm_access": {"roles": []},
        "https://example.com/a.b": "x",
        "": "empty name",
    }
    assert read_claims(claims) == (claims, ())


def test_the_copy_is_independent_of_what_came_in() -> None:
    roles: list[JsonValue] = ["reader"]
    claims: dict[str, JsonValue] = {"roles": roles}
    copy, _ = read_claims(MappingProxyType(claims))
    roles.append("admin")
    assert copy == {"roles": ["reader"]}


@pytest.mark.parametrize("character", ["\0", "\x01", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9f"], ids=ascii)
def test_a_control_character_anywhere_in_a_value_is_refused(character: str) -> None:
    for text in (character, f"a{character}", f"{character}a", f"a{character}b"):
        assert "a control character" in refusal_of({"a": {"b": ["fine", text]}})


@pytest.mark.parametrize("code_point", [0xD800, 0xDBFF, 0xDC00, 0xDFFF], ids=hex)
def test_a_lone_surrogate_is_refused(code_point: int) -> None:
    assert refusal_of({"a": [f"x{chr(code_point)}"]}) == f"claim a holds a lone surrogate (U+{code_point:04X})"


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "\ud800", "x" * (MAX_STRING + 1)], ids=lambda name: ascii(name)[:12])
def test_names_of_members_are_held_to_the_same(name: str) -> None:
    assert refusal_of({name: 1}).startswith("the name of a member of the claims holds")
    assert refusal_of({"a": {"b": {name: 1}}}).startswith("the name of a member of a → b holds")


@pytest.mark.parametrize("character", ["\u2028", "\u200b", "\u202e", "\ufeff", "\U0010ffff"], ids=ascii)
def test_other_unusual_characters_are_no_business_of_the_gate(character: str) -> None:
    assert read_claims({"a": character}) == ({"a": character}, ())


@pytest.mark.parametrize("member", ["formatted", "street_address"])
def test_a_postal_address_may_have_lines(member: str) -> None:
    """OIDC Core §5.1.1: both members may hold several lines, as LF or CR LF."""
    claims: dict[str, JsonValue] = {"address": {member: "1 High Street\r\nSpringfield\nXX 12345"}}
    assert read_claims(claims) == (claims, ())


@pytest.mark.parametrize(
    "claims",
    [
        {"address": {"formatted": "a\rb"}},
        {"address": {"formatted": "a\tb"}},
        {"address": {"formatted": "a\0b"}},
        {"address": {"locality": "a\nb"}},
        {"address": "a\nb"},
        {"address": {"formatted": {"formatted": "a\nb"}}},
        {"home": {"address": {"formatted": "a\nb"}}},
    ],
)
def test_nothing_else_may_have_lines(claims: dict[str, JsonValue]) -> None:
    assert "a control character" in refusal_of(claims)


def test_a_string_may_have_8_kib_of_utf_8_and_no_more() -> None:
    assert read_claims({"a": "x" * MAX_STRING, "b": "é" * (MAX_STRING // 2)})[1] == ()
    assert refusal_of({"a": "x" * (MAX_STRING + 1)}) == "claim a holds more than 8192 bytes"
    assert refusal_of({"a": "é" * (MAX_STRING // 2 + 1)}) == "claim a holds more than 8192 bytes"


def test_5000_values_pass_and_no_more() -> None:
    assert len(read_claims({"l": ["x"] * (MAX_NODES - 2)})[0]) == 1
    assert refusal_of({"l": ["x"] * (MAX_NODES - 1)}) == "the claims hold more than 5000 values"
    assert refusal_of({str(number): number for number in range(MAX_NODES)}) == "the claims hold more than 5000 values"


def test_32_levels_pass_and_no_more() -> None:
    assert read_claims(nested(MAX_DEPTH))[1] == ()
    assert refusal_of(nested(MAX_DEPTH + 1)) == "claim down → down → down nests more than 32 levels"
    lists: JsonValue = "x"
    for _ in range(MAX_DEPTH):
        lists = [lists]
    assert "nests more than 32 levels" in refusal_of({"l": lists})


def test_depth_of_thousands_is_refused_like_any_other() -> None:
    assert "nests more than 32 levels" in refusal_of(nested(50_000))


def test_integers_beyond_64_bits_are_left_out_with_a_note() -> None:
    claims: dict[str, JsonValue] = {"big": 2**63, "small": -(2**63) - 1, "huge": 10**400, "edge": [2**63 - 1, -(2**63), 2**64, 2**65]}
    assert read_claims(claims) == (
        {"edge": [2**63 - 1, -(2**63)]},
        tuple(f"claim {name}: an integer beyond 64 bits was left out" for name in ("big", "small", "huge", "edge")),
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_left_out_with_a_note(number: float) -> None:
    assert read_claims({"a": {"b": number, "c": 1e308}}) == (
        {"a": {"c": 1e308}},
        ("claim a → b: a number that is not finite was left out",),
    )


@pytest.mark.parametrize("alien", [("a",), {"a"}, b"a", object(), datetime(2026, 1, 1, tzinfo=UTC)], ids=lambda alien: type(alien).__name__)
def test_what_is_no_json_is_refused(alien: object) -> None:
    with pytest.raises(ClaimsRefused, match="claim a is no JSON value"):
        read_claims({"a": alien})  # type: ignore[dict-item]


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(ClaimsRefused, match="something else than text"):
        read_claims({"a": {1: 2}})  # type: ignore[dict-item]


def test_long_places_are_cut_in_a_refusal() -> None:
    assert len(refusal_of({"x" * 8_000: "a\nb"})) < 300


def test_no_subject_exists_that_has_not_passed() -> None:
    with pytest.raises(ClaimsRefused):
        subject(a="\0")
    with pytest.raises(ClaimsRefused, match="claim name_id holds a control character"):
        subject(name_id="alice\0")
    assert subject(big=2**70).notes == ("claim big: an integer beyond 64 bits was left out",)
    assert subject(big=2**70).claims == {}


def test_a_subject_shows_no_claims_in_its_repr() -> None:
    assert "alice" not in repr(subject(sub="alice", name_id="alice"))


@pytest.mark.parametrize(
    ("claims", "large"),
    [({"l": ["x"] * 400}, False), ({"l": ["x"] * 600}, True), ({"s": "x" * 501}, True), ({"s": "x" * 500}, False)],
)
def test_a_subject_knows_whether_its_claims_are_large(claims: dict[str, JsonValue], large: bool) -> None:  # noqa: FBT001
    assert Subject(claims=claims).large is large


@pytest.mark.parametrize(
    "claims",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example/groups"}}},
        {"hasgroups": True},
        {"hasgroups": "true"},
        {"http://schemas.microsoft.com/claims/groups.link": ["https://graph.example/groups"]},
    ],
)
def test_a_pointer_instead_of_groups_is_seen(claims: dict[str, JsonValue]) -> None:
    assert Subject(claims=claims).groups_overage


@pytest.mark.parametrize(
    "claims",
    [{}, {"groups": ["a"]}, {"_claim_names": {"roles": "src1"}}, {"_claim_names": "groups"}, {"hasgroups": False}, {"hasgroups": []}],
)
def test_other_claims_are_no_pointer(claims: dict[str, JsonValue]) -> None:
    assert not Subject(claims=claims).groups_overage
