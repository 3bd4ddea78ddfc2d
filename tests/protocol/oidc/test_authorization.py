from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.errors import GatewayError, MalformedResponse, MixUp, NoLoginInFlight, SignInDenied
from gateway.model import Binding, IdpResponse, TransactionId
from gateway.protocol import oidc
from gateway.strength import Strength
from tests.fakes import CountingEntropy
from tests.protocol.oidc.forge import CODE, ISSUER, metadata, relying_party

STATE = TransactionId("q" * 22)
SECRETS = oidc.login_secrets(b"s" * 32)


def query(rp: oidc.RelyingParty | None = None, strength: Strength | None = None, **changes: Any) -> dict[str, str]:
    rp = rp or relying_party()
    base = oidc.authorization_base(rp, metadata(rp, **changes))
    url = oidc.authorization_request(base, state=STATE, secrets=SECRETS, rp=rp, strength=strength or Strength()).url
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(pairs) == len(dict(pairs)), "no parameter twice (RFC 6749 §3.1)"
    return dict(pairs)


def test_the_request_carries_what_the_standard_asks_for_and_nothing_else() -> None:
    """OIDC Core §3.1.2.1, RFC 7636 §4.3."""
    assert query() == {
        "response_type": "code",
        "client_id": "gateway",
        "redirect_uri": "https://sso.example.com/idp/op/callback",
        "scope": "openid",
        "state": STATE,
        "nonce": SECRETS.nonce,
        "code_challenge": SECRETS.code_challenge,
        "code_challenge_method": "S256",
    }


def test_the_challenge_is_the_verifiers_sha256() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    known = oidc.LoginSecrets(code_verifier=verifier)
    assert known.code_challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_form_post_is_asked_for_only_where_it_is_configured() -> None:
    assert query(relying_party(response_mode=Binding.FORM_POST))["response_mode"] == "form_post"
    assert "response_mode" not in query()


def test_extra_parameters_are_added() -> None:
    rp = relying_party(authorization_params={"prompt": "login", "uri": "x y", "resource": "urn:ä"}, scopes=("openid", "a b", "c"))
    sent = query(rp)
    assert (sent["prompt"], sent["uri"], sent["resource"], sent["scope"]) == ("login", "x y", "urn:ä", "openid a b c")


def test_a_query_of_the_endpoint_stays() -> None:
    """RFC 6749 §3.1."""
    sent = query(authorization_endpoint="https://op.example/authorize?p=policy&empty=")
    assert (sent["p"], sent["empty"], sent["client_id"]) == ("policy", "", "gateway")


def test_ten_thousand_logins_have_ten_thousand_secrets_of_256_bits() -> None:
    entropy = CountingEntropy()
    secrets = [oidc.login_secrets(entropy.token(oidc.SEED_SIZE)) for _ in range(10_000)]
    assert len({s.nonce for s in secrets} | {s.code_verifier for s in secrets}) == 20_000
    assert all(len(s.nonce) == len(s.code_verifier) == 43 for s in secrets)


def test_the_url_does_not_show_in_a_log() -> None:
    request = oidc.authorization_request("https://x?a=b", state=STATE, secrets=SECRETS, rp=relying_party(), strength=Strength())
    assert SECRETS.nonce not in repr(request)
    assert SECRETS.nonce not in repr(SECRETS)


# ---- the answer --------------------------------------------------------------------------------------------------------

GOOD = {"code": CODE, "state": STATE, "iss": ISSUER}


def answer(fields: dict[str, str], **changes: Any) -> str:
    response = IdpResponse(binding=Binding.QUERY, fields=fields)
    return oidc.verify_authorization_response(response, state=STATE, rp=relying_party(), metadata=metadata(**changes)).reveal()


def test_a_good_answer_gives_the_code() -> None:
    assert answer(GOOD | {"session_state": "x", "scope": "openid"}) == CODE


def test_a_provider_that_does_not_name_itself_need_not() -> None:
    silent = {"code": CODE, "state": STATE}
    assert answer(silent, authorization_response_iss_parameter_supported=False) == CODE
    assert answer(silent, authorization_response_iss_parameter_supported=...) == CODE


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"code": CODE, "iss": ISSUER}, MalformedResponse, id="state missing"),
        pytest.param(GOOD | {"state": ""}, NoLoginInFlight, id="state empty"),
        pytest.param(GOOD | {"state": STATE + "x"}, NoLoginInFlight, id="state of another login"),
        pytest.param(GOOD | {"state": STATE.upper()}, NoLoginInFlight, id="state in other case"),
        pytest.param(GOOD | {"state": "é\ud800"}, NoLoginInFlight, id="state not ASCII"),
        pytest.param({"code": CODE, "state": STATE}, MixUp, id="iss missing though announced"),
        pytest.param(GOOD | {"iss": "https://evil.example"}, MixUp, id="iss of another provider"),
        pytest.param(GOOD | {"iss": ISSUER + "/"}, MixUp, id="iss with a slash more"),
        pytest.param(GOOD | {"iss": ""}, MixUp, id="iss empty"),
        pytest.param({"error": "access_denied", "state": STATE, "iss": "https://evil.example"}, MixUp, id="an error of another provider"),
        pytest.param({"error": "access_denied", "state": STATE}, MixUp, id="an error without iss"),
        pytest.param({"error": "access_denied", "state": STATE, "iss": ISSUER}, SignInDenied, id="denied"),
        pytest.param(GOOD | {"error": "access_denied"}, SignInDenied, id="denied, and a code"),
        pytest.param(GOOD | {"error": ""}, SignInDenied, id="an empty error, and a code"),
        pytest.param({"state": STATE, "iss": ISSUER}, MalformedResponse, id="code missing"),
        pytest.param(GOOD | {"code": ""}, MalformedResponse, id="code empty"),
        pytest.param(GOOD | {"code": "x" * 8193}, MalformedResponse, id="code too long"),
        pytest.param(GOOD | {"code": "a\nb"}, MalformedResponse, id="code with a line break"),
        pytest.param(GOOD | {"code": "a\n"}, MalformedResponse, id="code with a line break at the end"),
        pytest.param(GOOD | {"code": "é"}, MalformedResponse, id="code not ASCII"),
        pytest.param({"response": "a.b.c", "state": STATE, "iss": ISSUER}, MalformedResponse, id="a signed answer that was not asked for"),
        pytest.param({}, MalformedResponse, id="nothing"),
    ],
)
def test_a_changed_answer_is_refused(fields: dict[str, str], error: type[GatewayError]) -> None:
    """OIDC Core §3.1.2.5 to §3.1.2.7, RFC 9207 §2.4."""
    with pytest.raises(GatewayError) as caught:
        answer(fields)
    assert caught.value.code == error.code


def test_a_wrong_issuer_is_refused_even_where_none_is_announced() -> None:
    with pytest.raises(MixUp):
        answer(GOOD | {"iss": "https://evil.example"}, authorization_response_iss_parameter_supported=False)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("access_denied", "access_denied"),
        ("login_required", "login_required"),
        ("<script>alert(1)</script>", "an error of the provider's own"),
        ("AADSTS50105", "an error of the provider's own"),
    ],
)
def test_only_standard_error_names_are_repeated(error: str, said: str) -> None:
    fields = {"error": error, "error_description": "alice@example.com may not", "state": STATE, "iss": ISSUER}
    with pytest.raises(SignInDenied) as caught:
        answer(fields)
    assert caught.value.detail == said
