"""What an expression is reckoned to cost, held against what the runtime does: by counting wherever something can be counted."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ExpressionFailed
from gateway.mapping import ExpressionProblem, Scope, Subject, compile_expression
from gateway.mapping.access import _is_large
from gateway.mapping.allowance import FEW_ROUNDS, LITTLE, MOST, ROUNDS, Parts
from gateway.mapping.cel import Inputs, evaluate
from gateway.mapping.cost import Cost, cost_of, makes_lists, size_of
from gateway.mapping.patterns import program_size
from gateway.mapping.prices import Unpriced
from gateway.mapping.sizes import Extent, extent
from gateway.mapping.syntax import Call, Fold, Ident, Listing, Literal, Select, Struct, Tree, UnreadableError, read_tree
from gateway.model import QlikUser

ENVIRONMENT = cel.NewEnv(
    variables={"claims": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)}, extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()]
)
CLAIMS: dict[str, Any] = {
    "a": "ab,é\"'" * 3,
    "b": "b,",
    "groups": ["alice", "", "a,b", "ab,b,b", "ü\n"],
    "mixed": ["x", ["y", "zz", ["a" * 20]], {"k": "v" * 9, "l": [1, 2.5, True]}, 1e300],
}
PAGES = Path(__file__).parents[2]
WRITTEN = re.compile(r"""\b(cel|allow|when): *(?:"([^"…]+)"|'([^'…]+)')""")
WRITERS = [*PAGES.glob("docs/**/*.md"), *PAGES.glob("idp_configs/*.yaml"), PAGES / "gateway/demo/folder.py"]
SHIPPED = {
    (one or other, Scope.MAPPING if key == "cel" else Scope.ACCESS)
    for page in WRITERS
    for key, one, other in WRITTEN.findall(page.read_text())
}
COMMON = [
    "claims.groups.filter(g, g.startsWith('qlik-')).map(g, g.substring(5))",
    "claims.groups.map(g, g.split('/')[0].lowerAscii())",
    "claims.groups.filter(g, g.matches('^qlik-[a-z]+$'))",
    "claims.groups.map(g, g.replace(' ', '_').trim())",
    "claims.groups.map(g, claims.domain + '/' + g)",
    "claims.groups.exists(g, g in ['a', 'b', 'c']) ? 'yes' : 'no'",
    "claims.roles.split(',').map(r, r.trim())",
    "claims.groups.map(g, '%s@%s'.format([g.split('/')[0], 'ad']))",
    "claims.groups.map(g, g.split('-').last().orValue(g))",
    "claims.groups.join(';')",
    "'%s-%s'.format([claims.domain, claims.sub])",
    "claims.?sub.optMap(s, s.lowerAscii()).orValue('')",
]


def tree(source: str) -> Any:
    return compile_expression(source, Scope.MAPPING).demand.tree


def cost(source: str, *, rounds: int = ROUNDS, **claims: Any) -> Cost:
    return cost_of(tree(source), Parts({"claims": claims}), rounds=rounds)


def result(source: str, *, large: bool = True, **claims: Any) -> object:
    return evaluate(compile_expression(source, Scope.MAPPING), Inputs(Scope.MAPPING, {"claims": claims}, large=large), what="x")


# ---- the tree ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'é'", Literal("é".encode())),
        ("''", Literal(b"")),
        ("b'\\xff'", Literal(b"\xff", binary=True)),
        ("-1", Literal(None)),
        ("claims.a", Select(Ident("claims"), "a", test=False)),
        ("has(claims.a)", Select(Ident("claims"), "a", test=True)),
        ("[1, ?claims.?a]", Listing((Literal(None), Call("_?._", (Ident("claims"), Literal(b"a")), frozenset({"select_optional_field"}))))),
        ("{'a': 1}", Struct("", (Literal(b"a"), Literal(None)))),
        ("'x'.trim()", Call("trim", (Literal(b"x"),), frozenset({"string_trim"}))),
        ("claims.a + 'x'", Call("_+_", (Select(Ident("claims"), "a", test=False), Literal(b"x")), frozenset({"add_string"}))),
    ],
)
def test_an_expression_is_read_as_the_runtime_understood_it(source: str, expected: object) -> None:
    assert read_tree(ENVIRONMENT.compile(source).serialize()) == expected


@pytest.mark.parametrize("source", ["claims.l.map(x, x)", "claims.l.filter // not b\n (x, true)", "[1].exists(x, [x].map(y, y) == [])"])
def test_a_macro_that_makes_lists_is_found_wherever_it_stands(source: str) -> None:
    assert makes_lists(tree(source))


