"""Microseconds of CPU per validated SAML response, beside the floor: `python -m tests.bench.saml [--json]`.

The floor is what nobody can leave out: base64, one parse, two exclusive canonicalisations, one SHA-256 and one RSA-2048
verification (for an encrypted message also one RSA-OAEP and one AES-GCM decryption), each in its fastest form at hand.
"As shipped" is python3-saml in strict mode with its settings built for every response. All columns are taken in turns in one
process; the figure is the best round, for a shared machine only ever adds to it. Compare ratios, not microseconds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from gateway.idp.second_opinion import Python3Saml
from gateway.protocol.saml import Evidence, verify_response
from tests.peers.saml_forge import ACS, IDP, NS, REQUEST, SENT, SP, Shape, encrypt, party, post, signed, them, us

ROUNDS = 15
CALLS = {"200 groups": 20}
NOW = datetime.now(UTC)
GROUPS = tuple(f"CN=group {number:04d},OU=Groups,DC=corp,DC=example,DC=com" for number in range(200))
BARS = {"typical": {"own / floor": 5.0, "both": 1200.0}}


@dataclass(frozen=True)
class Message:
    """A posted parameter and what a row of the table is called."""

    name: str
    parameter: str
    clear: str
    encrypted: bool = False


def messages() -> list[Message]:
    typical, many = Shape(now=NOW), Shape(now=NOW, attributes=(("groups", GROUPS),))
    clear = post(signed(typical))
    return [
        Message("typical", clear, clear),
        Message("both signed", post(signed(typical, "both")), clear),
        Message("200 groups", post(signed(many)), post(signed(many))),
        Message("encrypted", post(encrypt(signed(typical))), clear, encrypted=True),
    ]


def floor(message: Message) -> Callable[[], None]:
    """Decode and parse the message; canonicalise, hash and verify its assertion."""
    public, private = party("idp").key.public_key(), party("sp").key
    assert isinstance(public, rsa.RSAPublicKey)
    assert isinstance(private, rsa.RSAPrivateKey)
    assertion = etree.fromstring(base64.b64decode(message.clear)).find("saml:Assertion", NS)
    signature = assertion.find("ds:Signature", NS)
    info, value = signature[0], base64.b64decode(signature[1].text)
    assertion.remove(signature)
    plain, key = etree.tostring(assertion), bytes(32)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303  as the message has it
    wrapped, data = private.public_key().encrypt(key, oaep), AESGCM(key).encrypt(bytes(12), plain, None)
    pkcs1, sha256 = padding.PKCS1v15(), hashes.SHA256()

    def run() -> None:
        etree.fromstring(base64.b64decode(message.parameter))
        if message.encrypted:
            etree.fromstring(AESGCM(private.decrypt(wrapped, oaep)).decrypt(bytes(12), data, None))
        hashlib.sha256(etree.tostring(assertion, method="c14n", exclusive=True)).digest()
        public.verify(value, etree.tostring(info, method="c14n", exclusive=True), pkcs1, sha256)

    return run


def never(_evidence: Evidence) -> NoReturn:
    raise AssertionError


def own(message: Message) -> Callable[[], object]:
    sp, idp = us(), them()
    return lambda: verify_response(message.parameter, sp=sp, idp=idp, sent=SENT, now=NOW, second_opinion=never)


def both(message: Message) -> Callable[[], object]:
    sp, idp = us(second_opinion=True), them()
    engine = Python3Saml(sp, idp)
    return lambda: verify_response(message.parameter, sp=sp, idp=idp, sent=SENT, now=NOW, second_opinion=engine)


def library_as_shipped() -> tuple[Any, Any]:
    """A second copy of it, for the second opinion puts faster ways into the first."""
    changed = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith("onelogin.")}
    try:
        response, settings = import_module("onelogin.saml2.response"), import_module("onelogin.saml2.settings")
    finally:
        sys.modules.update(changed)
    return response.OneLogin_Saml2_Response, settings.OneLogin_Saml2_Settings


def as_shipped(message: Message) -> Callable[[], object]:
    read, prepared = library_as_shipped()
    settings = {
        "strict": True,
        "sp": {"entityId": SP, "assertionConsumerService": {"url": ACS}, "privateKey": party("sp").key_pem.decode()},
        "idp": {"entityId": IDP, "singleSignOnService": {"url": "https://idp.example.com/sso"}, "x509cert": party("idp").trusted_base64},
    }
    asked = {"https": "on", "http_host": "gateway.example.com", "script_name": "/idp/corp/acs", "get_data": {}, "post_data": {}}

    def run() -> Any:
        response = read(prepared(settings), message.parameter)
        if not response.is_valid(asked, REQUEST):
            raise AssertionError(response.get_error())
        return response.get_nameid_data(), response.get_attributes()

    return run


COLUMNS: dict[str, Callable[[Message], Callable[[], object]]] = {"floor": floor, "own": own, "both": both, "as shipped": as_shipped}


def measured(message: Message) -> dict[str, float]:
    """Microseconds by column, all columns in turns."""
    runs = {name: column(message) for name, column in COLUMNS.items()}
    calls = CALLS.get(message.name, 100)
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(ROUNDS):
        for name, run in runs.items():
            began = time.thread_time()
            for _ in range(calls):
                run()
            best[name] = min(best[name], (time.thread_time() - began) / calls * 1e6)
    return best | {"own / floor": best["own"] / best["floor"], "both / as shipped": best["both"] / best["as shipped"]}


def main() -> None:
    """Print the table, and which bars are missed: it tells, and fails nothing."""
    table = {message.name: {"bytes": float(len(message.parameter)), **measured(message)} for message in messages()}
    missed = [f"{row}: {column} over {bar}" for row, bars in BARS.items() for column, bar in bars.items() if table[row][column] > bar]
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"microseconds": table, "missed": missed}, indent=2) + "\n")
        return
    columns = list(next(iter(table.values())))
    sys.stdout.write(f"{'':12}" + "".join(f"{column:>18}" for column in columns) + "\n")
    for row, figures in table.items():
        sys.stdout.write(f"{row:12}" + "".join(f"{figures[column]:18.{2 if '/' in column else 0}f}" for column in columns) + "\n")
    sys.stdout.writelines(f"missed: {one}\n" for one in missed)


if __name__ == "__main__":
    main()
