"""`mapping:`, `deny:` and their tests as they stand in a folder: what becomes of them, and what is refused where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import config
from gateway.cli.check import check
from gateway.cli.explain import explain as explain_command
from gateway.config.diagnostics import Severity
from gateway.explain import Explanation, explain
from gateway.model import JsonValue
from tests.mapping.folders import MAPPING, load, problems, write

WHOLE = """
mapping:
  user_directory:
    claim: tenant
    steps: [lower, {table: {values: {contoso: CONTOSO, partner ag: PARTNERS}}}]
    default: GUESTS
    one_of: [CONTOSO, PARTNERS, GUESTS]
  user_id:
    first_of:
      - {claim: employee}
      - {claim: upn, steps: [lower, {strip_suffix: "@contoso.example"}]}
  attributes:
    group:
      claim: "https://contoso.example/claims.groups"
      steps:
        - split: ";"
        - filter: {prefix: [qlik-, bi-], exact: all, match: "[0-9]+"}
        - replace: {text: "_", with: " "}
        - replace: {pattern: "^(qlik|bi)-(.*)$", with: '\\2 (\\1)'}
        - unique
        - cap: 3
      budget: 200
      over_budget: drop
    role:
      claim: roles
      steps: [{match: "Qlik\\\\.(.*)"}, {table: {file: ../tables/roles.csv}}]
      default: [reader]
  budget: 4096
deny:
  - {id: contractors, when: "claims.?type.orValue('') == 'contractor'", message: "Contractors sign in at <partners.example>."}
allow: "claims.?active.orValue(true)"
"""


def told(folder: Path, provider: str, sales: str = "", **claims: JsonValue) -> Explanation:
    loaded = load(folder, provider, sales)
    assert loaded.configuration is not None, loaded.problems
    entra, door = loaded.configuration.providers["entra"], loaded.configuration.virtual_proxies["sales"]
    rules = entra.rules if door.overrides is None else door.overrides.over(entra.rules)
    return explain(rules, entra.access + door.access, claims=claims, name_id=None, idp="entra")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tables = tmp_path / "idp_configs" / "tables"
    (tmp_path / "tables").mkdir()
    tables.parent.mkdir()
    (tmp_path / "tables" / "roles.csv").write_text('from,to\nSales,seller\nSales,emea\nHr,"people, ops"\n')
    return tables.parent


def test_every_key_does_what_it_says(folder: Path) -> None:
    groups = ["qlik-sales_emea;mail", "bi-a", "all;12", "bi-a"]
    found = told(
        folder,
        WHOLE,
        tenant="Contoso",
        upn="Alice@contoso.example",
        roles=["Qlik.Sales", "x"],
        **{"https://contoso.example/claims.groups": groups},
    )
    assert found.refusal is None
    assert found.ticket_request == {
        "UserDirectory": "CONTOSO",
        "UserId": "alice",
        "Attributes": [{"group": "sales emea (qlik)"}, {"group": "a (bi)"}, {"group": "all"}, {"role": "seller"}, {"role": "emea"}],
    }
    guest = told(folder, WHOLE, employee="e1", tenant="nobody")
    assert guest.ticket_request == {"UserDirectory": "GUESTS", "UserId": "e1", "Attributes": [{"role": "reader"}]}
    refused = told(folder, WHOLE, employee="e1", type="contractor").refusal
    assert refused is not None
    assert (refused.code, refused.rule, refused.message) == ("QGW-306", "contractors", "Contractors sign in at <partners.example>.")
    assert getattr(told(folder, WHOLE, employee="e1", active=False).refusal, "rule", None) == "allow"


OVERRIDES = """mapping:
  user_directory: {value: EXTRANET}
  attributes:
    role: {value: guest}
