"""The last gate before every ticket."""

import unicodedata

import pytest

from gateway.errors import AttributesTooLarge, AttributeUnmapped, GatewayError, MalformedUser, ReservedAttribute, ReservedDirectory
from gateway.model import QlikUser
from gateway.protocol.qps import ATTRIBUTE_BUDGET, check_attribute_name, check_user


def user(directory: str = "CONTOSO", user_id: str = "alice", attributes: tuple[tuple[str, str], ...] = ()) -> QlikUser:
    return QlikUser(directory=directory, user_id=user_id, attributes=attributes)


@pytest.mark.parametrize(
    "good",
    [
        user(),
        user("PARTNERS & FRIENDS", "alice;b=c, d/e@f"),
        user("日本", "ålice \U0001d518"),
        user(user_id="a" * 256),
        user(attributes=(("group", "a"), ("group", ""), ("Größe", "x; y=z \\"), ("http://schemas.xmlsoap.org/claims/Group", "b"))),
        user("INTERNALS"),
        user("NONE1"),
    ],
)
def test_ordinary_users_pass(good: QlikUser) -> None:
    check_user(good)


@pytest.mark.parametrize(
    "directory",
    [
        "INTERNAL",
        "internal",
        "Internal",
        "NONE",
        "none",
        "nOnE",
        "\u0131NTERNAL",
        "\u0130NTERNAL",
        "\uff29\uff2e\uff34\uff25\uff32\uff2e\uff21\uff2c",
        "INTER\u200bNAL",
        "IN\u0301TERNAL",
        "\u207fone",
        "no\u00adne",
    ],
)
def test_the_directories_of_qlik_itself_are_refused_in_any_spelling(directory: str) -> None:
    with pytest.raises(ReservedDirectory) as caught:
        check_user(user(directory=unicodedata.normalize("NFC", directory)))
    assert caught.value.code == "QGW-307"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "0 characters"),
        ("a" * 257, "257 characters"),
        (" ", "blank"),
        (" a", "blank"),
        ("a ", "blank"),
        ("a\t", "blank"),
        ("a\u00a0", "blank"),
        ("\u3000a", "blank"),
        ("a\u2028", "blank"),
        ("\u200ba", "blank"),
        ("a\ufeff", "blank"),
        ("CONTOSO\\alice", "backslash"),
        ("a\x00b", "control"),
        ("a\nb", "control"),
        ("a\x7fb", "control"),
        ("a\x9fb", "control"),
        ("a\u2029b", "control"),
        ("a\ud800b", "half"),
        ("e\u0301", "normalization"),
        ("\u212b", "normalization"),
    ],
)
def test_a_directory_or_user_id_of_a_wrong_shape_is_refused(value: str, reason: str) -> None:
    for wrong in (user(directory=value), user(user_id=value)):
        with pytest.raises(MalformedUser, match=reason):
            check_user(wrong)


@pytest.mark.parametrize(
    "name",
    ["SecureRequest", "CONTEXT", "os", "Device", "browser", "Ip", "ClientOsVersion", "\uff49\uff50", "o\u200bs", " OS "],
)
def test_attributes_that_qlik_sets_itself_are_refused_in_any_spelling(name: str) -> None:
    with pytest.raises(ReservedAttribute, match="itself"):
        check_user(user(attributes=((name, "x"),)))


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a=b", "a\nb", "a\x00", "\u00a0a", "a\ud800", "a\u200bb", "a" * 257])
def test_attribute_names_that_cannot_be_carried_are_refused(name: str) -> None:
    with pytest.raises(ReservedAttribute):
        check_attribute_name(name)


@pytest.mark.parametrize("value", ["a\r\nb", "\x00", "\ud800", "\u2028"])
def test_attribute_values_that_cannot_be_carried_are_refused(value: str) -> None:
    with pytest.raises(AttributeUnmapped):
        check_user(user(attributes=(("group", value),)))


def test_attributes_may_take_the_whole_budget_and_not_a_byte_more() -> None:
    overhead = len("group=; ")
    check_user(user(attributes=(("group", "x" * (ATTRIBUTE_BUDGET - overhead)),)))
    with pytest.raises(AttributesTooLarge):
        check_user(user(attributes=(("group", "x" * (ATTRIBUTE_BUDGET - overhead + 1)),)))


def test_the_budget_counts_bytes_as_a_form_has_them() -> None:
    check_user(user(attributes=(("group", " " * 4000),)))
    with pytest.raises(AttributesTooLarge):
        check_user(user(attributes=(("group", "ä" * 2048),)))


def test_the_detail_names_the_largest_attribute_and_no_value() -> None:
    groups = tuple(("group", f"team-{number:04}") for number in range(900))
    with pytest.raises(AttributesTooLarge, match=r"901 attributes .* 'group' alone") as caught:
        check_user(user(attributes=(("email", "alice@example.com"), *groups)))
    assert "alice" not in caught.value.detail
    assert "team" not in caught.value.detail


def test_every_refusal_of_the_gate_is_a_gateway_error_with_status_403() -> None:
    for wrong in (user("NONE"), user(""), user(attributes=(("os", ""),)), user(attributes=(("a", "\x00"),))):
        with pytest.raises(GatewayError) as caught:
            check_user(wrong)
        assert caught.value.status == 403
