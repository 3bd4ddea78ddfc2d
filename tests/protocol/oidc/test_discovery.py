from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import DiscoveryRefused, ProviderAnswer
from gateway.model import HttpResponse
from gateway.protocol import oidc
from tests.fakes import json_response
from tests.protocol.oidc.forge import ISSUER, metadata, metadata_document, relying_party

LOOPBACK = "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://op.example", "https://op.example/.well-known/openid-configuration"),
        ("https://op.example/", "https://op.example/.well-known/openid-configuration"),
        ("https://op.example/tenant/v2.0", "https://op.example/tenant/v2.0/.well-known/openid-configuration"),
        ("https://op.example/tenant/", "https://op.example/tenant/.well-known/openid-configuration"),
    ],
)
def test_the_document_lies_below_the_issuer(issuer: str, url: str) -> None:
    """Discovery 1.0 §4.1."""
    request = oidc.discovery_request(relying_party(issuer=issuer))
    assert (request.method, request.url, request.body) == ("GET", url, None)


def test_a_good_document_is_read() -> None:
    assert metadata() == oidc.Metadata(
        authorization_endpoint=f"{ISSUER}/authorize",
        token_endpoint=f"{ISSUER}/token",
        jwks_uri=f"{ISSUER}/jwks",
        userinfo_endpoint=None,
        names_itself=True,
    )


@pytest.mark.parametrize("issuer", ["https://evil.example", ISSUER + "/", ISSUER.upper(), "", None, [ISSUER], ..., "\ud800"])
def test_a_document_of_another_issuer_is_refused(issuer: Any) -> None:
    """Discovery 1.0 §4.3: identical, not alike."""
    with pytest.raises(DiscoveryRefused):
        oidc.read_metadata(json_response(metadata_document() | {"issuer": issuer} if issuer is not ... else {}), relying_party())


def test_an_issuer_that_ends_with_a_slash_is_compared_with_it() -> None:
    issuer = "https://op.example/"
    rp = relying_party(issuer=issuer)
    assert oidc.read_metadata(json_response(metadata_document(issuer)), rp)
    with pytest.raises(DiscoveryRefused, match="configured"):
        oidc.read_metadata(json_response(metadata_document()), rp)


BAD_URLS = [
    "http://op.example/x",
    "http://127.0.0.1/x",
    "http://localhost/x",
    "file:///etc/passwd",
    "ftp://op.example/x",
    "javascript:alert(1)",
    "//op.example/x",
    "/x",
    "https://",
    "https:///x",
    "https://user@op.example/x",
    "https://user:pass@op.example/x",
    "https://@op.example/x",
    "https://op.example/x#y",
    "https://op.example:99999/x",
    "https://op.example:0/x",
    "https://op.example:x/x",
    "https://[::1/x",
    "https://[zz]/x",
    "https://op.example\\@evil.example/x",
    "https://op.example/x\r\nHost: evil",
    "https://op.example/ x",
    "https://öp.example/x",
    "https://op.example/" + "x" * 2048,
    " https://op.example/x",
    "",
    None,
    7,
    ["https://op.example/x"],
    ...,
]


@pytest.mark.parametrize("url", BAD_URLS)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_endpoint_that_cannot_be_used_is_refused(name: str, url: Any) -> None:
    """Discovery 1.0 §3: refused when the document is read, not when a secret is about to be sent."""
    with pytest.raises(DiscoveryRefused, match=name):
        metadata(**{name: url})


@pytest.mark.parametrize("url", [*BAD_URLS, None])
def test_the_userinfo_endpoint_matters_only_where_it_is_used(url: Any) -> None:
    assert metadata(userinfo_endpoint=url).userinfo_endpoint is None
    with pytest.raises(DiscoveryRefused, match="userinfo_endpoint"):
        metadata(relying_party(userinfo=True), userinfo_endpoint=url)


@pytest.mark.parametrize(
    "url",
    ["https://login.other.example/x", "https://op.example:8443/x", "https://op.example/a//b?tenant=1&x=", "https://[2001:db8::1]/x"],
)
def test_an_https_endpoint_may_lie_anywhere(url: str) -> None:
    """Google's endpoints lie on other hosts than its issuer; glewlwyd's have double slashes."""
    assert metadata(token_endpoint=url).token_endpoint == url


@pytest.mark.parametrize("url", [f"{LOOPBACK}/token", "http://localhost:1/token", "http://[::1]/token", "https://op.example/token"])
def test_an_http_issuer_on_loopback_may_have_http_endpoints_on_loopback(url: str) -> None:
    read = oidc.read_metadata(json_response(metadata_document(LOOPBACK, token_endpoint=url)), relying_party(issuer=LOOPBACK))
    assert read.token_endpoint == url


@pytest.mark.parametrize("url", ["http://op.example/token", "http://127.0.0.1.nip.io/token", "http://10.0.0.1/token", "http://0.0.0.0/t"])
def test_it_may_not_have_http_endpoints_elsewhere(url: str) -> None:
    with pytest.raises(DiscoveryRefused):
        oidc.read_metadata(json_response(metadata_document(LOOPBACK, token_endpoint=url)), relying_party(issuer=LOOPBACK))


@pytest.mark.parametrize(("value", "announced"), [(True, True), (False, False), (..., False)])
def test_whether_answers_name_their_issuer_is_read(value: Any, announced: bool) -> None:  # noqa: FBT001
    """RFC 9207 §3."""
    assert metadata(authorization_response_iss_parameter_supported=value).names_itself is announced


@pytest.mark.parametrize("value", ["true", 1, None, []])
def test_an_announcement_of_a_wrong_type_is_refused_rather_than_taken_for_no(value: Any) -> None:
    with pytest.raises(DiscoveryRefused):
        metadata(authorization_response_iss_parameter_supported=value)


def test_what_authlib_would_refuse_without_need_is_accepted() -> None:
    """A provider without RS256 (as FAPI wants), with odd locales and without subject types."""
    assert metadata(id_token_signing_alg_values_supported=["PS256"], ui_locales_supported="zh_CN", end_session_endpoint="http://x")


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(HttpResponse(status=200, body=b"<html>"), id="a page"),
        pytest.param(HttpResponse(status=200, body=b""), id="nothing"),
        pytest.param(json_response([metadata_document()]), id="a list"),
        pytest.param(json_response(metadata_document(), status=404), id="status 404"),
        pytest.param(json_response(metadata_document(), status=301, headers={"location": "https://x"}), id="a redirect"),
        pytest.param(HttpResponse(status=200, body=b'{"issuer": "https://op.example", "issuer": "https://x"}'), id="issuer twice"),
        pytest.param(HttpResponse(status=200, body=b"[" * 100_000), id="deep"),
    ],
)
def test_an_answer_that_is_no_document_is_refused(response: HttpResponse) -> None:
    with pytest.raises(ProviderAnswer):
        oidc.read_metadata(response, relying_party())
