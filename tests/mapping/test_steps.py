"""Each step of a mapping rule: what it gives, what falls out, and what it costs at most."""

from __future__ import annotations

import pytest

from gateway.errors import AttributesTooLarge, AttributeUnmapped, GatewayError, MalformedUser, UserIdUnmapped
from gateway.mapping import (
    Change,
    ClaimPath,
    Constant,
    FirstOf,
    NameId,
    PatternProblem,
    Source,
    Stepped,
    apply,
    compile_pattern,
    read_replacement,
)
from gateway.mapping.actions import (
    MAX_STEP_TEXT,
    MAX_STEP_VALUES,
    Action,
    Cap,
    Filter,
    Lower,
    Match,
    Replace,
    Split,
    StripPrefix,
    StripSuffix,
    Table,
    Trim,
    Unique,
    Upper,
    perform,
)
from gateway.mapping.patterns import Replacement
from tests.mapping.builders import cel, rules, subject

GROUPS = ClaimPath(("groups",))


def after(action: Action, *values: str) -> tuple[str, ...]:
    return perform(action, values).after


def replaced(pattern: str, replacement: str) -> Replace:
    compiled = compile_pattern(pattern)
    return Replace(compiled, read_replacement(replacement, compiled))


def stepped(*actions: Action, source: Source = GROUPS, default: tuple[str, ...] = ()) -> Stepped:
    return Stepped(source=source, actions=actions, default=default)


@pytest.mark.parametrize(
    ("action", "given", "expected"),
    [
        (Lower(), ["ALICE", "ÄÖÜ", "İ"], ("alice", "äöü", "i̇")),
        (Upper(), ["alice", "äöü"], ("ALICE", "ÄÖÜ")),
        (Trim(), [" a ", "b\u00a0"], ("a", "b")),
        (Unique(), ["b", "a", "b"], ("b", "a")),
        (StripPrefix("qlik-"), ["qlik-sales", "mail", "qlik-qlik-"], ("sales", "mail", "qlik-")),
        (StripSuffix("@example.com"), ["alice@example.com", "bob@example.org"], ("alice", "bob@example.org")),
        (Match(compile_pattern("CN=([^,]+),.*")), ["CN=Sales,OU=x", "OU=x", "xCN=a,"], ("Sales",)),
        (Match(compile_pattern("qlik-.*")), ["qlik-a", "not qlik-a"], ("qlik-a",)),
        (Match(compile_pattern("a(b)?")), ["a", "ab"], ("b",)),
        (Replace(" ", Replacement("-", ("-",))), ["a b c"], ("a-b-c",)),
        (replaced(r"(\w+) (\w+)", r"\2, \1 \\ ü"), ["Alice Doe"], (r"Doe, Alice \ ü",)),
        (Split(","), ["sales, emea,", ",", "a"], ("sales", "emea", "a")),
        (
            Filter(prefixes=("qlik-",), exact=frozenset({"all"}), pattern=compile_pattern("[0-9]+")),
            ["qlik-a", "al", "all", "1a", "12"],
            ("qlik-a", "all", "12"),
        ),
        (Filter(exact=frozenset({"a"})), ["", "a", "A"], ("a",)),
        (Table(name="t", entries={"a": ("x", "y"), "b": ("x",)}), ["b", "a", "c"], ("x", "x", "y")),
        (Table(name="t", entries={"a": ("x",)}, keep_others=True), ["a", "c"], ("x", "c")),
        (Cap(2), ["a", "b", "c"], ("a", "b")),
    ],
    ids=str,
)
def test_a_step_gives_what_it_says(action: Action, given: list[str], expected: tuple[str, ...]) -> None:
    assert after(action, *given) == expected


@pytest.mark.parametrize(("action", "letter"), [(Lower(), "\u212a"), (Upper(), "\u0131"), (Upper(), "\u017f"), (Upper(), "ß")])
def test_a_letter_that_would_become_somebody_elses_stays(action: Action, letter: str) -> None:
    assert after(action, f"a{letter}") == (f"{after(action, 'a')[0]}{letter}",)


def test_what_a_step_dropped_is_told_by_name() -> None:
    assert perform(Cap(1), ("a", "b", "c")).note == "dropped 2 of 3: b, c"
    assert perform(Match(compile_pattern("(a).")), ("ax", "b")) == Change("match: (a).", ("ax", "b"), ("a",), "dropped 1 of 2: b")
    assert perform(Filter(exact=frozenset({"z"})), tuple("abcdefghijklm")).note == "dropped 13 of 13: a, b, c, d, e, f, g, h, i, j, …"
    assert perform(Lower(), ("A",)).note == ""


def test_a_trace_shows_what_went_into_each_step_and_what_came_out() -> None:
    source = stepped(Filter(prefixes=("qlik-",)), StripPrefix("qlik-"), Upper())
    step = apply(rules(group=source), subject(groups=["qlik-a", "mail"]), idp="entra").steps[2]
    assert [(change.action, change.before, change.after) for change in step.changes] == [
        ("filter: {prefix: [qlik-]}", ("qlik-a", "mail"), ("qlik-a",)),
        ("strip_prefix: qlik-", ("qlik-a",), ("a",)),
        ("upper", ("a",), ("A",)),
    ]
    assert step.output == ("A",)


