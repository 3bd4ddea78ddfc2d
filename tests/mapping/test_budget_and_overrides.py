"""How much of a ticket attributes may take, and what a virtual proxy decides itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import AccessDenied, AttributesTooLarge, ExpressionFailed
from gateway.mapping import AccessRule, Budget, ClaimPath, Constant, Overrides, Scope, Stepped, apply, check_access, compile_expression
from gateway.model import attribute_size
from tests.mapping.builders import USER, rules, subject

GROUPS = ClaimPath(("groups",))
WHO = subject(groups=["aaaa", "bbbb", "cc"], mail=["m@x"])
ONE = attribute_size("group", "aaaa")


def budgeted(most: int, *, drop: bool) -> Stepped:
    return Stepped(source=GROUPS, budget=Budget(most=most, drop=drop))


def test_an_attribute_keeps_what_fits_into_its_budget_and_tells_what_fell_out() -> None:
    mapped = apply(rules(group=budgeted(2 * ONE - 1, drop=True), mail=ClaimPath(("mail",))), WHO, idp="entra")
    assert mapped.user.attributes == (("group", "aaaa"), ("mail", "m@x"))
    assert mapped.steps[2].changes[-1].note == "dropped 2 of 3: bbbb, cc"


def test_an_attribute_over_its_budget_refuses_unless_told_to_drop() -> None:
    with pytest.raises(AttributesTooLarge) as refused:
        apply(rules(group=budgeted(2 * ONE, drop=False)), WHO, idp="entra")
    assert refused.value.code == "QGW-310"
    assert apply(rules(group=budgeted(3 * ONE, drop=False)), WHO, idp="entra").user.attributes[0] == ("group", "aaaa")


def test_all_attributes_share_one_budget_in_their_order() -> None:
    given = replace(rules(group=GROUPS, mail=ClaimPath(("mail",)), more=Constant("m")), budget=Budget(most=2 * ONE + 8, drop=True))
    mapped = apply(given, WHO, idp="entra")
    assert mapped.user.attributes == (("group", "aaaa"), ("group", "bbbb"), ("more", "m"))
    assert mapped.steps[3].output == ()
    with pytest.raises(AttributesTooLarge, match="do not fit"):
        apply(replace(given, budget=Budget(most=2 * ONE + 8)), WHO, idp="entra")


def test_a_virtual_proxy_overrides_directory_and_attributes_and_nothing_else() -> None:
    base = rules(Constant("CONTOSO"), ClaimPath(("sub",)), group=GROUPS, mail=ClaimPath(("mail",)))
    own = Overrides(
        user_directory=ClaimPath(("tenant",)),
        directory_one_of=frozenset({"PARTNERS"}),
        attributes=(("group", Constant("external")), ("door", Constant("extranet"))),
    )
    who = subject(sub="alice", tenant="PARTNERS", groups=["a"], mail="m")
    user = apply(own.over(base), who, idp="entra").user
    assert (user.directory, user.user_id) == ("PARTNERS", "alice")
    assert user.attributes == (("group", "external"), ("mail", "m"), ("door", "extranet"))
    assert Overrides().over(base) == base
    assert Overrides(budget=Budget(most=5)).over(base).budget == Budget(most=5)


def denial(when: str, message: str | None = None) -> AccessRule:
    return AccessRule(
        owner="virtual proxy hr", id="no-guests", expression=compile_expression(when, Scope.ACCESS), denies=True, message=message
    )


def test_a_deny_rule_refuses_with_its_id_and_message() -> None:
    with pytest.raises(AccessDenied) as refused:
        check_access([denial("'sales' in user.attributes.group", "Sales has its own site.")], subject(), USER, idp="entra")
    assert (refused.value.rule, refused.value.message) == ("no-guests", "Sales has its own site.")
    assert refused.value.detail == "the access rule no-guests of virtual proxy hr gave true"
    check_access([denial("'hr' in user.attributes.group")], subject(), USER, idp="entra")


@pytest.mark.parametrize(
    "when", ["claims.missing", "claims.missing == 'x'", "claims.text", "claims.nothing", "1 / 0 == 1", "dyn(claims.?text)"]
)
def test_a_deny_rule_that_errors_refuses_with_its_id_and_without_its_message(when: str) -> None:
    with pytest.raises(ExpressionFailed) as refused:
        check_access([denial(when, "never read")], subject(text="x", nothing=None), USER, idp="entra")
    assert (refused.value.code, refused.value.rule, refused.value.message) == ("QGW-305", "no-guests", None)
