from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import config
from gateway.cli import main
from gateway.config.diagnostics import FINDINGS, Code, Severity
from tests.lint.folders import GATEWAY, load, provider, told, write

ROOT = Path(__file__).parents[2]


def test_a_careful_configuration_has_no_findings(tmp_path: Path) -> None:
    assert load(write(tmp_path)).problems == ()


@pytest.mark.parametrize(
    "claim",
    [
        "email",
        "upn",
        "preferred_username",
        "unique_name",
        "name",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/UPN",
        "urn:oid:0.9.2342.19200300.100.1.3",
    ],
)
def test_an_id_that_can_be_given_to_somebody_else_is_found(tmp_path: Path, claim: str) -> None:
    loaded = load(write(tmp_path, entra=provider(user_id=f'{{claim: "{claim}"}}')))
    assert told(loaded) == ["entra QGW-532", "entra QGW-533"]
    assert all(claim in problem.message for problem in loaded.problems)
    assert [(problem.line, problem.severity) for problem in loaded.problems] == [(8, Severity.WARNING)] * 2
    assert loaded.configuration is not None


@pytest.mark.parametrize(
    ("user_id", "codes"),
    [
        ("{claim: [contact, email]}", ["QGW-532", "QGW-533"]),
        ("{cel: claims.email}", ["QGW-532", "QGW-533"]),
        ("{cel: claims.?email.orValue('')}", ["QGW-532", "QGW-533"]),
        ("""{cel: "claims['email']"}""", ["QGW-532", "QGW-533"]),
        ("""{cel: 'claims[?"upn"].orValue("")'}""", ["QGW-532", "QGW-533"]),
        ("{cel: claims.email.lowerAscii()}", ["QGW-532"]),
        ("{cel: claims.email.upperAscii()}", ["QGW-532"]),
        ("{claim: email, steps: [trim, lower]}", ["QGW-532"]),
        ("{first_of: [{claim: oid}, {claim: sub}]}", ["QGW-534"]),
        ("{claim: sub}", ["QGW-534"]),
        ("{cel: claims.sub.lowerAscii()}", ["QGW-534"]),
        ("{cel: claims.contact.email}", ["QGW-532", "QGW-533"]),
        ("{cel: 'claims.?contact.?email.orValue(claims.oid)'}", ["QGW-532", "QGW-533"]),
        ("""{cel: 'claims[r"email"]'}""", ["QGW-532", "QGW-533"]),
        ("{claim: emails}", ["QGW-532", "QGW-533"]),
        ("{first_of: [{claim: oid, steps: [lower]}, {claim: upn}]}", ["QGW-532", "QGW-533"]),
        ("{first_of: [{claim: oid}, {claim: upn}], steps: [trim, lower]}", ["QGW-532"]),
        ("{first_of: [{claim: oid}, {claim: upn, steps: [trim, lower]}]}", ["QGW-532"]),
        ("{claim: oid, steps: [{table: {values: {claim: x, name_id: y, email: z}}}]}", []),
        ("{claim: [email, oid]}", []),
        ("{cel: claims.oid}", []),
        ("{cel: claims.emailed}", []),
    ],
)
def test_claims_are_found_wherever_they_are_read(tmp_path: Path, user_id: str, codes: list[str]) -> None:
    assert told(load(write(tmp_path, entra=provider(user_id=user_id)))) == [f"entra {code}" for code in codes]


@pytest.mark.parametrize(
    ("user_id", "codes"),
    [
        ("{value: kiosk}", ["QGW-537"]),
        ("{first_of: [{claim: oid}, {value: guest}]}", ["QGW-537"]),
        ("""{cel: "'guest'"}""", ["QGW-537"]),
        ("{cel: idp}", ["QGW-537"]),
        ("""{cel: "claims.?oid.orValue('guest')"}""", ["QGW-537"]),
        ("""{cel: "claims.?oid.orValue('')"}""", []),
        ("""{cel: "claims.?oid.orValue(claims.tid)"}""", []),
    ],
)
def test_a_user_id_that_many_people_get_is_found(tmp_path: Path, user_id: str, codes: list[str]) -> None:
    """What docs/mapping.md says of a default: everybody without an id would be one user."""
    assert told(load(write(tmp_path, entra=provider(user_id=user_id)))) == [f"entra {code}" for code in codes]