deny: [{id: not-here, when: "user.directory == 'EXTRANET' && user.id == 'e2'"}]
"""


def test_a_virtual_proxy_overrides_what_it_names(folder: Path) -> None:
    found = told(folder, WHOLE, OVERRIDES, employee="e1")
    assert found.ticket_request == {"UserDirectory": "EXTRANET", "UserId": "e1", "Attributes": [{"role": "guest"}]}
    assert getattr(told(folder, WHOLE, OVERRIDES, employee="e2").refusal, "rule", None) == "not-here"


def directory(rest: str) -> str:
    return f"mapping:\n  user_directory: {rest}\n  user_id: {{claim: oid}}\n"


def attribute(rest: str, name: str = "group") -> str:
    return f"{MAPPING}  attributes:\n    {name}: {rest}\n"


@pytest.mark.parametrize(
    ("provider", "code", "words"),
    [
        (attribute("{steps: [lower]}"), "QGW-518", "one of value, claim, cel, name_id, first_of is needed here"),
        (attribute("{claim: a, first_of: [{claim: b}, {claim: c}]}"), "QGW-518", "exclude each other"),
        (attribute("{first_of: [{claim: b}, {}]}"), "QGW-518", "one of value, claim, cel, name_id is needed here"),
        (attribute("{first_of: [{claim: b}]}"), "QGW-507", "must not be empty"),
        (attribute("{value: a, steps: [lower]}"), "QGW-518", "steps beside a constant"),
        (attribute("{claim: a, steps: []}"), "QGW-507", "must not be empty"),
        (attribute("{claim: a, steps: [loewr]}"), "QGW-506", "this must be lower, upper, trim or unique"),
        (attribute("{claim: a, steps: [{cap: 2, split: x}]}"), "QGW-518", "exactly one of strip_prefix"),
        (attribute("{claim: a, steps: [{cap: 0}]}"), "QGW-506", "the least possible value is 1"),
        (attribute("{claim: a, steps: [{match: '('}]}"), "QGW-515", "no regular expression"),
        (attribute("{claim: a, steps: [{match: '(a)(b)'}]}"), "QGW-515", "only one group"),
        (attribute("{claim: a, steps: [{replace: {with: b}}]}"), "QGW-518", "exactly one of text, pattern"),
        (attribute("{claim: a, steps: [{replace: {pattern: a, with: '\\1'}}]}"), "QGW-515", "the pattern has 0 groups"),
        (attribute("{claim: a, steps: [{filter: {}}]}"), "QGW-518", "a filter needs"),
        (attribute("{claim: a, steps: [{table: {otherwise: keep}}]}"), "QGW-518", "exactly one of values, file"),
        (attribute("{claim: a, steps: [{table: {file: absent.csv}}]}"), "QGW-511", "this file does not exist"),
        (attribute("{claim: a, over_budget: drop}"), "QGW-518", "over_budget needs a budget"),
        (attribute("{claim: a, budget: 20000}"), "QGW-506", "the greatest possible value is 12288"),
        (attribute("{name_id: true}"), "QGW-518", "an OpenID provider sends no NameID"),
        (attribute("{claim: a}", "UserId"), "QGW-516", "part of the user's identity"),
        (attribute("{claim: a}", "SecureRequest"), "QGW-516", "set by Qlik Sense itself"),
        (attribute("{claim: a}", "'a;b'"), "QGW-516", "in its name"),
        (attribute("{claim: a}") + "    Group: {claim: b}\n", "QGW-510", "'group' and 'Group' are one name to Qlik Sense"),
        (directory("{first_of: [{claim: a}, {value: B}]}"), "QGW-518", "needs one_of"),
        (directory("{claim: a, default: C, one_of: [A, B]}"), "QGW-518", "this directory is not in one_of"),
        (directory("{claim: a, default: INTERNAL, one_of: [A]}"), "QGW-516", "INTERNAL"),
        (MAPPING.replace("{claim: oid}", "{claim: oid, default: x}"), "QGW-504", "there is no key 'default' here"),
        (MAPPING + "deny: [{id: a, when: 'true'}, {id: a, when: 'false'}]\n", "QGW-510", "two access rules have the id 'a'"),
        (MAPPING + "deny: [{id: allow, when: 'true'}]\n", "QGW-510", "two access rules have the id 'allow'"),
        (MAPPING + "deny: [{id: a, when: 'clams.x'}]\n", "QGW-515", "there is no 'clams.x' here"),
        (MAPPING + "deny: [{id: a, when: \"'x'\"}]\n", "QGW-515", "must be true or false"),
        (MAPPING + "deny: [{id: a, when: 'true', message: \"a\\nb\"}]\n", "QGW-506", "one line"),
        (MAPPING + "deny: [{when: 'true'}]\n", "QGW-505", "the key 'id' is missing"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder: Path, provider: str, code: str, words: str) -> None:
    found = problems(folder, provider)
    assert [(given, words in message) for given, _, message in found] == [(code, True)], found


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", "a,b\n", "the first line of a table in CSV is from,to"),
        ("t.csv", "from,to\na,b,c\n", "line 2 of the table has 3 columns"),
        ("t.csv", "from,to\na,\n", "line 2 of the table has an empty value"),
        ("t.csv", 'from,to\n"a,b\n', "no CSV"),
        ("t.csv", "from,to\n", "the table has no entries"),
        ("t.csv", "from,to\na,b\x07\n", "line 2 of the table"),
        ("t.yaml", "- a\n", "a mapping of values to values"),
        ("t.yaml", "a: 1\n", "line 1 of the table holds something else than text"),
        ("t.yaml", "a: [b, {c: d}]\n", "line 1 of the table holds something else than text"),
        ("t.yaml", "a: b\na: c\n", "line 2 of the table"),
        ("t.txt", "a\n", "a table's file is .csv or .yaml"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_with_its_line(folder: Path, name: str, content: str, words: str) -> None:
    (folder.parent / name).write_text(content)
    ((code, line, message),) = problems(folder, attribute(f"{{claim: a, steps: [{{table: {{file: ../{name}}}}}]}}"))
    assert (code, name in line, words in message) == ("QGW-511", True, True), message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "\ufefffrom,to\r\na,x\r\na,y\r\n\r\n"),
        ("t.csv", "from;to\na;x\na;y\n"),
        ("t.yaml", "a: [x, y]\n"),
    ],
    ids=["comma", "semicolon", "yaml"],
)
def test_a_table_may_come_from_a_spreadsheet_or_from_yaml(folder: Path, name: str, content: str) -> None:
    (folder.parent / name).write_text(content)
    found = told(folder, attribute(f"{{claim: a, steps: [{{table: {{file: ../{name}}}}}]}}"), oid="o", a=["a", "b"])
    assert found.ticket_request is not None
    assert found.ticket_request["Attributes"] == [{"group": "x"}, {"group": "y"}]


TESTS = """
tests:
  - name: an employee
    claims: {employee: e1, roles: [Qlik.Sales], nothing: null, n: 1.5, deep: {a: [true]}}
    expect: {user_directory: GUESTS, user_id: e1, attributes: {role: [seller, emea]}}
  - name: a contractor
    claims: {employee: e1, type: contractor}
    refused: QGW-306
    rule: contractors
  - name: at the extranet
    virtual_proxy: sales
    claims: {employee: e1}
    expect: {user_directory: EXTRANET}
  - name: without an id
    claims: {}
    refused: QGW-303
