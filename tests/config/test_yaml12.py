"""The YAML that is read: the core schema of YAML 1.2, and what is not used of the rest."""

from __future__ import annotations

from math import inf, isnan

import pytest
import yaml

from gateway.config import yaml12
from gateway.config.diagnostics import Code
from gateway.config.tree import Plain, Scalar, Section, Spot, spot_inside
from gateway.config.yaml12 import DEEPEST, read_yaml
from tests.config.folders import GOOD


def plain(text: str) -> Plain:
    reading = read_yaml(text)
    assert reading.faults == []
    assert reading.root is not None
    return reading.root.plain()


def value(text: str) -> Scalar:
    root = read_yaml(f"key: {text}\n").root
    assert isinstance(root, Section)
    node = root.get("key")
    assert isinstance(node, Scalar)
    return node


@pytest.mark.parametrize(
    "text", ["no", "No", "NO", "yes", "on", "off", "y", "n", "2026-03-02", "12:30:45", "1_000", "0b11", "=", "<", "1.2.3", "0o8"]
)
def test_what_yaml_1_1_would_turn_into_something_else_stays_a_text(text: str) -> None:
    assert value(text).value == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-5", -5),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -inf),
        ("null", None),
        ("~", None),
        ("", None),
        ('"null"', "null"),
        ("'5'", "5"),
    ],
)
def test_plain_scalars_are_read_by_the_core_schema(text: str, expected: object) -> None:
    found = value(text).value
    assert found == expected
    assert type(found) is type(expected)


def test_not_a_number_is_one() -> None:
    found = value(".nan").value
    assert isinstance(found, float)
    assert isnan(found)


def test_a_group_called_no_stays_a_text_in_a_list() -> None:
    assert plain("groups: [no, yes, on]\n") == {"groups": ["no", "yes", "on"]}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert plain("5: a\ntrue: b\nnull: c\n022: d\n") == {"5": "a", "true": "b", "null": "c", "022": "d"}


@pytest.mark.parametrize("text", ["022", "-01", "00"])
def test_a_leading_zero_is_refused_as_a_number(text: str) -> None:
    (fault,) = read_yaml(f"key: {text}\n").faults
    assert (fault.code, fault.spot) == (Code.WRONG_VALUE, Spot(1, 6, 6 + len(text)))
    assert text not in f"{fault.message}{fault.hint}"


def test_columns_count_characters_not_bytes() -> None:
    root = read_yaml("ä: {ö: 💡, key: value}\n").root
    assert isinstance(root, Section)
    node = root.section("ä").scalar("key")
    assert node is not None
    assert (node.spot, node.raw) == (Spot(1, 16, 21), "value")


def test_nesting_is_bounded_and_costs_no_stack() -> None:
    assert read_yaml("[" * DEEPEST + "]" * DEEPEST).faults == []
    (fault,) = read_yaml("[" * 200_000).faults
    assert fault.code is Code.YAML_FEATURE


def test_the_rest_of_a_file_is_read_after_a_feature_that_is_refused() -> None:
    reading = read_yaml("a: &x 1\nb: *x\nc: !!int 2\n<<: {}\n? [d]\n: 1\n*x : 1\na: 2\ne: 1\n")
    assert [(fault.code.value, fault.spot.line) for fault in reading.faults] == [
        ("QGW-522", 1),
        ("QGW-522", 2),
        ("QGW-522", 3),
        ("QGW-522", 4),
        ("QGW-522", 5),
        ("QGW-522", 7),
        ("QGW-503", 8),
    ]
    assert isinstance(reading.root, Section)
    assert list(reading.root.entries) == ["a", "b", "c", "e"]


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe"])
def test_characters_that_could_mislead_a_reader_are_refused(character: str) -> None:
    (fault,) = read_yaml(f"a: 1\nb: x{character}\n").faults
    assert (fault.code, fault.spot) == (Code.SYNTAX, Spot(2, 5, 6))


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("abc", (1, 3), (1, 8)),
        ("'abc'", (1, 3), (1, 9)),
        ("'a''c'", (1, 3), (1, 10)),
        ('"abc"', (1, 3), (1, 9)),
        (r'"\"bc"', (1, 3), (1, 10)),
        (r'"\x41\u0041\U00000041d"', (1, 4), (1, 27)),
        ("|\n  ab\n   cd\n", (2, 2), (3, 4)),
        ("|\n\n   ab\n", (2, 1), (3, 4)),
    ],
)
def test_a_place_inside_a_text_is_found_in_the_file(text: str, place: tuple[int, int], expected: tuple[int, int]) -> None:
    spot = spot_inside(value(text), *place)
    assert spot is not None
    assert (spot.line, spot.column) == expected


@pytest.mark.parametrize(
    ("text", "place"), [(">\n  ab\n  cd\n", (1, 1)), ("'ab\n  cd'", (1, 1)), ("|2\n  ab\n", (1, 1)), ("|\n  ab\n", (9, 1))]
)
def test_a_place_that_folding_hides_is_not_guessed(text: str, place: tuple[int, int]) -> None:
    assert spot_inside(value(text), *place) is None


@pytest.mark.parametrize("text", [*GOOD.values(), "a: 'b''c'\nä: [💡, |\n", 'a: "x\\u00e4"\nb:\n  - |\n    1\n     2\n  - >-\n    3\n'])
def test_the_parser_in_python_reads_the_same_as_the_one_in_c(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = read_yaml(text)
    monkeypatch.setattr(yaml12, "_LOADER", yaml.SafeLoader)
    assert read_yaml(text).root == usual.root
