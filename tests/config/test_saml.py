"""The SAML provider's file: its mistakes at their places, and what a good one becomes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway import config
from gateway.config.diagnostics import Severity
from gateway.config.reporting import as_text
from gateway.config.settings import MetadataSettings, SamlSettings
from gateway.mapping import ClaimPath, Constant, NameId
from gateway.protocol import saml
from tests.config.folders import ADFS, GOOD_SAML, SECRET, Shelf
from tests.config.mistakes import Mistake
from tests.config.saml_mistakes import SAML_MISTAKES
from tests.config.test_mistakes import told
from tests.peers.saml_forge import party

THEIRS = "http://adfs.example.com/adfs/services/trust"
FULL = """
sp:
  entity_id: urn:example:qlik
  key: ../certs/saml_locked.pem
  key_password: {env: QLIKGW_SAML_PASSWORD}
  certificate: ../certs/saml.pem
  sign_metadata: true
  encryption: true
authentication: {force_authn: true, authn_context: ["urn:oasis:names:tc:SAML:2.0:ac:classes:X509"]}
name_id_format: urn:oasis:names:tc:SAML:2.0:nameid-format:persistent
clock_skew: 3m
second_opinion: false
allow_cbc_encryption: true
"""
PLAIN = f"""\
schema: 1
protocol: saml
entity_id: {THEIRS}
metadata: {{url: https://adfs.example.com/metadata.xml}}
mapping: {{user_directory: {{value: PARTNERS}}, user_id: {{name_id: true}}}}
"""


def built(shelf: Shelf, text: str, **environ: str) -> SamlSettings:
    loaded = shelf.load(shelf.with_saml(text), **environ)
    assert [problem for problem in loaded.problems if problem.severity is Severity.ERROR] == []
    assert loaded.configuration is not None
    provider = loaded.configuration.providers["adfs"]
    assert isinstance(provider, SamlSettings)
    return provider


@pytest.mark.parametrize("mistake", SAML_MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_told_at_its_place(shelf: Shelf, mistake: Mistake) -> None:
    assert mistake.old is not None
    assert isinstance(mistake.new, str)
    assert mistake.old in GOOD_SAML
    folder = shelf.with_saml(GOOD_SAML.replace(mistake.old, mistake.new, 1))
    loaded = shelf.load(folder)
    assert told(loaded, folder, ADFS) == mistake.told
    assert loaded.configuration is None
    assert SECRET not in "".join(as_text(problem) for problem in loaded.problems)


def test_unsolicited_responses_lead_to_a_virtual_proxy_that_offers_the_provider(shelf: Shelf) -> None:
    (problem,) = shelf.load(shelf.folder(adfs=GOOD_SAML)).problems
    assert (problem.file, problem.line, problem.code) == ("adfs.yaml", 13, "QGW-508")
    assert problem.message == "the virtual proxy 'sales' does not offer this identity provider"
    assert problem.hint == "add adfs to its identity_providers"


def test_without_files_nothing_that_is_named_is_read(shelf: Shelf) -> None:
    folder = shelf.with_saml(GOOD_SAML.replace("saml_key.pem", "nowhere.pem").replace("adfs.xml", "nowhere.xml"))
    assert [problem.line for problem in shelf.load(folder).problems if problem.severity is Severity.ERROR] == [5, 7]
    without = config.load(folder, environ={}, files=False).problems
    assert [problem for problem in without if problem.severity is Severity.ERROR] == []


def test_a_provider_has_the_documented_defaults(shelf: Shelf) -> None:
    provider = built(shelf, PLAIN)
    assert (provider.name, provider.display_name, provider.idp_initiated, provider.sign_metadata) == ("adfs", "adfs", None, False)
    assert provider.access == ()
    assert provider.metadata == MetadataSettings(url="https://adfs.example.com/metadata.xml")
    assert provider.service_provider == saml.ServiceProvider(
        entity_id="https://sso.example.com/idp/adfs/metadata",
        acs_url="https://sso.example.com/idp/adfs/acs",
        slo_url="https://sso.example.com/idp/adfs/slo",
        idp_entity_id=THEIRS,
    )
    assert not provider.service_provider.logs_out, "without a key there is no single logout"
    sp = provider.service_provider
    assert (sp.sign_requests, sp.offer_encryption, sp.force_authn, sp.allow_cbc_encryption) == (False, False, False, False)
    assert (sp.second_opinion, sp.clock_skew) == (True, timedelta(seconds=60))


def test_a_good_file_becomes_a_service_provider_with_its_keys(shelf: Shelf) -> None:
    provider = built(shelf, GOOD_SAML)
    sp = provider.service_provider
    assert (provider.display_name, provider.idp_initiated) == ("Partners", "sales")
    assert [pair.certificate for pair in sp.keys] == [party("sp").trusted]
    assert sp.next_certificate == party("sp-next").trusted
    assert (sp.sign_requests, sp.name_id_format, sp.short_names) == (True, None, saml.PRESETS["adfs"])
    assert provider.metadata.document == (shelf.base / "certs" / "adfs.xml").read_bytes()
    assert provider.rules.user_directory == Constant("PARTNERS")
    assert provider.rules.user_id == NameId()
    assert provider.rules.attributes == (("group", ClaimPath(("http://schemas.xmlsoap.org/claims/Group",))),)
    assert [rule.owner for rule in provider.access] == ["identity provider adfs"]


def test_every_setting_is_read(shelf: Shelf) -> None:
    provider = built(shelf, PLAIN + FULL, QLIKGW_SAML_PASSWORD=SECRET)
    sp = provider.service_provider
    assert (sp.entity_id, sp.acs_url) == ("urn:example:qlik", "https://sso.example.com/idp/adfs/acs")
    assert [pair.certificate for pair in sp.keys] == [party("sp").trusted]
    assert (provider.sign_metadata, sp.offer_encryption, provider.strength.fresh) == (True, True, True)
    assert provider.strength.authn_context == ("urn:oasis:names:tc:SAML:2.0:ac:classes:X509",)
    assert sp.name_id_format == "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    assert (sp.clock_skew, sp.second_opinion, sp.allow_cbc_encryption) == (timedelta(minutes=3), False, True)


def test_a_logout_address_needs_a_key_to_sign_with(shelf: Shelf) -> None:
    by_hand = "sso_url: https://adfs.example.com/adfs/ls/\nslo_url: https://adfs.example.com/slo\ncertificates: [../certs/idp.pem]"
    alone = PLAIN.replace("metadata: {url: https://adfs.example.com/metadata.xml}", by_hand)
    (problem,) = [one for one in shelf.load(shelf.with_saml(alone)).problems if one.severity is Severity.ERROR]
    assert (problem.line, problem.code) == (5, "QGW-505")
    assert problem.message == "slo_url needs sp.key and sp.certificate: logout messages are signed"
    fixed = built(shelf, alone + "sp: {key: ../certs/saml_key.pem, certificate: ../certs/saml.pem}\n").metadata.fixed
    assert fixed is not None
    assert fixed.logout == saml.LogoutService(redirect="https://adfs.example.com/slo", redirect_answers="https://adfs.example.com/slo")


def test_single_settings_take_the_place_of_metadata(shelf: Shelf) -> None:
    by_hand = "sso_url: https://adfs.example.com/adfs/ls/\ncertificates: [../certs/idp.pem, ../certs/federation.pem]"
    described = built(shelf, PLAIN.replace("metadata: {url: https://adfs.example.com/metadata.xml}", by_hand)).metadata.fixed
    assert described == saml.IdentityProviderMetadata(
        entity_id=THEIRS,
        certificates=(party("idp").trusted, party("federation").trusted),
        sso_redirect="https://adfs.example.com/adfs/ls/",
    )


def test_signed_metadata_is_verified_with_its_certificate(shelf: Shelf) -> None:
    source = "{file: ../certs/adfs_signed.xml, signing_certificate: ../certs/federation.pem}"
    settings = built(shelf, GOOD_SAML.replace("{file: ../certs/adfs.xml}", source)).metadata
    assert settings.signing_certificate == party("federation").trusted


def test_no_key_shows_itself(shelf: Shelf) -> None:
    shown = repr(built(shelf, PLAIN + FULL, QLIKGW_SAML_PASSWORD=SECRET))
    assert "PRIVATE" not in shown
    assert SECRET not in shown