"""


def test_tests_that_come_out_as_they_say_are_silent(folder: Path) -> None:
    assert problems(folder, WHOLE + TESTS, OVERRIDES) == []


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("user_id: e1,", "user_id: e2,", "expect: {user_directory: GUESTS", "test 'an employee': the user id is 'e1'"),
        ("[seller, emea]", "seller", "expect: {user_directory: GUESTS", "the attribute 'role' is [seller, emea]"),
        ("attributes: {role: [seller, emea]}", "attributes: {}", "expect: {user_directory: GUESTS", "there is an attribute 'role', too"),
        ("refused: QGW-306", "refused: QGW-305", "refused: QGW-305", "refused with QGW-306: the access rule contractors"),
        ("rule: contractors", "rule: allow", "rule: allow", "refused by contractors"),
        ("type: contractor}", "type: x}", "refused: QGW-306", "allowed in as GUESTS\\e1"),
        (
            "claims: {employee: e1}\n    expect: {user_directory: EX",
            "claims: {}\n    expect: {user_directory: EX",
            "expect:",
            "refused with QGW-303",
        ),
        ("EXTRANET}", "CONTOSO}", "expect: {user_directory: CONTOSO}", "the user directory is 'EXTRANET'"),
    ],
)
def test_a_test_that_fails_is_a_problem_at_its_line(folder: Path, before: str, after: str, line: str, words: str) -> None:
    changed = TESTS.replace(before, after, 1)
    assert changed != TESTS
    ((code, excerpt, message),) = problems(folder, WHOLE + changed, OVERRIDES)
    assert (code, excerpt.startswith(line), words in message) == ("QGW-524", True, True), (excerpt, message)


@pytest.mark.parametrize(
    ("tests", "code", "words"),
    [
        ("- {name: a, claims: {}}", "QGW-518", "exactly one of expect, refused"),
        ("- {name: a, claims: {}, refused: QGW-204}", "QGW-506", "QGW-3nn"),
        ("- {name: a, claims: {}, refused: QGW-303, virtual_proxy: slaes}", "QGW-508", "there is no virtual proxy 'slaes'"),
        ("- {name: a, claims: [], refused: QGW-303}", "QGW-506", "a mapping of keys"),
        ("- {name: a, claims: {oid: x}, expect: {user_id: 1}}", "QGW-506", "must be a text"),
    ],
)
def test_a_test_that_says_nothing_is_refused(folder: Path, tests: str, code: str, words: str) -> None:
    ((given, _, message),) = problems(folder, f"{MAPPING}tests:\n  {tests}\n")
    assert (given, words in message) == (code, True), message


def test_a_test_at_a_virtual_proxy_that_does_not_offer_the_provider_is_refused(folder: Path) -> None:
    write(folder, f"{MAPPING}tests: [{{name: a, claims: {{}}, refused: QGW-303, virtual_proxy: sales}}]\n")
    text = (folder / "entra.yaml").read_text()
    (folder / "other.yaml").write_text(text)
    loaded = config.load(folder, environ={}, files=False)
    errors = [problem for problem in loaded.problems if problem.severity is Severity.ERROR]
    assert [(problem.file, problem.code.value) for problem in errors] == [("other.yaml", "QGW-508")]


def test_a_failing_test_keeps_the_configuration_from_being_used(folder: Path) -> None:
    loaded = load(folder, f"{MAPPING}tests: [{{name: a, claims: {{oid: x}}, refused: QGW-303}}]\n")
    assert loaded.configuration is None


def test_check_runs_tests_and_leaves_out_those_that_need_an_unread_table(folder: Path) -> None:
    write(folder, f"{MAPPING}tests: [{{name: a, claims: {{oid: x}}, refused: QGW-303}}]\n")
    outcome = CliRunner().invoke(check, ["--config", str(folder), "--no-files"])
    assert (outcome.exit_code, "QGW-524" in outcome.stdout, "entra.yaml:" in outcome.stdout) == (1, True, True)
    broken = TESTS.replace("user_id: e1", "user_id: e2")
    write(folder, WHOLE + broken)
    (folder.parent / "tables" / "roles.csv").unlink()
    assert CliRunner().invoke(check, ["--config", str(folder), "--no-files"]).exit_code == 0


def test_explain_shows_each_step_and_each_rule(folder: Path) -> None:
    write(folder, WHOLE, OVERRIDES)
    claims = json.dumps({"employee": "e1", "type": "contractor", "https://contoso.example/claims.groups": "mail;all"})
    arguments = ["--config", str(folder), "--idp", "entra", "--vp", "sales", "--claims", "-"]
    outcome = CliRunner().invoke(explain_command, [*arguments, "--format", "json"], input=claims)
    assert outcome.exit_code == 1
    report = json.loads(outcome.stdout)
    group = next(step for step in report["steps"] if step["name"] == "attributes.group")
    assert group["steps"][1] == {
        "step": "filter: {prefix: [qlik-, bi-], exact: [all], match: [0-9]+}",
        "input": ["mail", "all"],
        "output": ["all"],
        "note": "dropped 1 of 2: mail",
    }
    assert [(rule["id"], rule["kind"], rule["hit"], rule["passed"]) for rule in report["rules"]] == [
        ("contractors", "deny", True, False),
        ("allow", "allow", True, True),
        ("not-here", "deny", False, True),
    ]
    assert report["refusal"]["rule"] == "contractors"
    text = CliRunner().invoke(explain_command, arguments, input=claims).stdout
    for line in ('    split: ;: "mail", "all"', "contractors of identity provider entra", "-> hit, refuses", "the user reads: Contractors"):
        assert line in text


# ---- what a virtual proxy takes away, and what nobody can read ------------------------------------------------------------


WITH_MAIL = f"{MAPPING}  attributes:\n    email: {{claim: email}}\n    group: {{claim: groups}}\n"


def test_an_attribute_is_taken_away_at_a_virtual_proxy(folder: Path) -> None:
    found = told(folder, WITH_MAIL, "mapping: {without: [email]}\n", oid="a", email="a@example.com", groups=["x"])
    assert found.ticket_request == {"UserDirectory": "CONTOSO", "UserId": "a", "Attributes": [{"group": "x"}]}
    assert [step.name for step in found.steps] == ["user_directory", "user_id", "attributes.group"]


def test_what_is_taken_away_is_there_to_be_taken(folder: Path) -> None:
    ((code, line, message),) = problems(folder, WITH_MAIL, "mapping: {without: [emial]}\n")
    assert (code, line, message) == ("QGW-508", "mapping: {without: [emial]}", "no identity provider here maps an attribute 'emial'")
    (problem,) = load(folder, WITH_MAIL, "mapping: {without: [emial]}\n").problems[:1]
    assert problem.hint == "did you mean 'email'?"


def test_an_override_that_differs_in_case_alone_would_be_one_attribute_with_two_meanings(folder: Path) -> None:
    ((code, _, message),) = problems(folder, WITH_MAIL, "mapping:\n  attributes:\n    Group: {value: guest}\n")
    assert (code, message) == ("QGW-510", "'Group' and the identity provider's 'group' are one name to Qlik Sense")


@pytest.mark.parametrize(
    "text",
    [
        directory("{cel: \"name_id.split('@')[0]\", one_of: [CONTOSO]}"),
        attribute('{first_of: [{claim: email}, {cel: "name_id"}]}'),
        f"{MAPPING}allow: \"name_id != ''\"\n",
        f'{MAPPING}deny: [{{id: x, when: "user.id == name_id"}}]\n',
    ],
)
def test_a_name_id_is_not_for_openid_providers_whoever_asks_for_it(folder: Path, text: str) -> None:
    ((code, _, message),) = problems(folder, text)
    assert (code, message) == ("QGW-515", "an OpenID provider sends no NameID: name_id is for SAML")


@pytest.mark.parametrize("sales", ["allow: \"name_id != ''\"\n", 'mapping: {attributes: {a: {cel: "name_id"}}}\n'])
def test_nor_for_a_virtual_proxy_of_openid_providers_alone(folder: Path, sales: str) -> None:
    ((code, _, _),) = problems(folder, MAPPING, sales)
    assert code == "QGW-515"
    ((code, _, _),) = problems(folder, MAPPING, "mapping: {attributes: {a: {name_id: true}}}\n")
    assert code == "QGW-518"


@pytest.mark.parametrize("rule", ["claims.name_id == 'x'", "claims['name_id'] == 'name_id'", "true // name_id", "my.name_id == 1"])
def test_a_text_a_member_or_a_comment_of_that_name_is_no_name_id(folder: Path, rule: str) -> None:
    assert "QGW-515" not in {code for code, _, message in problems(folder, f'{MAPPING}allow: "{rule}"\n') if "NameID" in message}
