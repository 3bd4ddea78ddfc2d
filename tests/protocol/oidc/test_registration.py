from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.model import Binding, Secret
from gateway.protocol import oidc
from tests.protocol.oidc.forge import relying_party


def test_the_digest_names_issuer_and_client() -> None:
    digests = {
        oidc.registration(rp)
        for rp in (
            relying_party(),
            relying_party(issuer="https://other.example"),
            relying_party(client_id="other"),
            relying_party(issuer="https://op.example/a", client_id="b"),
            relying_party(issuer="https://op.example/", client_id="a/b"),
        )
    }
    assert len(digests) == 5
    assert all(len(digest) == 32 for digest in digests)


def test_the_digest_stays_when_something_else_changes() -> None:
    changed = relying_party(scopes=("openid", "email"), clock_skew=timedelta(seconds=5), client_auth=oidc.NoClientAuth())
    assert oidc.registration(changed) == oidc.registration(relying_party())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"issuer": "http://op.example"}, "https", id="issuer http"),
        pytest.param({"issuer": "op.example"}, "https", id="issuer without scheme"),
        pytest.param({"issuer": "https://op.example?x=1"}, "https", id="issuer with a query"),
        pytest.param({"issuer": "https://op.example#x"}, "https", id="issuer with a fragment"),
        pytest.param({"issuer": "https://u@op.example"}, "https", id="issuer with user information"),
        pytest.param({"scopes": ("profile",)}, "openid", id="no scope openid"),
        pytest.param({"response_mode": Binding.SAML_POST}, "response_mode", id="a SAML binding"),
        pytest.param({"id_token_algorithms": ("RS512",)}, "RS256", id="an algorithm that is not supported"),
        pytest.param({"authorization_params": {"state": "x"}}, "state", id="a parameter of ours"),
        pytest.param({"authorization_params": {"Nonce": "x"}}, "Nonce", id="a parameter of ours in other case"),
        pytest.param({"authorization_params": {"request_uri": "x"}}, "request_uri", id="a request object"),
        pytest.param({"authorization_params": {"max_age": "-1"}}, "max_age", id="a negative max_age"),
        pytest.param({"authorization_params": {"max_age": ""}}, "max_age", id="an empty max_age"),
        pytest.param({"authorization_params": {"max_age": "9" * 5000}}, "max_age", id="a max_age of 5,000 digits"),
    ],
)
def test_what_cannot_be_used_safely_is_not_registered(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        relying_party(**change)


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9000", "http://localhost/realm", "http://[::1]:9000"])
def test_an_issuer_on_loopback_may_be_http(issuer: str) -> None:
    assert relying_party(issuer=issuer).issuer == issuer


def test_the_names_for_the_configurations_check() -> None:
    assert {"RS256", "PS256", "ES256", "EdDSA", "Ed25519", "Ed448"} == oidc.SUPPORTED_ALGORITHMS
    assert all(name == name.lower() for name in oidc.RESERVED_AUTHORIZATION_PARAMS)


def test_no_secret_shows() -> None:
    for auth in (oidc.ClientSecretBasic(secret=Secret("s3cret")), oidc.ClientSecretPost(secret=Secret("s3cret"))):
        assert "s3cret" not in repr(relying_party(client_auth=auth))


def test_equal_registrations_are_equal() -> None:
    """A reload carries unchanged providers over by comparing their registrations."""
    assert relying_party() == relying_party()
    assert relying_party() != relying_party(client_auth=oidc.ClientSecretBasic(secret=Secret("another")))
