"""A pointer instead of groups: refused wherever something reads them."""

from __future__ import annotations

import pytest

from gateway.errors import GroupsWithheld
from gateway.explain import explain
from gateway.mapping import AccessRule, Cel, ClaimPath, FirstOf, Scope, Source, Stepped, Subject, check_complete, compile_expression
from gateway.mapping.actions import Lower
from gateway.model import JsonValue
from tests.mapping.builders import access, cel, rules

POINTERS: list[dict[str, JsonValue]] = [
    {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example.com"}}},
    {"hasgroups": True},
    {"hasgroups": "true"},
]
SAML: dict[str, JsonValue] = {"http://schemas.microsoft.com/claims/groups.link": ["https://graph.example.com"]}
SAML_GROUPS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"


@pytest.mark.parametrize("claims", POINTERS)
@pytest.mark.parametrize(
    "source",
    [
        ClaimPath(("groups",)),
        cel("claims.?groups.orValue([])"),
        cel("claims['groups']"),
        FirstOf((ClaimPath(("roles",)), ClaimPath(("groups",)))),
        Stepped(source=ClaimPath(("groups",)), actions=(Lower(),), default=("none",)),
    ],
    ids=str,
)
def test_a_mapping_that_reads_groups_is_refused(claims: dict[str, JsonValue], source: Source) -> None:
    with pytest.raises(GroupsWithheld) as refused:
        check_complete(rules(group=source), (), Subject(claims=claims))
    assert refused.value.code == "QGW-313"
    assert "the mapping of group reads claim groups" in refused.value.detail


@pytest.mark.parametrize("claims", POINTERS)
def test_a_mapping_that_needs_no_groups_goes_on(claims: dict[str, JsonValue]) -> None:
    check_complete(rules(role=ClaimPath(("roles",)), other=cel("claims.?subgroups.orValue([])")), (access("true"),), Subject(claims=claims))


def test_an_access_rule_that_reads_groups_is_refused_with_its_id() -> None:
    rule = AccessRule(
        owner="virtual proxy hr", id="hr-only", expression=compile_expression("!('hr' in claims.groups)", Scope.ACCESS), denies=True
    )
    told = explain(rules(), [rule], claims={"hasgroups": True}, name_id=None, idp="entra")
    assert isinstance(told.refusal, GroupsWithheld)
    assert told.refusal.rule == "hr-only"


def test_an_access_rule_that_asks_for_the_pointer_decides_itself() -> None:
    rule = access("groups_overage ? 'Qlik' in claims.roles : 'qlik' in claims.groups")
    told = explain(rules(), [rule], claims={"hasgroups": True, "roles": ["Qlik"]}, name_id=None, idp="entra")
    assert told.refusal is None


def test_a_pointer_in_saml_stands_for_the_groups_attribute_under_each_of_its_names() -> None:
    """The last is the short name that the presets give it."""
    for source in (ClaimPath((SAML_GROUPS,)), ClaimPath(("groups",)), Cel(compile_expression(f"claims['{SAML_GROUPS}']", Scope.MAPPING))):
        with pytest.raises(GroupsWithheld):
            check_complete(rules(group=source), (), Subject(claims=SAML))
    check_complete(rules(group=ClaimPath(("department",))), (), Subject(claims=SAML))


def test_any_claim_can_be_withheld() -> None:
    with pytest.raises(GroupsWithheld):
        check_complete(rules(role=ClaimPath(("roles",))), (), Subject(claims={"_claim_names": {"roles": "src1"}}))
    assert not Subject(claims={"_claim_names": {"roles": "src1"}}).groups_overage


@pytest.mark.parametrize("name", ["Groups", "memberOf", "https://example.com/claims/DepartmentGroups", "user_roles"])
@pytest.mark.parametrize("form", ["claim", "claims[?'{}'].orValue([])", "claims['{}']", "'{}' in claims ? claims[\"{}\"] : []"])
def test_groups_under_a_name_of_the_administrators_own_are_withheld_where_the_pointer_came_instead(name: str, form: str) -> None:
    """Entra lets one name the attribute, or send groups as roles; the pointer stays groups.link."""
    source = ClaimPath((name,)) if form == "claim" else cel(form.replace("{}", name))
    with pytest.raises(GroupsWithheld):
        check_complete(rules(group=source), (), Subject(claims=SAML))
    check_complete(rules(group=source), (), Subject(claims={**SAML, name: ["sent all the same"]}))
    check_complete(rules(group=source), (), Subject(claims={}))


def test_a_denial_by_groups_under_another_name_is_not_passed_by_being_in_too_many() -> None:
    rule = AccessRule(
        owner="virtual proxy hr",
        id="blocked",
        expression=compile_expression("'Blocked' in claims.?Groups.orValue([])", Scope.ACCESS),
        denies=True,
    )
    told = explain(rules(), [rule], claims=SAML, name_id=None, idp="entra")
    assert isinstance(told.refusal, GroupsWithheld)
    assert told.refusal.rule == "blocked"


@pytest.mark.parametrize(
    "claim",
    [
        "(claims).?memberOf.orValue([])",
        "claims // theirs\n.?memberOf.orValue([])",
        "claims[?('memberOf')].orValue([])",
        "claims[?'''memberOf'''].orValue([])",
        r"claims[?'member\u004ff'].orValue([])",
        "claims.?`member-of`.orValue([])",
        "(has((claims).memberOf) ? claims.memberOf : [])",
        "('memberOf' in (claims) ? ['Blocked'] : [])",
        "(claims.exists(name, name == 'memberOf') ? ['Blocked'] : [])",
        "[claims].map(all, all[?'memberOf'].orValue('')).filter(x, x == 'Blocked')",
    ],
)
def test_a_denial_is_not_passed_by_another_way_to_write_the_name(claim: str) -> None:
    expression = compile_expression(f"'Blocked' in {claim}", Scope.ACCESS)
    rule = AccessRule(owner="virtual proxy hr", id="blocked", expression=expression, denies=True)
    with pytest.raises(GroupsWithheld):
        check_complete(rules(), (rule,), Subject(claims=SAML))
    check_complete(rules(), (rule,), Subject(claims={}))


def test_a_rule_that_speaks_of_the_pointer_in_a_comment_alone_does_not_ask_for_it() -> None:
    with pytest.raises(GroupsWithheld):
        check_complete(rules(), (access("!('hr' in claims.?groups.orValue([])) // not groups_overage"),), Subject(claims=SAML))


def test_words_that_only_look_like_groups_are_not_claims() -> None:
    role = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
    rule = access(f"'Qlik-Group-Admins' in claims['{role}'] && user.attributes.?group.orValue([]).size() == 0")
    check_complete(rules(), (rule,), Subject(claims={**SAML, role: ["Qlik-Group-Admins"]}))
