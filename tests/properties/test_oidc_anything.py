"""For any bytes, a verifier gives a verified value or raises `GatewayError`; nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.util import urlsafe_b64decode

from gateway.errors import GatewayError, TokenMalformed, UnreadableLogin
from gateway.model import Binding, HttpResponse, IdpResponse, Memo, Secret, TransactionId, VerifiedIdentity
from gateway.protocol import oidc
from gateway.protocol.oidc.signed import decoded
from gateway.protocol.oidc.strict_json import NotStrictJson, read_object
from gateway.strength import Strength
from tests.protocol.oidc.forge import (
    CLIENT_ID,
    EXPECTED,
    ISSUER,
    NONCE,
    NOW,
    Token,
    base64url,
    ec_key,
    ed_key,
    good_claims,
    good_token,
    jwk,
    jwks,
    metadata,
    metadata_document,
    relying_party,
    rsa_key,
)
from tests.protocol.oidc.op import Op

KEYS = jwks(jwk(rsa_key()), jwk(ec_key(), "e"), jwk(ed_key(), "o"))
RP = relying_party(id_token_algorithms=("RS256", "ES256", "EdDSA"), userinfo=True)
IDENTITY = oidc.verify_id_token(Secret(str(good_token())), EXPECTED, rp=RP, keys=KEYS, now=NOW)

text = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["", "\ud800", "é", ISSUER, CLIENT_ID, NONCE, "JWT", "k1", "RS256", "AQAB", "sig"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text | st.sampled_from([10**400, -1, 0, 2**63])
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8)


def objects(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names) | text, values, max_size=8)


def verify(token: str) -> None:
    with suppress(GatewayError):
        assert isinstance(oidc.verify_id_token(Secret(token), EXPECTED, rp=RP, keys=KEYS, now=NOW), VerifiedIdentity)


def read(read_part: Callable[[], bytes]) -> bytes | None:
    """What a reader of base64url makes of it; None: it refuses."""
    try:
        return read_part()
    except (TokenMalformed, ValueError):
        return None


part = st.text("ABCDefghQwxyz0189-_", max_size=40) | st.text("Aw_+/= .\n\0é", max_size=8) | st.binary(max_size=40).map(base64url)


@given(part)
def test_a_part_of_a_token_is_read_as_joserfc_reads_it(part: str) -> None:
    """RFC 7515 §2: the same is accepted, and it means the same."""
    assert read(lambda: decoded(part)) == read(lambda: urlsafe_b64decode(part.encode("ascii")))


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_any_text_as_a_token(token: str) -> None:
    verify(token)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=80))
def test_any_three_parts_as_a_token(header: bytes, payload: bytes, mark: bytes) -> None:
    verify(f"{base64url(header)}.{base64url(payload)}.{base64url(mark)}")


@given(st.data())
def test_any_change_of_a_few_characters(data: st.DataObject) -> None:
    token = str(good_token())
    at = data.draw(st.integers(0, len(token)))
    verify(token[:at] + data.draw(st.text(max_size=4)) + token[at + data.draw(st.integers(0, 8)) :])


@given(objects("alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "cty", "zip"), st.binary(max_size=70))
def test_any_header(header: dict[str, Any], mark: bytes) -> None:
    payload = json.dumps(good_claims()).encode()
    for members in (header, {"alg": "RS256"} | header, {"alg": "ES256", "kid": "e"} | header, {"alg": "EdDSA", "kid": "o"} | header):
        verify(f"{base64url(json.dumps(members).encode())}.{base64url(payload)}.{base64url(mark)}")


@settings(max_examples=150)
@given(objects("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "sid", "auth_time", "amr"))
def test_any_claims_that_the_provider_signed(changes: dict[str, Any]) -> None:
    token = good_token()
    token.payload = json.dumps(good_claims() | changes).encode("utf-8", "surrogatepass")
    verify(str(token))


@given(st.binary(max_size=100) | st.integers(0, 3000).map(lambda n: b"[" * n + b"]" * n) | st.integers(0, 3000).map(lambda n: b'{"a":' * n))
def test_any_payload_that_the_provider_signed(payload: bytes) -> None:
    verify(str(Token({"alg": "EdDSA", "kid": "o"}, payload, ed_key(), "EdDSA")))


@given(st.integers(900, 1100))
def test_nesting_at_the_edge_of_the_stack(depth: int) -> None:
    """A limit of the interpreter, met in our reader or a frame further down in the library's."""
    for header in (b"[" * depth + b"]" * depth, b'{"alg":"EdDSA","x":' + b"[" * depth + b"]" * depth + b"}"):
        verify(f"{base64url(header)}.e30.AA")


@given(st.binary(max_size=200) | st.integers(0, 5000).map(lambda n: b"[" * n))
def test_any_bytes_as_json(data: bytes) -> None:
    with suppress(NotStrictJson):
        assert isinstance(read_object(data), dict)