@pytest.mark.parametrize("claims", [{}, {"groups": None}, {"groups": []}, {"groups": [""]}, {"groups": ["other"]}])
def test_a_default_stands_where_no_value_is_left(claims: dict[str, object]) -> None:
    source = stepped(Filter(exact=frozenset({"a", ""})), default=("none", "at all"))
    mapped = apply(rules(group=source), subject(**claims), idp="entra")  # type: ignore[arg-type]
    assert mapped.user.attributes == (("group", "none"), ("group", "at all"))
    assert mapped.steps[2].changes[-1].action == "default"


def test_a_default_does_not_cover_what_cannot_be_read() -> None:
    for source in (stepped(default=("a",)), stepped(source=cel("claims.groups.x"), default=("a",))):
        with pytest.raises(GatewayError) as refused:
            apply(rules(group=source), subject(groups=[{"a": "b"}]), idp="entra")
        assert refused.value.code in {"QGW-304", "QGW-305"}


def test_the_first_source_that_gives_a_value_counts() -> None:
    source = FirstOf((ClaimPath(("employee",)), stepped(StripSuffix("@x"), source=ClaimPath(("upn",))), NameId()))
    for claims, name_id, expected in (
        ({"employee": "e1", "upn": "u1"}, None, "e1"),
        ({"employee": "", "upn": "u1@x"}, None, "u1"),
        ({"employee": []}, "n1", "n1"),
    ):
        mapped = apply(rules(user_id=source), subject(name_id=name_id, **claims), idp="entra")  # type: ignore[arg-type]
        assert mapped.user.user_id == expected
    with pytest.raises(UserIdUnmapped, match="none of first_of gave a value"):
        apply(rules(user_id=source), subject(), idp="entra")
    step = apply(rules(user_id=source), subject(upn="u1"), idp="entra").steps[1]
    assert step.changes[0].note == "passed over: there is no claim employee"


def test_a_user_id_is_still_one_text_after_its_steps() -> None:
    source = stepped(Match(compile_pattern("id:(.*)")))
    assert apply(rules(user_id=source), subject(groups=["x", "id:alice"]), idp="entra").user.user_id == "alice"
    for groups in (["x"], ["id:a", "id:b"]):
        with pytest.raises(UserIdUnmapped):
            apply(rules(user_id=source), subject(groups=groups), idp="entra")
    with pytest.raises(UserIdUnmapped, match="is a number"):
        apply(rules(user_id=source), subject(groups=[1]), idp="entra")


def test_what_a_step_makes_is_held_to_the_same_as_any_value() -> None:
    longer = replaced("x", "x" * 400)
    with pytest.raises(AttributeUnmapped, match="more than 8192 bytes"):
        apply(rules(group=stepped(longer)), subject(groups=["x" * 30]), idp="entra")
    with pytest.raises(MalformedUser):
        apply(rules(user_id=stepped(longer)), subject(groups=["x" * 30]), idp="entra")


@pytest.mark.parametrize(
    ("action", "groups"),
    [
        (Split(","), ["a," * 4000] * 2),
        (Lower(), ["x" * 8000] * 20),
        (replaced("x", "y" * 100), ["x" * 80] * 50),
        (Table(name="t", entries={"a": tuple(str(number) for number in range(1000))}), ["a"] * 6),
    ],
    ids=["values", "given text", "made text", "looked up"],
)
def test_more_than_steps_work_on_is_refused(action: Action, groups: list[str]) -> None:
    with pytest.raises(AttributesTooLarge, match=f"more than {MAX_STEP_VALUES} values or {MAX_STEP_TEXT} characters"):
        apply(rules(group=stepped(action)), subject(groups=groups), idp="entra")
    with pytest.raises(UserIdUnmapped):
        apply(rules(user_id=stepped(action)), subject(groups=groups), idp="entra")


def test_a_constant_needs_no_claims() -> None:
    assert apply(rules(group=stepped(Lower(), source=Constant("A"))), subject(), idp="entra").user.attributes == (("group", "a"),)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", r"missing \)"),
        ("(?=a)", "lookahead"),
        (r"(a)\1", "no such escape"),
        ("a{1001}", "invalid repetition size"),
        ("x" * 501, "longer than 500"),
        ("a\0", "control character"),
        ("(?:(?:.?){30}){30}", "too large"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_why(pattern: str, reason: str) -> None:
    with pytest.raises(PatternProblem, match=reason):
        compile_pattern(pattern)


@pytest.mark.parametrize("replacement", [r"\3", r"\x", "\\", r"\g<1>", "x" * 501])
def test_a_replacement_that_cannot_be_used_is_refused(replacement: str) -> None:
    with pytest.raises(PatternProblem):
        read_replacement(replacement, compile_pattern("(a)(b)"))
