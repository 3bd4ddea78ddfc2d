"""Every way to bring a wrong ID token, each a good one with one thing changed, and the code that it ends in."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import (
    GatewayError,
    TokenAlgorithm,
    TokenAudience,
    TokenHash,
    TokenIssuer,
    TokenKeyUnknown,
    TokenMalformed,
    TokenNonce,
    TokenSignature,
    TokenSubject,
    TokenTimes,
    TokenType,
)
from gateway.model import Secret, VerifiedIdentity
from gateway.protocol import oidc
from gateway.protocol.oidc.signed import verify_signed
from tests.protocol.oidc.forge import (
    EXPECTED,
    ISSUER,
    NONCE,
    NOW,
    base64url,
    ec_key,
    ed448_key,
    ed_key,
    good_claims,
    good_token,
    jwk,
    jwks,
    relying_party,
    rsa_key,
    signing_input,
)

T = int(NOW.timestamp())
KEYS = jwks(jwk(rsa_key()))


def verify(token: object, *, keys: oidc.PublicKeys = KEYS, rp: oidc.RelyingParty | None = None) -> VerifiedIdentity:
    return oidc.verify_id_token(Secret(str(token)), EXPECTED, rp=rp or relying_party(), keys=keys, now=NOW)


def refused(error: type[GatewayError], token: object, **how: Any) -> None:
    with pytest.raises(GatewayError) as caught:
        verify(token, **how)
    assert caught.value.code == error.code, caught.value.detail


def test_the_good_token_passes() -> None:
    assert verify(good_token()).session.subject == "alice"


# ---- claims: one changed at a time -------------------------------------------------------------------------------------

OTHER_CLAIMS = [
    pytest.param({"iss": "https://evil.example"}, TokenIssuer, id="iss of another provider"),
    pytest.param({"iss": ...}, TokenIssuer, id="iss missing"),
    pytest.param({"iss": [ISSUER]}, TokenIssuer, id="iss as a list"),
    pytest.param({"iss": ISSUER + "/"}, TokenIssuer, id="iss with a slash more"),
    pytest.param({"iss": ISSUER.upper()}, TokenIssuer, id="iss in other case"),
    pytest.param({"iss": {}}, TokenIssuer, id="iss as an object"),
    pytest.param({"aud": "other"}, TokenAudience, id="aud another client"),
    pytest.param({"aud": ...}, TokenAudience, id="aud missing"),
    pytest.param({"aud": None}, TokenAudience, id="aud null"),
    pytest.param({"aud": []}, TokenAudience, id="aud empty"),
    pytest.param({"aud": "other", "azp": "gateway"}, TokenAudience, id="aud another client, azp us"),
    pytest.param({"aud": ["other"], "azp": "gateway"}, TokenAudience, id="aud a list of another client, azp us"),
    pytest.param({"aud": ["gateway", "other"]}, TokenAudience, id="aud us and another, azp missing"),
    pytest.param({"aud": ["gateway", "other"], "azp": None}, TokenAudience, id="aud us and another, azp null"),
    pytest.param({"aud": ["gateway", "other"], "azp": "other"}, TokenAudience, id="aud us and another, azp the other"),
    pytest.param({"aud": ["gateway", 7]}, TokenAudience, id="aud with a number in it"),
    pytest.param({"aud": {"gateway": 1}}, TokenAudience, id="aud an object with our name"),
    pytest.param({"aud": "gateway other"}, TokenAudience, id="aud both in one string"),
    pytest.param({"azp": "other"}, TokenAudience, id="azp another client"),
    pytest.param({"azp": ["gateway"]}, TokenAudience, id="azp as a list"),
    pytest.param({"azp": None}, TokenAudience, id="azp null"),
    pytest.param({"nonce": "another"}, TokenNonce, id="nonce of another login"),
    pytest.param({"nonce": ...}, TokenNonce, id="nonce missing"),
    pytest.param({"nonce": None}, TokenNonce, id="nonce null"),
    pytest.param({"nonce": [NONCE]}, TokenNonce, id="nonce as a list"),
    pytest.param({"nonce": NONCE.upper()}, TokenNonce, id="nonce in other case"),
    pytest.param({"nonce": "ü"}, TokenNonce, id="nonce not ASCII"),
    pytest.param({"nonce": "\ud800"}, TokenNonce, id="nonce a lone surrogate"),
    pytest.param({"sub": ...}, TokenSubject, id="sub missing"),
    pytest.param({"sub": 7}, TokenSubject, id="sub a number"),
    pytest.param({"sub": ""}, TokenSubject, id="sub empty"),
    pytest.param({"sub": "a" * 256}, TokenSubject, id="sub too long"),
    pytest.param({"sub": ["alice"]}, TokenSubject, id="sub a list"),
    pytest.param({"exp": T - 600}, TokenTimes, id="expired ten minutes ago"),
    pytest.param({"exp": T - 90}, TokenTimes, id="expired ninety seconds ago"),
    pytest.param({"exp": T - 60}, TokenTimes, id="expired to the second of the skew"),
    pytest.param({"exp": ...}, TokenTimes, id="exp missing"),
    pytest.param({"exp": None}, TokenTimes, id="exp null"),
    pytest.param({"exp": str(T + 300)}, TokenTimes, id="exp a string"),
    pytest.param({"exp": True}, TokenTimes, id="exp a boolean"),
    pytest.param({"exp": [T + 300]}, TokenTimes, id="exp a list"),
    pytest.param({"iat": T - 365 * 86400}, TokenTimes, id="issued a year ago"),
    pytest.param({"iat": T - 601}, TokenTimes, id="issued more than ten minutes ago"),
    pytest.param({"iat": T + 61}, TokenTimes, id="issued in the future"),
    pytest.param({"iat": ...}, TokenTimes, id="iat missing"),
    pytest.param({"iat": True}, TokenTimes, id="iat a boolean"),
    pytest.param({"iat": str(T)}, TokenTimes, id="iat a string"),
    pytest.param({"iat": 10**400}, TokenTimes, id="iat beyond any date"),
    pytest.param({"nbf": T + 61}, TokenTimes, id="not valid yet"),
    pytest.param({"nbf": "now"}, TokenTimes, id="nbf a string"),
    pytest.param({"nbf": None}, TokenTimes, id="nbf null"),
    pytest.param({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, TokenHash, id="at_hash of another access token"),
    pytest.param({"at_hash": ""}, TokenHash, id="at_hash empty"),
    pytest.param({"at_hash": None}, TokenHash, id="at_hash null"),
    pytest.param({"at_hash": ["x"]}, TokenHash, id="at_hash a list"),
    pytest.param({"c_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, TokenHash, id="c_hash of another code"),
]


@pytest.mark.parametrize(("change", "error"), OTHER_CLAIMS)
def test_a_changed_claim_is_refused(change: dict[str, Any], error: type[GatewayError]) -> None:
    """OIDC Core §3.1.3.7."""
    refused(error, good_token(**change))


# ---- header ------------------------------------------------------------------------------------------------------------

OTHER_HEADERS = [
    pytest.param({"alg": "none"}, TokenAlgorithm, id="alg none"),
    pytest.param({"alg": "nOnE"}, TokenAlgorithm, id="alg none in mixed case"),
    pytest.param({"alg": "HS256"}, TokenAlgorithm, id="alg HS256"),
    pytest.param({"alg": "RS512"}, TokenAlgorithm, id="alg with another hash"),
    pytest.param({"alg": "rs256"}, TokenAlgorithm, id="alg in lower case"),
    pytest.param({"alg": ["RS256"]}, TokenAlgorithm, id="alg a list"),
    pytest.param({"alg": None}, TokenAlgorithm, id="alg null"),
    pytest.param({"alg": ...}, TokenMalformed, id="alg missing"),
    pytest.param({"typ": "logout+jwt"}, TokenType, id="a logout token"),
    pytest.param({"typ": "at+jwt"}, TokenType, id="an access token"),
    pytest.param({"typ": "application/at+JWT"}, TokenType, id="an access token by its media type"),
    pytest.param({"typ": "secevent+jwt"}, TokenType, id="a security event"),
    pytest.param({"typ": "dpop+jwt"}, TokenType, id="a DPoP proof"),
    pytest.param({"typ": 7}, TokenType, id="typ a number"),
    pytest.param({"typ": None}, TokenType, id="typ null"),
    pytest.param({"kid": "../../dev/null"}, TokenKeyUnknown, id="kid a path"),
    pytest.param({"kid": "k2"}, TokenKeyUnknown, id="kid of no key"),
    pytest.param({"kid": ["k1"]}, TokenMalformed, id="kid a list"),
    pytest.param({"kid": 1}, TokenMalformed, id="kid a number"),
    pytest.param({"kid": "k" * 1_000_000}, TokenMalformed, id="kid of a megabyte"),
    pytest.param({"crit": ["exp"], "exp": 1}, TokenMalformed, id="an unknown critical extension"),
    pytest.param({"crit": ["b64"], "b64": False}, TokenMalformed, id="an unencoded payload"),
    pytest.param({"b64": False}, TokenMalformed, id="an unencoded payload, not marked critical"),
    pytest.param({"crit": []}, TokenMalformed, id="crit empty"),
    pytest.param({"crit": 5}, TokenMalformed, id="crit a number"),
    pytest.param({"x5u": 5}, TokenMalformed, id="x5u a number"),
    pytest.param({"x5c": ["A" * 5000]}, TokenMalformed, id="a header over the limit"),
]


@pytest.mark.parametrize(("change", "error"), OTHER_HEADERS)
def test_a_changed_header_is_refused_though_the_provider_signed_it(change: dict[str, Any], error: type[GatewayError]) -> None:
    """RFC 7515 §4, RFC 8725 §3."""
    refused(error, good_token(header=change))


def test_a_header_that_one_registration_takes_is_judged_anew_for_another() -> None:
    """What was found out about a header is kept, for the names that are pinned and the types that are wanted."""
    token = Secret(str(good_token()))
    for _ in range(2):
        assert verify_signed(token, keys=KEYS, algorithms=("RS256",)).claims["sub"] == "alice"
        with pytest.raises(TokenAlgorithm):
            verify_signed(token, keys=KEYS, algorithms=("ES256",))
        with pytest.raises(TokenType):
            verify_signed(token, keys=KEYS, algorithms=("RS256",), types=frozenset({"logout+jwt"}))


@pytest.mark.parametrize("secret_form", ["PEM", "DER"])
def test_an_hmac_under_the_public_key_is_refused(secret_form: str) -> None:
    """RFC 8725 §2.1: the public key taken for a shared secret."""
    form = Encoding.PEM if secret_form == "PEM" else Encoding.DER
    secret = rsa_key().public_key().public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
    message = signing_input({"alg": "HS256", "kid": "k1"}, good_claims())
    refused(TokenAlgorithm, f"{message}.{base64url(hmac.digest(secret, message.encode(), 'sha256'))}")


def test_an_hmac_under_a_secret_that_the_key_set_publishes_is_refused() -> None:
    shared = {"kty": "oct", "k": base64url(b"s" * 32), "kid": "k1"}
    message = signing_input({"alg": "HS256", "kid": "k1"}, good_claims())
    token = f"{message}.{base64url(hmac.digest(b's' * 32, message.encode(), 'sha256'))}"
    refused(TokenAlgorithm, token, keys=jwks(shared, jwk(rsa_key())))


@pytest.mark.parametrize(("algorithm", "key"), [("PS256", rsa_key()), ("ES256", ec_key()), ("EdDSA", ed_key())])
def test_a_good_signature_under_an_algorithm_that_is_not_pinned_is_refused(algorithm: str, key: Any) -> None:
    """OIDC Core §3.1.3.7 rule 7: that the provider offers it changes nothing."""
    refused(TokenAlgorithm, good_token(algorithm, key), keys=jwks(jwk(rsa_key()), jwk(key)))


@pytest.mark.parametrize(
    "pointer",
    [{"jwk": jwk(rsa_key("attacker"))}, {"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example/c.pem"}, {"x5c": ["QQ=="]}],
    ids=["jwk", "jku", "x5u", "x5c"],
)
def test_a_key_that_the_header_brings_or_names_is_not_used(pointer: dict[str, Any]) -> None:
    refused(TokenSignature, good_token(key=rsa_key("attacker"), header=pointer))


def test_such_a_header_does_not_hurt_a_token_that_the_provider_signed() -> None:
    assert verify(good_token(header={"jku": "https://evil.example/jwks", "x5t": "AA", "nonce": "x"}))


# ---- signature and keys ------------------------------------------------------------------------------------------------


def test_a_flipped_signature_is_refused() -> None:
    head, body, mark = str(good_token()).split(".")
    refused(TokenSignature, f"{head}.{body}.{'B' if mark[0] == 'A' else 'A'}{mark[1:]}")


def test_a_stripped_signature_is_refused() -> None:
    refused(TokenSignature, str(good_token()).rpartition(".")[0] + ".")


def test_a_signature_over_another_payload_is_refused() -> None:
    head, _, mark = str(good_token()).split(".")
    refused(TokenSignature, f"{head}.{signing_input({}, good_claims(sub='mallory')).split('.')[1]}.{mark}")


def test_a_signature_longer_than_any_key_is_refused() -> None:
    refused(TokenMalformed, str(good_token()).rpartition(".")[0] + "." + "A" * 1404)


def test_a_signature_as_long_as_the_longest_key_is_still_read() -> None:
    refused(TokenSignature, str(good_token()).rpartition(".")[0] + "." + base64url(bytes(1024)))


@pytest.mark.parametrize("mark", [bytes(64), bytes(63), bytes(65), b""], ids=["zeros", "short", "long", "empty"])
def test_an_ecdsa_signature_of_zeros_or_of_a_wrong_length_is_refused(mark: bytes) -> None:
    """The "psychic signature" of r = s = 0."""
    message = signing_input({"alg": "ES256", "kid": "k1"}, good_claims())
    refused(
        TokenSignature,
        f"{message}.{base64url(mark)}",
        keys=jwks(jwk(ec_key())),
        rp=relying_party(id_token_algorithms=("ES256",)),
    )


def test_an_ecdsa_signature_in_der_is_refused() -> None:
    message = signing_input({"alg": "ES256", "kid": "k1"}, good_claims())
    der = ec_key().sign(message.encode(), ec.ECDSA(SHA256()))
    refused(
        TokenSignature,
        f"{message}.{base64url(der)}",
        keys=jwks(jwk(ec_key())),
        rp=relying_party(id_token_algorithms=("ES256",)),
    )


def test_a_second_valid_signature_on_one_token_does_not_make_it_a_new_proof() -> None:
    """ECDSA: with (r, s) also (r, n - s) verifies. The one-time mark must be the same."""
    message = signing_input({"alg": "ES256", "kid": "k1"}, good_claims())
    r, s = decode_dss_signature(ec_key().sign(message.encode(), ec.ECDSA(SHA256())))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    tokens = [f"{message}.{base64url(r.to_bytes(32, 'big') + x.to_bytes(32, 'big'))}" for x in (s, order - s)]
    keys, rp = jwks(jwk(ec_key())), relying_party(id_token_algorithms=("ES256",))
    first, second = (verify(token, keys=keys, rp=rp) for token in tokens)
    assert first.proof_id == second.proof_id == NONCE


def test_a_key_that_was_withdrawn_verifies_nothing() -> None:
    refused(TokenKeyUnknown, good_token(), keys=jwks(jwk(rsa_key("two"), "k2")))


def test_a_key_of_another_provider_under_the_same_id_verifies_nothing() -> None:
    refused(TokenSignature, good_token(), keys=jwks(jwk(rsa_key("two"), "k1")))


@pytest.mark.parametrize(
    "published",
    [
        pytest.param(jwk(rsa_key(), use="enc"), id="a key for encryption"),
        pytest.param(jwk(rsa_key(), key_ops=["encrypt"]), id="a key whose operations leave out verify"),
        pytest.param(jwk(rsa_key(), alg="RSA-OAEP"), id="a key for another algorithm"),
        pytest.param(jwk(rsa_key(), alg="PS256"), id="a key for another scheme"),
    ],
)
def test_a_key_that_is_published_for_something_else_verifies_nothing(published: dict[str, Any]) -> None:
    """RFC 7517 §4.2 to §4.4."""
    refused(TokenKeyUnknown, good_token(), keys=jwks(published, jwk(ec_key(), "other")))


def test_a_key_of_1024_bits_verifies_nothing() -> None:
    weak = rsa_key("weak", 1024)
    refused(TokenKeyUnknown, good_token(key=weak), keys=jwks(jwk(weak), jwk(ec_key(), "other")))


def test_an_ed448_key_does_not_pass_for_ed25519_under_their_common_old_name() -> None:
    """RFC 9864: the curve is part of what a registration pins."""
    keys, rp = jwks(jwk(ed448_key())), relying_party(id_token_algorithms=("Ed25519",))
    refused(TokenKeyUnknown, good_token("EdDSA", ed448_key(), at_hash=...), keys=keys, rp=rp)


def test_a_p384_key_does_not_pass_for_es256() -> None:
    keys = jwks(jwk(ec_key("p384", ec.SECP384R1)), jwk(ec_key(), "other"))
    rp = relying_party(id_token_algorithms=("ES256",))
    refused(TokenKeyUnknown, good_token("ES256", ec_key("p384", ec.SECP384R1)), keys=keys, rp=rp)


# ---- form --------------------------------------------------------------------------------------------------------------


def _spoilt(text: str) -> Any:
    token = good_token()
    token.payload = text.encode()
    return token


GOOD = json.dumps(good_claims())


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(GOOD[:-1] + ', "sub": "mallory"}', id="sub twice"),
        pytest.param(GOOD[:-1] + ', "address": {"a": 1, "a": 2}}', id="a name twice, further down"),
        pytest.param(GOOD[:-1] + ', "x": NaN}', id="NaN"),
        pytest.param(GOOD[:-1] + ', "x": -Infinity}', id="Infinity"),
        pytest.param(GOOD[:-1] + ', "x": 1e999}', id="a number beyond a double"),
        pytest.param(GOOD[:-1] + ', "x": ' + "1" * 5000 + "}", id="an integer of 5,000 digits"),
        pytest.param("[" + GOOD + "]", id="a list"),
        pytest.param('"' + "x" * 10 + '"', id="a string"),
        pytest.param("", id="nothing"),
        pytest.param(GOOD + GOOD, id="two objects"),
        pytest.param("\ufeff" + GOOD, id="a byte order mark"),
        pytest.param('{"x": ' + "[" * 20_000 + "]" * 20_000 + "}", id="nesting of 20,000"),
    ],
)
def test_a_payload_that_is_not_one_strict_json_object_is_refused(payload: str) -> None:
    """RFC 8725 §2.4 and RFC 8259 §4: two readers must not see two things."""
    refused(TokenMalformed, _spoilt(payload))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_a_payload_in_another_encoding_is_refused(encoding: str) -> None:
    """RFC 8725 §3.7."""
    token = good_token()
    token.payload = json.dumps(good_claims(name="Zoë"), ensure_ascii=False).encode(encoding)
    refused(TokenMalformed, token)


def test_a_header_with_alg_twice_is_refused() -> None:
    """RFC 7515 §4: member names are unique; who takes the first and who takes the last must not differ."""
    token = good_token()
    token.header = b'{"alg": "none", "kid": "k1", "alg": "RS256"}'
    refused(TokenMalformed, token)


@pytest.mark.parametrize("header", [b"5", b'["alg"]', b'"alg"', b"null", b"{", b"[" * 3000, b"\xff\xfe"])
def test_a_header_that_is_no_object_is_refused(header: bytes) -> None:
    token = good_token()
    token.header = header
    refused(TokenMalformed, token)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: "", id="empty"),
        pytest.param(lambda token: token.rpartition(".")[0], id="two parts"),
        pytest.param(lambda token: token + ".x", id="four parts"),
        pytest.param(lambda token: token + ".x.y", id="five parts, as an encrypted token has"),
        pytest.param(lambda token: token.replace(".", "=.", 1), id="padding"),
        pytest.param(lambda token: token.replace(".", ".\n", 1), id="a line break"),
        pytest.param(lambda token: " " + token, id="a blank in front"),
        pytest.param(lambda token: "é" + token, id="not ASCII"),
        pytest.param(lambda token: "\ud800" + token, id="a lone surrogate"),
        pytest.param(lambda token: json.dumps({"payload": token}), id="JSON serialisation"),
        pytest.param(lambda token: token + "A" * 64_000, id="over the size limit"),
    ],
)
def test_what_is_not_a_compact_jws_is_refused(change: Any) -> None:
    """RFC 7515 §7.1."""
    refused(TokenMalformed, change(str(good_token())))


def test_a_token_over_64_000_characters_is_refused_before_it_is_read() -> None:
    """The library's own limit is 128,000 for the payload alone."""
    filler = "x" * ((64_000 - len(str(good_token(filler="")))) * 3 // 4)
    assert 63_990 < len(str(good_token(filler=filler))) <= 64_000
    assert verify(good_token(filler=filler))
    refused(TokenMalformed, good_token(filler=filler + "x" * 12))


def test_the_last_character_of_a_part_is_not_a_second_way_to_write_it() -> None:
    """Base64url leaves spare bits at the end; a replay must not look new by changing them."""
    head, body, mark = str(good_token()).split(".")
    assert len(mark) % 4 == 2
    refused(TokenSignature, f"{head}.{body}.{mark[:-1]}{chr(ord(mark[-1]) + 1)}")