SAML = """\
schema: 1
protocol: saml
entity_id: https://idp.example.com/saml
metadata: {url: https://idp.example.com/metadata}
mapping:
  user_directory: {value: PARTNERS}
  user_id: ID
"""
EMAIL_FORMAT = "name_id_format: urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\n"


@pytest.mark.parametrize(
    ("user_id", "more", "codes"),
    [
        ("{name_id: true}", "", ["QGW-534"]),
        ("{cel: name_id}", "", ["QGW-534"]),
        ("""{cel: "name_id.split('@')[0]"}""", "", ["QGW-534"]),
        ("""{cel: "claims.name_id[0]"}""", "", []),
        ("{name_id: true}", EMAIL_FORMAT, ["QGW-532", "QGW-533"]),
        ("{name_id: true, steps: [trim, lower]}", EMAIL_FORMAT, ["QGW-532"]),
    ],
)
def test_a_name_id_is_judged_by_its_format_wherever_it_is_read(tmp_path: Path, user_id: str, more: str, codes: list[str]) -> None:
    loaded = load(write(tmp_path, partners=SAML.replace("ID", user_id) + more))
    assert told(loaded) == [f"partners {code}" for code in codes]


def test_two_providers_of_one_site_that_share_a_directory_are_found_whatever_the_case(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, partners=provider("partners", user_directory="{value: Entra}")))
    assert told(loaded) == ["partners QGW-531"]
    assert "'entra' and 'partners'" in loaded.problems[0].message
    assert loaded.problems[0].line == 7


def test_listed_directories_count_as_well(tmp_path: Path) -> None:
    listed = "{claim: tid, one_of: [OTHER, ENTRA]}"
    loaded = load(write(tmp_path, partners=provider("partners", user_directory=listed)))
    assert told(loaded) == ["partners QGW-531"]
    assert loaded.problems[0].column == len("  user_directory: {claim: tid, one_of: [OTHER, ") + 1


def test_on_different_sites_they_are_different_users(tmp_path: Path) -> None:
    assert told(load(write(tmp_path, trial=provider("trial", user_directory="{value: ENTRA}")))) == []


def test_sites_that_share_a_node_are_one_site(tmp_path: Path) -> None:
    """Written twice for two certificates, for instance; the node says that it is one repository."""
    twice = GATEWAY.replace("https://qlik2.corp.example:4243/qps/", "https://QLIK1.corp.example:4243/qps")
    loaded = load(write(tmp_path, gateway=twice, trial=provider("trial", user_directory="{value: ENTRA}")))
    assert told(loaded) == ["trial QGW-531"]


def test_a_directory_that_is_listed_in_two_spellings_is_found(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, entra=provider(user_directory="{claim: tid, one_of: [CONTOSO, Contoso]}")))
    assert told(loaded) == ["entra QGW-535"]


@pytest.mark.parametrize("name", ["group", "Group", "email", "name", "userName", "roles"])
def test_an_attribute_of_directory_connectors_is_found(tmp_path: Path, name: str) -> None:
    loaded = load(write(tmp_path, entra=provider(attributes=f"    {name}: {{claim: x}}\n")))
    assert told(loaded) == ["entra QGW-536"]
    assert (loaded.problems[0].line, loaded.problems[0].column) == (10, 5)


def test_directories_of_qlik_sense_itself_are_an_error_before_any_finding(tmp_path: Path) -> None:
    text = provider(user_directory="{value: Internal}", user_id="{claim: email}")
    assert told(load(write(tmp_path, entra=text))) == ["entra QGW-516"]


EMAIL = "acknowledge:\n  - {finding: QGW-532, about: email, reason: Addresses are never used twice here.}\n"


def test_a_finding_that_is_acknowledged_is_no_warning_any_more(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, entra=provider(user_id="{cel: claims.email.lowerAscii()}", acknowledge=EMAIL)))
    assert loaded.problems == ()
    assert [(problem.code, problem.acknowledged) for problem in loaded.acknowledged] == [
        (Code.REASSIGNABLE_ID, "Addresses are never used twice here.")
    ]