@pytest.mark.parametrize("source", ["claims.l.exists(x, x == 1)", "'.map(x, x)'", "claims.map", "claims.?a.optMap(x, x).orValue('')"])
def test_an_expression_without_such_a_macro_makes_no_lists(source: str) -> None:
    assert not makes_lists(tree(source))


@given(st.binary(max_size=200))
def test_whatever_is_no_tree_is_unreadable(noise: bytes) -> None:
    serialized = ENVIRONMENT.compile("claims.l.map(x, x + 'a')").serialize()
    for wire in (noise, serialized[: len(noise)], serialized[: -len(noise) or None], serialized[:40] + noise):
        try:
            read_tree(wire)
        except UnreadableError:
            continue


# ---- bounds, against what is counted ----------------------------------------------------------------------------------


TEXTS = """claims.a|claims.b|'a'|''|'é,'|claims.groups[2]|string(1.5)|(_ + _)|_.replace(_, _)|_.trim()|_.upperAscii()
_.reverse()|_.substring(0)|strings.quote(_)|string(bytes(_))|#.join(_)|#.join()|'%s'.format([_])|'%s:%s'.format([#, _])
(_ == _ ? _ : _)|claims.?z.orValue(_)|_.split(_)[0]
optional.of(_).optMap(x, x + x).orValue('')|[_].map(x, x + _)[0]|(_ in # ? _ : '')|#.first().orValue(_)|{_: _}.map(k, k)[0]"""
LISTS = """claims.groups|claims.mixed|['a', 'bb']|[]|claims.map(k, k)|_.split(_)|_.split('')|_.split(',')|[_, _]|(# + #)|#.filter(x, x != _)
#.map(x, _)|#.map(x, [x, _])|#.map(x, string(x) + _)|#.map(x, #)|#.map(x, #.map(y, [y, x]))|#.map(x, x != _, [x, x])|[#, #]|dyn([{_: #}])
#.map(x, _.replace(_, string(x)))|#.map(x, string(x).split(_))|#.map(x, #.join(string(x)))|#.map(x, dyn(x) + dyn(x))|#.map(x, size(#))
#.map(x, _.contains(string(x)))|#.map(x, x in #)|#.map(x, '%s'.format([[x, #]]))"""
FORMS = {"_": TEXTS.replace("\n", "|").split("|"), "#": LISTS.replace("\n", "|").split("|")}


def grown(kind: str, dice: random.Random, depth: int) -> str:
    """A source with a text for each `_` and a list for each `#`, as deep as that."""
    forms = FORMS[kind] if depth else [form for form in FORMS[kind] if not re.search(r"[_#]", form)]
    return re.sub(r"[_#]", lambda hole: grown(hole[0], dice, depth - 1), dice.choice(forms))


def counted(value: Any) -> Extent | None:
    """The extent of what the runtime gave; None for an error. The value of a null is never asked for."""
    kind = value.type().name()
    if kind == "ERROR":
        return None
    if kind.startswith("LIST"):
        return around([counted(item) for item in value.value()])
    if kind.startswith("MAP"):
        return around([part for key, item in value.value().items() for part in (extent(key), counted(item))], 2)
    if kind in ("STRING", "BYTES"):
        length = len(value.value().encode() if kind == "STRING" else value.value())
        return Extent(length, 0, 1, length)
    return Extent(0, 0, 1, 0)


