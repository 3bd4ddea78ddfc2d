"""Authenticated, rotating encryption of what travels through the browser: the login in flight.

AES-256-GCM (NIST SP 800-38D) under a key derived by HKDF-SHA-256 (RFC 5869) from each key of the ring; the first key
seals, all open. The associated data is the name of the cookie, so a sealed value opens under no other name. Nonces are
96 random bits: a key is good for 2^32 seals. This module knows nothing of cookies' attributes, clocks or randomness.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic_core import from_json, to_json

from gateway.digests import base64url, from_base64url
from gateway.errors import UnknownSealingKey, UnreadableLogin
from gateway.model import Journey, LoginTransaction, LogoutTransaction, Memo, Purpose, TransactionId
from gateway.noun import noun

_read: Final = partial(from_json, cache_strings="none")  # the library would keep thousands of texts, secrets of logins among them
KEY_SIZE = 32
NONCE_SIZE = 12
KEY_ID_SIZE = 4
LONGEST_SEALED = 4096


class Sealer:
    """A key ring for one purpose. `ring`: keys of 32 bytes, the sealing one first. `longest`: characters of a sealed value."""

    def __init__(self, ring: Sequence[bytes], *, purpose: str, longest: int = LONGEST_SEALED) -> None:
        if not ring or any(len(key) != KEY_SIZE for key in ring):
            raise ValueError("a key ring holds at least one key, each of 32 bytes")
        self._longest = longest
        derived = [_derive(key, purpose) for key in ring]
        self._current = _key_id(derived[0])
        self._ciphers = {_key_id(key): AESGCM(key) for key in reversed(derived)}

    def seal(self, plain: bytes, *, context: str, nonce: bytes) -> str:
        """Encrypt `plain` for `context`. `nonce`: 12 fresh random bytes."""
        sealed = self._ciphers[self._current].encrypt(nonce, plain, context.encode())
        return base64url(self._current + nonce + sealed)

    def open(self, sealed: str, *, context: str) -> bytes:
        """What was sealed for `context`. Raises `UnknownSealingKey`, `UnreadableLogin`."""
        raw = _decode(sealed, self._longest)
        cipher = self._ciphers.get(raw[:KEY_ID_SIZE])
        if cipher is None:
            raise UnknownSealingKey("sealed with a key that is not in cookie_keys")
        nonce, box = raw[KEY_ID_SIZE : KEY_ID_SIZE + NONCE_SIZE], raw[KEY_ID_SIZE + NONCE_SIZE :]
        try:
            return cipher.decrypt(nonce, box, context.encode())
        except (InvalidTag, ValueError) as error:
            raise UnreadableLogin("altered, or sealed under another name") from error


class Pseudonyms:
    """Keyed digests for one purpose (BLAKE2b, RFC 7693 §2.9): equal values have equal names; whose they are, only the ring can tell."""

    def __init__(self, ring: Sequence[bytes], *, purpose: str) -> None:
        self._keys = [_derive(key, f"names: {purpose}") for key in ring]

    def of(self, value: str) -> tuple[str, ...]:
        """The names of `value`, one for each key of the ring; that of the sealing key first."""
        return tuple(hashlib.blake2b(value.encode(), digest_size=16, key=key).hexdigest() for key in self._keys)


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=None, info=b"qlikgw " + purpose.encode()).derive(key)


def _key_id(derived: bytes) -> bytes:
    return hashlib.sha256(b"qlikgw key id" + derived).digest()[:KEY_ID_SIZE]


def _decode(sealed: str, longest: int) -> bytes:
    if len(sealed) > longest:
        raise UnreadableLogin("longer than anything that is sealed here")
    try:
        raw = from_base64url(sealed)
    except ValueError as error:
        raise UnreadableLogin("not base64url") from error
    if len(raw) < KEY_ID_SIZE + NONCE_SIZE:
        raise UnreadableLogin("too short")
    return raw


@noun
class SpentLogin:
    """What stays of a login once it was used: enough for a page that names the virtual proxy and to see a loop, useless for the rest.

    `tickets`: as in `LoginTransaction`, with that of this login if it ended with one.
    """

    virtual_proxy: str
    expires_at: datetime
    tickets: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLink:
    """What the link of a test sign-in says: where to sign in, for which virtual proxy, until when. `id` is drawn for its one use."""

    id: str
    virtual_proxy: str
    idp: str
    expires_at: datetime


LoginRecord = LoginTransaction | SpentLogin
_PURPOSES: Final = {str(purpose): purpose for purpose in Purpose}


def seal_login(sealer: Sealer, record: LoginRecord, *, context: str, nonce: bytes) -> str:
    """The cookie value of one login. `context`: the cookie's name."""
    return sealer.seal(to_json(_fields(record)), context=context, nonce=nonce)


