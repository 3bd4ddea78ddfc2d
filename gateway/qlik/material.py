"""A site's certificates and keys, read from PEM: what the QMC exports (Qlik "Certificates"), and what people mistake for it.

Pure: bytes in, values out. A fault is a `MaterialProblem` that names the setting it stands under and says how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from gateway.model import Secret


class MaterialProblem(ValueError):
    """A certificate or key that cannot be used. `setting` is its key in the configuration, `node` the node it belongs to."""

    def __init__(self, setting: str, sentence: str, *, node: str | None = None) -> None:
        super().__init__(sentence)
        self.setting = setting
        self.node = node


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientIdentity:
    """The client certificate (and what follows it in its file) with its key, as PEM, and the names that it bears."""

    pem: bytes = field(repr=False)
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """How long one certificate of a site is valid; `node` is set for a pinned one."""

    setting: str
    subject: str
    not_before: datetime
    not_after: datetime
    node: str | None = None

    def problem(self, now: datetime) -> str | None:
        """A sentence when the certificate is not valid at `now` (aware)."""
        if now > self.not_after:
            return f"{self.subject} expired on {self.not_after:%Y-%m-%d}: renew the site's certificates in the QMC and export them again"
        if now < self.not_before:
            return f"{self.subject} is not valid before {self.not_before:%Y-%m-%d %H:%M} UTC: is the clock right?"
        return None


def read_client(certificate: bytes, key: bytes, password: Secret | None, *, sound: bool = False) -> ClientIdentity:
    """Read `client_certificate` and `client_key`. Raises `MaterialProblem`.

    `sound`: the same key was read here before, and the numbers in it were found to belong together. That takes 40 ms.
    """
    chain = _read_certificates("client_certificate", certificate)
    private = _read_key(key, password, sound=sound)
    if private.public_key() != chain[0].public_key():
        raise MaterialProblem("client_key", "this is not the key of `client_certificate`: take both from the same export")
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # A certificate that comes alone is completed by OpenSSL with whatever it finds among the trust anchors, and those of
    # `trust` are no node's business. Named twice it is a chain of its own, and peers pass over the second one.
    sent = chain if len(chain) > 1 else chain * 2
    return ClientIdentity(
        pem=pem + b"".join(item.public_bytes(Encoding.PEM) for item in sent),
        names=frozenset(name.lower() for name in common_names(chain[0]) | dns_names(chain[0])),
    )


def issued_by(certificate: bytes, roots: Sequence[x509.Certificate]) -> bool:
    """Whether one of the roots issued the certificate or one that comes with it. Ordinary CAs say nothing of it: theirs are nodes alone."""
    if any(is_ordinary_ca(root) for root in roots):
        return True
    chain = _read_certificates("client_certificate", certificate)
    return any(_issued(item, root) for item in chain for root in roots)


def _issued(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def read_roots(ca: bytes) -> tuple[x509.Certificate, ...]:
    """Read `ca`: the QMC's root.pem, or ordinary CAs. Raises `MaterialProblem`."""
    roots = _read_certificates("ca", ca)
    for root in roots:
        _check_root(root)
    return roots


def read_pin(pem: bytes, *, node: str) -> x509.Certificate:
    """Read one `server_certificate`. Raises `MaterialProblem`."""
    certificates = _read_certificates("server_certificate", pem, node=node)
    if len(certificates) != 1:
        raise MaterialProblem("server_certificate", "a pin is exactly one certificate: the node's own", node=node)
    if is_ordinary_ca(certificates[0]):
        raise MaterialProblem("server_certificate", "this is a CA, not the node's own certificate: name it as `ca`", node=node)
    return certificates[0]


def site_expiries(*, client_certificate: bytes, ca: bytes | None, pins: Mapping[str, bytes]) -> tuple[Expiry, ...]:
    """How long every certificate of a site is valid. Raises `MaterialProblem`."""
    found = [("client_certificate", certificate, None) for certificate in _read_certificates("client_certificate", client_certificate)[:1]]
    found += [("ca", root, None) for root in (_read_certificates("ca", ca) if ca is not None else ())]
    pinned = [("server_certificate", read_pin(pem, node=node), node) for node, pem in pins.items()]
    return tuple(
        Expiry(
            setting=setting,
            subject=certificate.subject.rfc4514_string(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            node=node,
        )
        for setting, certificate, node in [*found, *pinned]
    )


def is_ordinary_ca(certificate: x509.Certificate) -> bool:
    """True for a CA that says so itself (RFC 5280 §4.2.1.9). The QMC's root does not."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def is_address(server_name: str) -> bool:
    """True for an IP address in place of a name."""
    try:
        ip_address(server_name)
    except ValueError:
        return False
    return True


def bears(certificate: x509.Certificate, server_name: str) -> bool:
    """True when `server_name` is one of the certificate's names as a whole: of its subjectAltName, or without one the common name."""
    names = _alternative_names(certificate)
    if names is None:
        return server_name.lower() in {name.lower() for name in common_names(certificate)}
    if is_address(server_name):
        return ip_address(server_name) in names.get_values_for_type(x509.IPAddress)
    return server_name.lower() in {name.lower() for name in names.get_values_for_type(x509.DNSName)}


def common_names(certificate: x509.Certificate) -> set[str]:
    """The common names of its subject, as they stand there."""
    return {str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}


def dns_names(certificate: x509.Certificate) -> set[str]:
    """The host names of its subjectAltName, as they stand there."""
    names = _alternative_names(certificate)
    return set() if names is None else set(names.get_values_for_type(x509.DNSName))


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _read_certificates(setting: str, pem: bytes, *, node: str | None = None) -> tuple[x509.Certificate, ...]:
    try:
        certificates = tuple(x509.load_pem_x509_certificates(pem))
        for certificate in certificates:  # keys and extensions are parsed late: now is the time for their faults
            certificate.public_key(), certificate.extensions
    except (ValueError, UnsupportedAlgorithm):
        raise MaterialProblem(setting, "no readable certificate: export it in PEM form (-----BEGIN CERTIFICATE-----)", node=node) from None
    return certificates


def _read_key(pem: bytes, password: Secret | None, *, sound: bool) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, None if password is None else password.reveal().encode(), unsafe_skip_rsa_key_validation=sound)
    except TypeError:  # cryptography's word for both
        raise MaterialProblem(
            "client_key_password", "the key is encrypted: set `client_key_password`" if password is None else "the key is not encrypted"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        sentence = "no readable private key: export it in PEM form" if password is None else "wrong password, or no readable private key"
        raise MaterialProblem("client_key", sentence) from None


def _check_root(root: x509.Certificate) -> None:
    """An ordinary CA, or a root as the QMC makes it: without BasicConstraints, signed by itself and nobody else."""
    if is_ordinary_ca(root):
        return
    subject = root.subject.rfc4514_string()
    if any(isinstance(extension.value, x509.BasicConstraints) for extension in root.extensions):
        raise MaterialProblem("ca", f"{subject} says of itself that it is no CA: name the QMC's root.pem here")
    try:
        root.verify_directly_issued_by(root)
    except InvalidSignature:
        raise MaterialProblem("ca", f"{subject} is not signed by its own key: this is not the site's root.pem") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        issuer = root.issuer.rfc4514_string()
        raise MaterialProblem(
            "ca", f"{subject} was issued by {issuer}: name the QMC's root.pem here, not server.pem or client.pem"
        ) from None