def around(inner: list[Extent | None], each: int = 1) -> Extent:
    parts = [part for part in inner if part is not None]
    count = max([len(inner) // each, 1, *(part.count for part in parts)])
    text = max([part.text for part in parts], default=0)
    return Extent(text, count, 1 + sum(part.nodes for part in parts), sum(part.chars for part in parts))


@pytest.mark.parametrize("seed", range(15))
def test_no_value_is_larger_than_its_bounds(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 no secret
    assert sum(map(is_bounded, (grown(dice.choice("_#"), dice, dice.randint(1, 3)) for _ in range(100)))) > 60


def is_bounded(source: str) -> bool:
    """Whether there was a value to count; and it is in its bounds."""
    try:
        compiled = compile_expression(f"dyn({source})", Scope.MAPPING)
    except ExpressionProblem:
        return False
    parts = Parts({"claims": CLAIMS})
    if not cost_of(compiled.demand.tree, parts, rounds=ROUNDS).within(LITTLE):
        return False
    found = counted(compiled.program.eval(None, {"claims": CLAIMS, "name_id": "", "idp": ""}))
    bounds = size_of(compiled.demand.tree, parts, rounds=ROUNDS)
    if found is not None:
        assert found.text <= bounds.text.each, source
        assert found.count <= bounds.count.each, source
        assert found.nodes <= bounds.nodes.each, source
        assert found.chars <= bounds.chars.each, source
    return found is not None


# ---- time, for what cannot be counted ---------------------------------------------------------------------------------

LONG = "a" * 8_000
MIXED = "".join(random.Random(1).choices("ab", k=8_000))  # noqa: S311 no secret
NEAR = LONG[:4_000] + "b"
SLOW = {
    "seek": ("claims.g.exists(x, claims.a.contains(claims.b))", {"g": ["x"] * 150, "a": LONG, "b": NEAR}),
    "seek short": ("claims.g.exists(x, claims.a.lastIndexOf('b' + x) == 1)", {"g": ["x"] * 1_000, "a": LONG}),
    "replace": ("claims.a.replace('a', claims.b).size()", {"a": LONG[:4_000], "b": NEAR}),
    "split": ("claims.g.all(x, claims.a.split('').size() > 0)", {"g": ["x"] * 50, "a": LONG}),
    "join": ("claims.g.all(x, claims.h.join(',') != '')", {"g": ["x"] * 10, "h": [NEAR] * 200}),
    "same lists": ("claims.g.all(x, claims.g == claims.g)", {"g": ["x"] * 900}),
    "same objects": ("claims.g.all(x, claims.m == claims.m)", {"g": ["x"] * 200, "m": {f"k{number}": 1 for number in range(2_000)}}),
    "in": ("claims.g.exists(x, x + 'y' in claims.g)", {"g": [f"g{number}" for number in range(1_000)]}),
    "kept": ("claims.g.map(x, x).size()", {"g": ["x"] * 1_500}),
    "concatenated": ("claims.g.all(x, (claims.g + claims.g).size() > 0)", {"g": ["x"] * 600}),
    "pattern of classes": ("claims.g.all(x, x.matches('[\\\\pL\\\\pN]x'))", {"g": ["x" * 9] * 60}),
    "pattern of many states in few parts": ("claims.g.all(x, x.matches('(?:a?){16}[ab]{16}c') || true)", {"g": [MIXED] * 8}),
    "pattern of classes that come to nothing": ("claims.g.all(x, x.matches('(?:\\\\pL\\\\pL){0}') || true)", {"g": ["x"] * 300}),
    "pattern of a class folded to nothing": ("claims.g.all(x, x.matches('(?i)[^\\\\PL\\\\pL]') || true)", {"g": ["x"] * 100}),
    "pattern that is long and small": (f"claims.g.all(x, x.matches('{'a*' * 2_000}') || true)", {"g": ["x"] * 100}),
    "replaced one by one": ("claims.g.all(x, claims.a.replace('a', 'bbbb') != '')", {"g": ["x"] * 300, "a": LONG}),
    "pattern of many states": ("claims.a.matches('[ab]*a[ab]{200}c')", {"a": MIXED}),
    "quote": ("claims.g.all(x, strings.quote(claims.a) != '')", {"g": ["x"] * 150, "a": '"' * 8_000}),
    "format": ("claims.g.all(x, '%s'.format([claims.h]) != '')", {"g": ["x"] * 50, "h": [-1e-300 / 3] * 300}),
    "duration": ("claims.g.all(x, duration(claims.a) != duration('1s'))", {"g": ["x"] * 300, "a": "1s" * 4_000}),
    "missing": ("claims.g.all(x, claims[claims.a] == 1 || true)", {"g": ["x"] * 500, "a": '"' * 8_000}),
    "reverse": ("claims.g.all(x, claims.a.reverse() != '')", {"g": ["x"] * 1_000, "a": LONG}),
}


@pytest.mark.parametrize(("source", "claims"), SLOW.values(), ids=SLOW)
def test_no_evaluation_takes_longer_than_was_reckoned(source: str, claims: dict[str, Any]) -> None:
    """Twice the time is granted to slower machines, and the best of three attempts counts."""
    program = compile_expression(source, Scope.MAPPING).program
    reckoned = cost(source, **claims).work / 1e9
    assert reckoned > 0.01, "too little to tell"
    assert min(seconds(lambda: program.eval(None, {"claims": claims, "name_id": "", "idp": ""})) for _ in range(3)) < 2 * reckoned


def seconds(evaluation: Callable[[], object]) -> float:
    began = time.process_time()
    evaluation()
    return time.process_time() - began


# ---- what may be evaluated --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "scope"), sorted(SHIPPED) + [(source, Scope.MAPPING) for source in COMMON])
def test_what_people_write_costs_nothing_to_reckon_at_usual_logins(source: str, scope: Scope) -> None:
    demand = compile_expression(source, scope).demand
    assert demand.usually or source == "claims.groups.map(g, claims.domain + '/' + g)"


@pytest.mark.parametrize("source", COMMON)
@pytest.mark.parametrize("groups", [20, 200, 1_000])
def test_what_people_write_is_evaluated_for_people_in_many_groups(source: str, groups: int) -> None:
    names = [f"qlik-department/{number}" for number in range(groups)]
    result(source, large=groups > 200, groups=names, roles=", ".join(names)[:8_000], domain="CONTOSO", sub="Alice", about=LONG)


def test_expressions_are_found_in_the_documentation() -> None:
    assert len(SHIPPED) > 15


@pytest.mark.parametrize(
    ("source", "short", "long"),
    [
        ("claims.a.replace('a', claims.a).size()", 3_000, 8_000),
        ("claims.a.replace('a', claims.a).replace('a', claims.a).size()", 200, 1_000),
        ("claims.g.map(x, claims.a + x).join('').size()", 3_000, 8_000),
        ("claims.g.map(x, claims.a.replace('a', claims.a)).size()", 100, 1_000),
        ("claims.g.exists(x, claims.a.indexOf(claims.a + x) == 7)", 500, 8_000),
        ("claims.g.all(x, claims.a.split('').size() > 0)", 50, 1_000),
        ("claims.a.split('').map(x, claims.g + [x]).size()", 20, 2_000),
        ("[claims.a].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x + x + x)[0].replace('a', claims.a).size()", 300, 2_000),
    ],
)
def test_an_expression_that_multiplies_is_evaluated_as_long_as_claims_are_short(source: str, short: int, long: int) -> None:
    groups = ["x"] * 1_000
    result(source, a="a" * short, g=groups)
    with pytest.raises(ExpressionFailed, match=r"x: the (claims|lists) are too long for this expression"):
        result(source, a="a" * long, g=groups * 2)


def test_a_claim_that_an_expression_does_not_read_is_not_reckoned_with() -> None:
    result("claims.a.replace('a', claims.b).replace('a', claims.b)", a="aaaa", b="aaaa", c=LONG, d=["x"] * 4_000)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("claims.a.matches(claims.b)", "the pattern of matches has to be written out"),
        ("claims.a.matches('^' + claims.b)", "the pattern of matches has to be written out"),
        ("claims.a.matches('(')", "matches: this is no regular expression"),
        ("claims.a.matches('(?:|){1000}')", "matches: the pattern is built of far more than what is left of it"),
        (r"claims.a.matches('\\pL{100}')", "matches: the pattern is too large"),
        ("claims.g.all(x, x.matches('" + r"(?:\\pL){0}" * 100 + "'))", "this could take too much time or memory even with short claims"),
        ("timestamp(0).getHours(claims.zone) == 1", "the time zone of getHours has to be written out"),
        ("google.protobuf.StringValue{value: claims.a}", "a message (google.protobuf.StringValue) cannot be made here"),
        ("[claims.a]" + ".map(x, x + x)" * 28, "this could take too much time or memory even with short claims"),
        ("claims.a" + ".replace('', claims.a)" * 6, "this could take too much time or memory even with short claims"),
        (
            f"optional.of([{'1,' * 1_500}1])" + ".optMap(x, x)" * 2 + ".hasValue()",
            "what this expression costs cannot be told: more than 5000 parts",
        ),
    ],
)
def test_an_expression_whose_cost_is_too_high_or_unknown_does_not_load(source: str, said: str) -> None:
    with pytest.raises(ExpressionProblem) as found:
        compile_expression(source, Scope.MAPPING)
    assert found.value.message.startswith(said)


def test_a_pattern_may_be_written_in_pieces() -> None:
    assert result("claims.a.matches('^a' + '+$')", a="aaa") is True


def test_a_variable_of_a_macro_hides_a_claim_of_that_name() -> None:
    """Its size is that of the elements it stands for, not of the claims."""
    assert cost("[claims.b + claims.b].map(claims, claims + claims)[0]", b=LONG).memory > 8 * len(LONG)
    assert cost("['x'].map(claims, claims + claims)[0]", b=LONG).memory < len(LONG)


def test_what_is_split_is_split_into_texts() -> None:
    """And not into what could nest, so that it may be formatted."""
    names = [",".join(["OU=x"] * 25)] * 500
    assert cost("claims.g.map(g, '%s'.format([g.split(',')[0]]))", g=names).memory < cost("claims.g.map(g, g)", g=names).memory + 10e6


@pytest.mark.parametrize(
    "pattern", ["[^\\pL\\pN._-]+", "^\\pL[\\pL\\pM'. -]*$", "^\\p{Lu}\\p{Ll}+", "\\p{Han}{2,}", "(?i)\\bqlik\\b", "a|", "(a|b)|"]
)
def test_usual_patterns_have_a_price(pattern: str) -> None:
    assert program_size(pattern) < 5_000


def test_a_list_that_could_grow_too_long_leaves_few_rounds() -> None:
    many = "claims.g.filter(x, x != 'y').size()"
    assert not cost(many, g=["x"] * 3_000).within(MOST)
    assert cost(many, rounds=FEW_ROUNDS, g=["x"] * 3_000).within(MOST)
    assert result(many, g=["x"] * 1_900) == 1_900


# ---- memory, by what is made ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("claims.g.all(x, claims.a + claims.a != '')", 100 * 16_000),
        ("claims.g.all(x, (claims.l + claims.l).size() > 0)", 100 * 2_000 * 34),
        ("claims.g.all(x, claims.a.split('').size() > 0)", 100 * 8_000 * 36),
        ("claims.g.all(x, claims.a.upperAscii() != '')", 100 * 8_000),
        ("claims.l.map(x, x.upperAscii()).size()", 1_000 * 1_000 / 2 * 36),
        ("claims.long.all(x, x.upperAscii() != '')", 50 * 8_000),
        ("claims.g.all(x, [x, x, x, x, x, x].size() > 0)", 100 * 6 * 36),
        ("claims.g.all(x, {'a': x, 'b': x}.size() > 0)", 100 * 2 * 150),
        ("claims.g.all(x, claims[claims.a] == 1 || true)", 100 * 8_000),
        ("claims.g.all(x, '%s'.format([claims.a]) != '')", 100 * 8_000),
        ("claims.g.map(x, claims.g.map(y, claims.a + y)).size()", 100 * 100 * 8_000),
        (".claims.a + .claims.a", 5 * 16_000),
        ("['x'].map(claims, .claims.a + .claims.a)", 5 * 16_000),
    ],
)
def test_no_evaluation_makes_more_than_was_reckoned(source: str, made: float) -> None:
    """Elements of lists and objects at what they were measured to take; the last one is what Python holds of a result."""
    claims = {"a": LONG, "g": ["x"] * 100, "l": ["x"] * 1_000, "long": [LONG] * 50}
    assert cost(source, **claims).memory >= made