def open_login(sealer: Sealer, sealed: str, *, context: str, transaction: TransactionId | None = None) -> LoginRecord:
    """Read a login back. Raises `UnknownSealingKey`, `UnreadableLogin`; whether it may still be used is the pipeline's to say.

    `transaction`: the one that it is looked for by; what is found may be another.
    """
    plain = sealer.open(sealed, context=context)
    try:
        return _record(_read(plain), transaction)
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError) as error:
        raise UnreadableLogin("sealed by another version") from error


def _fields(record: LoginRecord) -> list[str | int]:
    expires = int(record.expires_at.timestamp())
    if isinstance(record, SpentLogin):
        return ["spent", record.virtual_proxy, expires, _seconds(record.tickets)]
    return [
        str(record.purpose),
        record.virtual_proxy,
        expires,
        str(record.id),
        record.node,
        record.idp,
        record.registration,
        record.target_id,
        record.memo,
        record.chosen,
        record.step_up,
        record.fresh,
        record.browser,
        _seconds(record.tickets),
    ]


def _record(fields: list[Any], wanted: TransactionId | None) -> LoginRecord:
    kind, virtual_proxy, expires, *rest = fields
    expires_at = datetime.fromtimestamp(expires, UTC)
    if kind == "spent":
        return SpentLogin(virtual_proxy=virtual_proxy, expires_at=expires_at, tickets=_times(rest[0]))
    name, node, idp, registration, target_id, memo, chosen, step_up, fresh, browser, tickets = rest
    return LoginTransaction(
        id=wanted if wanted is not None and wanted == name else TransactionId(name),
        purpose=_PURPOSES[kind],
        virtual_proxy=virtual_proxy,
        node=node,
        idp=idp,
        registration=registration,
        target_id=target_id,
        expires_at=expires_at,
        memo=Memo(memo),
        chosen=chosen,
        step_up=step_up,
        fresh=fresh,
        browser=browser,
        tickets=_times(tickets),
    )


def _seconds(times: tuple[datetime, ...]) -> str:
    return " ".join([str(int(time.timestamp())) for time in times])


def _times(seconds: str) -> tuple[datetime, ...]:
    return tuple([datetime.fromtimestamp(int(number), UTC) for number in seconds.split()])


def seal_logout(sealer: Sealer, logout: LogoutTransaction, *, context: str, nonce: bytes) -> str:
    """The cookie value of a logout on its way to a provider. `context`: the cookie's name."""
    way = logout.journey
    journey = [way.virtual_proxy, way.browser, round(way.began_at.timestamp() * 1000), way.ended, way.left, way.visited, way.open]
    fields = [logout.id, journey, logout.idp, logout.registration, int(logout.expires_at.timestamp()), logout.memo]
    return sealer.seal(to_json(fields), context=context, nonce=nonce)


def open_logout(sealer: Sealer, sealed: str, *, context: str) -> LogoutTransaction:
    """Read it back. Raises `UnknownSealingKey`, `UnreadableLogin`; whether it may still be used is the pipeline's to say."""
    try:
        name, journey, idp, registration, expires, memo = _read(sealer.open(sealed, context=context))
        virtual_proxy, browser, began, *lists = journey
        ended, left, visited, still_open = (tuple(map(str, names)) for names in lists)
        began_at, expires_at = (datetime.fromtimestamp(int(stamp) / 1000, UTC) for stamp in (began, expires * 1000))
    except (ValueError, TypeError, OverflowError) as error:
        raise UnreadableLogin("sealed by another version") from error
    return LogoutTransaction(
        id=TransactionId(name),
        journey=Journey(
            virtual_proxy=virtual_proxy,
            browser=browser,
            began_at=began_at,
            ended=ended,
            left=left,
            visited=visited,
            open=still_open,
        ),
        idp=idp,
        registration=registration,
        expires_at=expires_at,
        memo=Memo(memo),
    )


_LINK = "link"


def seal_link(sealer: Sealer, link: TrialLink, *, nonce: bytes) -> str:
    """The link's token."""
    fields = [link.id, link.virtual_proxy, link.idp, int(link.expires_at.timestamp())]
    return sealer.seal(to_json(fields), context=_LINK, nonce=nonce)


def open_link(sealer: Sealer, sealed: str) -> TrialLink:
    """Read a token back. Raises `UnknownSealingKey`, `UnreadableLogin`; whether it may still be used is the pipeline's to say."""
    try:
        name, virtual_proxy, idp, expires = _read(sealer.open(sealed, context=_LINK))
        expires_at = datetime.fromtimestamp(int(expires), UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise UnreadableLogin("sealed by another version") from error
    return TrialLink(id=str(name), virtual_proxy=str(virtual_proxy), idp=str(idp), expires_at=expires_at)
