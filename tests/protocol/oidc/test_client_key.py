from __future__ import annotations

import hashlib
import json
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.protocol import oidc
from tests.protocol.oidc.forge import base64url, ec_key, ed_key, jwk, rsa_key


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, encryption: KeySerializationEncryption | None = None) -> bytes:
    out: bytes = key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())
    return out


def private_jwk(key: Any, **extra: Any) -> bytes:
    match key:
        case rsa.RSAPrivateKey():
            members = RSAKey.import_key(key).as_dict(private=True)
        case ec.EllipticCurvePrivateKey():
            members = ECKey.import_key(key).as_dict(private=True)
        case _:
            members = OKPKey.import_key(key).as_dict(private=True)
    return json.dumps(members | extra).encode()


def certificate(key: Any) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=9))
    return builder.sign(key, SHA256())


@pytest.mark.parametrize(("key", "algorithm"), [(rsa_key(), "RS256"), (ec_key(), "ES256"), (ed_key(), "EdDSA")], ids=["RSA", "EC", "Ed"])
@pytest.mark.parametrize("form", ["PEM", "JWK"])
def test_the_algorithm_follows_from_the_key(key: Any, algorithm: str, form: str) -> None:
    read = oidc.read_client_key(pem(key) if form == "PEM" else private_jwk(key))
    assert read.algorithm == algorithm
    assert read.kid == read.key.thumbprint()


def test_ed448_signs_under_the_old_name() -> None:
    assert oidc.read_client_key(pem(ed448.Ed448PrivateKey.generate())).algorithm == "EdDSA"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_both_old_and_new_pem_forms_are_read(form: PrivateFormat) -> None:
    assert oidc.read_client_key(pem(rsa_key(), form)).algorithm == "RS256"
    assert oidc.read_client_key(pem(ec_key(), form)).algorithm == "ES256"


def test_a_jwk_may_name_algorithm_and_id() -> None:
    read = oidc.read_client_key(private_jwk(rsa_key(), alg="PS256", kid="mine", use="sig", key_ops=["sign"]))
    assert (read.algorithm, read.kid) == ("PS256", "mine")


def test_an_encrypted_key_opens_with_its_password() -> None:
    sealed = pem(ec_key(), encryption=BestAvailableEncryption(b"pass"))
    assert oidc.read_client_key(sealed, b"pass").algorithm == "ES256"


def test_the_same_key_is_equal_in_both_forms() -> None:
    assert oidc.read_client_key(pem(ec_key())) == oidc.read_client_key(pem(ec_key()))
    assert oidc.read_client_key(pem(ec_key())) != oidc.read_client_key(pem(ec_key("two")))


def test_a_certificate_beside_the_key_gives_its_thumbprint() -> None:
    cert = certificate(rsa_key())
    read = oidc.read_client_key(pem(rsa_key()) + cert.public_bytes(Encoding.PEM))
    assert read.certificate == base64url(hashlib.sha256(cert.public_bytes(Encoding.DER)).digest())
    assert oidc.read_client_key(pem(rsa_key())).certificate is None


WEAK = rsa_key("weak", 1024)
SEALED = pem(ec_key(), encryption=BestAvailableEncryption(b"pass"))
PUBLIC = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("text", "password", "sentence"),
    [
        pytest.param(b"", None, "no private key", id="nothing"),
        pytest.param(PUBLIC, None, "no private key", id="a public key"),
        pytest.param(b"\x30\x82\x01", None, "no private key", id="DER"),
        pytest.param(SEALED, None, "no password", id="encrypted, no password"),
        pytest.param(pem(ec_key()), b"pass", "no password", id="a password, not encrypted"),
        pytest.param(SEALED, b"other", "password is wrong", id="a wrong password"),
        pytest.param(pem(ec_key())[:60] + b"!!" + pem(ec_key())[62:], None, "damaged", id="damaged"),
        pytest.param(pem(WEAK), None, "2048", id="RSA of 1024 bits"),
        pytest.param(private_jwk(rsa_key()).replace(b'"n": "', b'"n": "!'), None, "cannot be used", id="JWK damaged"),
        pytest.param(json.dumps(jwk(WEAK) | {"d": "AQAB"}).encode(), None, "1024", id="JWK RSA of 1024 bits"),
        pytest.param(pem(ec.generate_private_key(ec.SECP384R1())), None, "P-256", id="P-384"),
        pytest.param(pem(ec.generate_private_key(ec.SECP256K1())), None, "P-256", id="the Bitcoin curve"),
        pytest.param(pem(ec.generate_private_key(ec.BrainpoolP256R1())), None, "P-256", id="a Brainpool curve"),
        pytest.param(pem(x25519.X25519PrivateKey.generate()), None, "P-256", id="X25519"),
        pytest.param(pem(dsa.generate_private_key(2048)), None, "P-256", id="DSA"),
        pytest.param(json.dumps(jwk(rsa_key())).encode(), None, "no private key", id="JWK public"),
        pytest.param(json.dumps(jwk(ec_key()) | {"d": 5}).encode(), None, "no private key", id="JWK with a number for d"),
        pytest.param(b'{"kty": "oct", "k": "AA", "d": "x"}', None, "kind of key", id="JWK symmetric"),
        pytest.param(b'{"kty": "RSA"', None, "not JSON", id="JWK cut off"),
        pytest.param(private_jwk(x25519.X25519PrivateKey.generate()), None, "P-256", id="JWK X25519"),
        pytest.param(private_jwk(ec_key(), alg="RS256"), None, "ES256", id="JWK with an algorithm of another kind"),
        pytest.param(pem(ec_key()) + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", None, "certificate", id="cert"),
    ],
)
def test_what_cannot_sign_is_refused_with_a_sentence(text: bytes, password: bytes | None, sentence: str) -> None:
    with warnings.catch_warnings(record=True) as caught, pytest.raises(ValueError, match=sentence) as error:
        oidc.read_client_key(text, password)
    assert caught == []
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("key", [rsa_key(), ec_key(), ed_key()], ids=["RSA", "EC", "Ed"])
@pytest.mark.parametrize("form", ["PEM", "JWK"])
def test_the_published_set_holds_the_public_half_alone(key: Any, form: str) -> None:
    read = oidc.read_client_key(pem(key) if form == "PEM" else private_jwk(key))
    assert oidc.public_jwks(read) == {"keys": [jwk(key, read.kid, alg=read.algorithm, use="sig")]}


def test_the_private_half_does_not_show() -> None:
    read = oidc.read_client_key(private_jwk(ec_key()))
    assert "key=" not in repr(read).replace("PrivateKeyJwt(", "").replace("kid=", "")