def test_what_is_compared_and_what_a_filter_asks_costs_time() -> None:
    texts = {"g": ["x"] * 1_000, "a": LONG, "b": LONG}
    assert cost("claims.g.all(x, claims.a == claims.b)", **texts).work > 1_000 * len(LONG)
    asked = cost("claims.g.exists(x, claims.a.contains(claims.b + x))", **texts)
    assert cost("claims.g.filter(x, claims.a.contains(claims.b + x))", **texts).work > asked.work * 0.9


def test_several_macros_have_no_more_rounds_than_one() -> None:
    chain = "claims.g.map(x, x).map(x, x).map(x, x).map(x, x).size()"
    assert cost(chain, rounds=FEW_ROUNDS, g=["x"] * 3_000).within(MOST)


@pytest.mark.parametrize(
    "source",
    [
        "claims.b.replace('', claims.a)",
        "'%.999f%.999f%.999f%f'.format([1e308, 1e308, 1e308, 1e308])",
        "'%s'.format([claims.a + claims.a + claims.a + claims.a + claims.a])",
        "'%b%x%X%e%o'.format([9223372036854775807, 'ü', 'ab', 1e308, -1])",
        "strings.quote('\\n\\t\"' + claims.a)",
        "string(1e308) + string(timestamp(0)) + string(duration('1h'))",
        "claims.mixed.map(x, [x, x])",
        "[claims.mixed, claims.mixed].map(x, x.map(y, [y, x]))",
        "[{'a' + claims.a: claims.mixed}].map(x, x)",
        "claims.groups.map(x, has(claims.a))",
    ],
)
def test_a_value_of_many_is_no_larger_than_its_bounds(source: str) -> None:
    assert is_bounded(source)