@given(values)
def test_strict_json_agrees_with_json_where_it_accepts(value: Any) -> None:
    body = json.dumps({"value": value}).encode()
    with suppress(NotStrictJson):
        assert read_object(body) == json.loads(body)


responses = st.builds(
    HttpResponse,
    status=st.sampled_from([200, 200, 200, 204, 302, 400, 401, 500]),
    headers=st.sampled_from([{}, {"content-type": "application/json"}, {"content-type": "application/jwt"}, {"content-type": ";"}]),
    body=st.binary(max_size=100),
)


def response(document: object, template: HttpResponse) -> HttpResponse:
    return HttpResponse(status=template.status, headers=template.headers, body=json.dumps(document).encode())


@given(responses, objects(*metadata_document()))
def test_any_metadata(any_response: HttpResponse, changes: dict[str, Any]) -> None:
    for answer in (
        any_response,
        response(metadata_document() | changes, any_response),
        response(metadata_document(**changes), any_response),
    ):
        with suppress(GatewayError):
            read = oidc.read_metadata(answer, RP)
            base = oidc.authorization_base(RP, read)
            assert oidc.authorization_request(
                base, state=TransactionId("s"), secrets=oidc.login_secrets(b"s" * 32), rp=relying_party(), strength=Strength()
            )


@given(responses, st.lists(objects("kty", "n", "e", "crv", "x", "y", "kid", "alg", "use", "key_ops", "d", "oth", "x5c")))
def test_any_key_set(any_response: HttpResponse, keys: list[dict[str, Any]]) -> None:
    near = [base | key for key in keys for base in (jwk(rsa_key()), jwk(ec_key()), jwk(ed_key()))]
    for answer in (any_response, response({"keys": keys}, any_response), response({"keys": near}, any_response)):
        with suppress(GatewayError):
            assert isinstance(oidc.read_jwks(answer), oidc.PublicKeys)


@given(responses, objects("id_token", "access_token", "token_type", "error", "expires_in"))
def test_any_token_response(any_response: HttpResponse, changes: dict[str, Any]) -> None:
    good = {"id_token": str(good_token()), "access_token": "at", "token_type": "Bearer"}
    for answer in (any_response, response(changes, any_response), response(good | changes, any_response)):
        with suppress(GatewayError):
            tokens = oidc.read_token_response(answer)
            assert oidc.userinfo_request("https://op.example/u", tokens.access_token).headers["Authorization"].isascii()


@given(responses, objects("sub", "iss", "aud"))
def test_any_userinfo(any_response: HttpResponse, changes: dict[str, Any]) -> None:
    for answer in (any_response, response({"sub": "alice"} | changes, any_response)):
        with suppress(GatewayError):
            identity = oidc.verify_userinfo(answer, IDENTITY, rp=RP, keys=KEYS, now=NOW)
            assert identity.claims.items() >= IDENTITY.claims.items()


@given(st.dictionaries(st.sampled_from(["code", "state", "iss", "error", "response"]) | text, text))
def test_any_answer_of_the_browser(fields: dict[str, str]) -> None:
    for near in (fields, {"code": "c", "state": "s", "iss": ISSUER} | fields):
        with suppress(GatewayError):
            answer = IdpResponse(binding=Binding.QUERY, fields=near)
            code = oidc.verify_authorization_response(answer, state=TransactionId("s"), rp=RP, metadata=metadata(RP))
            assert code.reveal().isascii()


@given(
    st.lists(responses, min_size=4, max_size=4),
    objects("id_token", "token_type", "error"),
    objects("sub", "aud", "nonce", "exp", "at_hash"),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_any_provider_through_a_whole_login(
    odd: list[HttpResponse], token: dict[str, Any], claims: dict[str, Any], swap: list[bool]
) -> None:
    op = Op(rp=relying_party(userinfo=True), claims=claims, userinfo={"sub": "alice"} | claims)
    for replace, answer, where in zip(swap, odd, (op.discovery_url, op.jwks_url, op.userinfo_url, None), strict=True):
        if replace and where:
            op.http.on("GET", where, answer)
        elif replace:
            op.http.on("POST", op.token_url, response(token, answer))
    with suppress(GatewayError):
        assert isinstance(asyncio.run(op.login()), VerifiedIdentity)


@given(st.text(max_size=60) | values.map(lambda value: json.dumps({"seed": value})))
def test_any_memo(memo: str) -> None:
    with suppress(UnreadableLogin):
        assert oidc.read_memo(Memo(memo))[0].nonce


@given(
    st.binary(max_size=80) | st.binary(max_size=40).map(lambda b: b"-----BEGIN PRIVATE KEY-----\n" + b),
    objects("kty", "d", "n", "e", "crv", "x", "y", "alg", "kid"),
)
def test_any_client_key(data: bytes, members: dict[str, Any]) -> None:
    """Not a verifier, but the same promise: a key or a `ValueError`."""
    for pem in (data, json.dumps(members).encode(), json.dumps(jwk(ec_key()) | {"d": "AQ"} | members).encode()):
        with suppress(ValueError):
            assert oidc.read_client_key(pem).kid