def test_an_acknowledgement_holds_for_what_it_is_about_alone(tmp_path: Path) -> None:
    text = provider(user_id="{cel: claims.upn.lowerAscii()}", acknowledge=EMAIL)
    assert told(load(write(tmp_path, entra=text))) == ["entra QGW-532", "entra QGW-539"]


def test_without_about_it_holds_for_all_of_the_file(tmp_path: Path) -> None:
    text = provider(
        attributes="    group: {claim: x}\n    email: {claim: y}\n",
        acknowledge="acknowledge: [{finding: QGW-536, reason: No directory connector here.}]\n",
    )
    assert load(write(tmp_path, entra=text)).problems == ()


@pytest.mark.parametrize(("file", "about"), [("partners", "entra"), ("entra", "partners")])
def test_what_two_files_make_together_is_acknowledged_in_either(tmp_path: Path, file: str, about: str) -> None:
    reason = f"acknowledge: [{{finding: QGW-531, about: {about}, reason: The same people.}}]\n"
    files = {
        "entra": provider(acknowledge=reason if file == "entra" else ""),
        "partners": provider("partners", user_directory="{value: ENTRA}", acknowledge=reason if file == "partners" else ""),
    }
    loaded = load(write(tmp_path, **files))
    assert loaded.problems == ()
    assert len(loaded.acknowledged) == 1


@pytest.mark.parametrize(
    ("acknowledge", "code"),
    [
        ("{finding: QGW-536, reason: nothing to see}", "QGW-539"),
        ("{finding: QGW-516, reason: an error cannot be lived with}", "QGW-506"),
        ("{finding: QGW-532}", "QGW-505"),
        ("{finding: QGW-532, reason: }", "QGW-507"),
        ("{finding: QGW-532, resaon: x}", "QGW-504"),
    ],
)
def test_an_acknowledgement_needs_a_finding_and_a_reason(tmp_path: Path, acknowledge: str, code: str) -> None:
    loaded = load(write(tmp_path, entra=provider(acknowledge=f"acknowledge:\n  - {acknowledge}\n")))
    assert f"entra {code}" in told(loaded)


def test_gateway_yaml_has_acknowledgements_of_its_own(tmp_path: Path) -> None:
    text = GATEWAY + "acknowledge: [{finding: QGW-536, reason: nothing there}]\n"
    assert told(load(write(tmp_path, gateway=text))) == ["gateway QGW-539"]


def check(folder: Path, form: str) -> str:
    result = CliRunner().invoke(main, ["check", "--no-files", "--config", str(folder), "--format", form])
    assert result.exit_code == 0
    return result.stdout


def test_check_counts_what_is_acknowledged(tmp_path: Path) -> None:
    folder = write(tmp_path, entra=provider(user_id="{claim: email}", acknowledge=EMAIL))
    text = check(folder, "text")
    assert "entra.yaml:8:20: warning[QGW-533]" in text
    assert text.endswith(": 1 warning (1 finding acknowledged)\n")
    assert "acknowledge: [{finding: QGW-533, about: email, reason: …}]" in text


def test_programs_are_told_what_is_acknowledged_and_why(tmp_path: Path) -> None:
    folder = write(tmp_path, entra=provider(user_id="{cel: claims.email.lowerAscii()}", acknowledge=EMAIL))
    report = json.loads(check(folder, "json"))
    assert report["problems"] == []
    assert [(known["code"], known["reason"]) for known in report["acknowledged"]] == [("QGW-532", "Addresses are never used twice here.")]
    (result,) = json.loads(check(folder, "sarif"))["runs"][0]["results"]
    assert result["suppressions"] == [{"kind": "inSource", "justification": "Addresses are never used twice here."}]


def test_every_finding_is_explained() -> None:
    page = (ROOT / "docs" / "linter.md").read_text()
    assert [code for code in (*FINDINGS, Code.STALE_ACKNOWLEDGEMENT.value) if f"## {code}" not in page] == []


def test_a_configuration_with_findings_can_be_served(tmp_path: Path) -> None:
    loaded: config.Loaded = load(write(tmp_path, entra=provider(user_id="{claim: sub}")))
    assert loaded.configuration is not None