def test_a_member_that_is_missing_or_asked_for_has_no_size() -> None:
    assert cost("claims.z + claims.z", b=LONG).memory < len(LONG)
    assert size_of(tree("has(claims.b)"), Parts({"claims": {"b": LONG}}), rounds=ROUNDS).chars.each == 0


def test_the_longest_list_of_a_claim_is_found_however_deep() -> None:
    assert extent({"a": {"b": ["x"] * 5}, "ü": "é"}) == Extent(2, 5, 12, 11)
    assert extent(["é", "ab"]) == Extent(2, 2, 3, 4)
    assert extent([]) == Extent(0, 1, 1, 0)


# ---- what is not known ------------------------------------------------------------------------------------------------

NUMBER, TEXT = Literal(None), Literal(b"x")


@pytest.mark.parametrize(
    "unknown",
    [
        Call("shuffle", (TEXT,), frozenset()),
        Fold("x", Listing((TEXT,)), "@r", Listing(()), NUMBER, Call("_+_", (Ident("@r"), Ident("@r")), frozenset()), Ident("@r")),
        Fold("x", Listing((TEXT,)), "@r", TEXT, NUMBER, Call("_+_", (Ident("@r"), Ident("@r")), frozenset()), Ident("@r")),
        Fold("x", Listing((TEXT,)), "@r", Listing((TEXT,)), NUMBER, Call("_+_", (Ident("@r"), Listing((TEXT,))), frozenset()), Ident("@r")),
    ],
    ids=["function", "a list that doubles", "a text that doubles", "a list that is not empty at first"],
)
def test_what_is_not_known_has_no_cost(unknown: Tree) -> None:
    with pytest.raises(Unpriced):
        cost_of(unknown, Parts({}), rounds=ROUNDS)


