from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from gateway.protocol.saml import read_certificate, read_key_pair
from gateway.protocol.saml.keys import read_base64_certificate, read_private_key
from tests.fakes import NOON
from tests.peers.saml_forge import party


def self_signed(key: ed25519.Ed25519PrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = builder.serial_number(1).not_valid_before(NOON).not_valid_after(NOON.replace(year=2030)).sign(key, None)
    return made.public_bytes(Encoding.PEM)


@pytest.mark.parametrize("curve", [None, "P-256", "P-384", "P-521"])
def test_a_certificate_is_read_in_every_form(curve: str | None) -> None:
    one = party("idp-forms", curve=curve)
    expected = one.key.public_key()
    assert read_certificate(one.certificate_pem).key == expected
    assert read_certificate(one.certificate.public_bytes(Encoding.DER)).key == expected
    base64 = one.trusted.base64
    assert read_base64_certificate("\n".join(base64[start : start + 64] for start in range(0, len(base64), 64))).key == expected


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not a certificate"),
        (party("weak", bits=1024).certificate_pem, "1024 bits"),
        (self_signed(ed25519.Ed25519PrivateKey.generate()), "neither RSA nor ECDSA"),
    ],
    ids=["empty", "nonsense", "weak", "ed25519"],
)
def test_a_certificate_that_cannot_be_used_says_why(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_certificate(data)


def test_another_curve_cannot_be_used() -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="secp256k1"):
        read_private_key(pem)


@pytest.mark.parametrize("text", ["%", "AAAA", "ä"])
def test_a_certificate_in_metadata_that_is_not_one_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="certificate"):
        read_base64_certificate(text)


def test_a_key_and_its_certificate_belong_together() -> None:
    one = party("sp")
    assert read_key_pair(one.key_pem, one.certificate_pem).key.public_key() == one.key.public_key()
    with pytest.raises(ValueError, match="belong"):
        read_key_pair(one.key_pem, party("idp").certificate_pem)


def test_a_key_with_a_password_needs_it() -> None:
    pem = party("sp").key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    assert read_private_key(pem, b"secret")
    for password in (None, b"wrong"):
        with pytest.raises(ValueError, match="password"):
            read_private_key(pem, password)


def test_a_key_of_another_kind_or_strength_is_refused() -> None:
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="neither"):
        read_private_key(other)
    with pytest.raises(ValueError, match="1024"):
        read_private_key(party("weak", bits=1024).key_pem)
    with pytest.raises(ValueError, match="private key"):
        read_private_key(b"nonsense")


def test_a_key_pair_does_not_show_its_key() -> None:
    assert "PrivateKey" not in repr(party("sp").pair)
    assert isinstance(party("sp").pair.certificate.x509.signature_hash_algorithm, hashes.SHA256)
    assert serialization.Encoding.PEM


def test_a_certificate_of_an_unheard_of_version_is_no_certificate() -> None:
    """The library raises an error of its own kind for it; in metadata it must not stop logins."""
    der = party("idp-forms", curve=None).certificate.public_bytes(Encoding.DER)
    with pytest.raises(ValueError, match="not a certificate"):
        read_certificate(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1))