# ---- which claims are asked about -------------------------------------------------------------------------------------


def test_attributes_are_not_bounded_by_the_claims() -> None:
    assert compile_expression("'x' in claims.groups", Scope.ACCESS).demand.always
    demand = compile_expression("'x' in user.attributes.group", Scope.ACCESS).demand
    assert demand.usually
    assert not demand.always


def test_claims_of_the_usual_size_may_be_too_long_for_an_expression_too() -> None:
    source = "claims.a.replace('a', claims.a).replace('a', claims.a).size()"
    assert not compile_expression(source, Scope.MAPPING).demand.usually
    with pytest.raises(ExpressionFailed, match="the claims are too long"):
        result(source, large=False, a="a" * 500)


def test_an_expression_without_lists_is_reckoned_with_all_its_rounds() -> None:
    with pytest.raises(ExpressionFailed, match="the claims are too long"):
        result("claims.g.all(x, claims.a + claims.a != '')", g=["x"] * 9_000, a=LONG)


@pytest.mark.parametrize(
    ("claims", "large"),
    [
        ({"a": "a" * 500}, False),
        ({"a": "a" * 501}, True),
        ({"a": "é" * 125}, False),
        ({"a": "é" * 126}, True),
        ({"a": ["é" * 126]}, True),
        ({"a" * 501: 1}, True),
        ({"a": ["a" * 500] * 65}, False),
        ({"a": ["a" * 500] * 66}, True),
        ({"a": {str(number): "a" * 500 for number in range(66)}}, True),
        ({"a": ["a"] * 498}, False),
        ({"a": ["a"] * 499}, True),
    ],
)
def test_claims_are_large_by_their_number_or_length(claims: dict[str, Any], *, large: bool) -> None:
    assert Subject(claims=claims).large is large


@pytest.mark.parametrize(
    ("user_id", "values", "large"),
    [
        ("a" * 500, ["x"], False),
        ("a" * 501, ["x"], True),
        ("a", ["x" * 501], True),
        ("a", ["x" * 400] * 80, False),
        ("a", ["x" * 400] * 90, True),
    ],
)
def test_what_rules_made_is_large_by_its_length(user_id: str, values: list[str], *, large: bool) -> None:
    """An access rule on texts that multiply is refused where a mapping made long ones of short claims."""
    user = QlikUser(directory="D", user_id=user_id, attributes=tuple(("g", value) for value in values))
    assert _is_large(user) is large
