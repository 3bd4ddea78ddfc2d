"""The nouns: one frozen dataclass per stage of trust.

Data goes one way through them, and its type changes whenever it gains trust: what the browser said, what we sealed,
what a provider proved, what our rules decided, what the proxy issued. This module knows nothing of HTTP servers,
configuration files or time sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import NewType, TypeAlias

from gateway.digests import TransactionId as TransactionId  # noqa: PLC0414 - one of the nouns, passed on
from gateway.noun import noun

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
Claims: TypeAlias = Mapping[str, JsonValue]

Memo = NewType("Memo", str)
"""What a provider needs to remember between `begin` and `finish`; opaque to everybody else."""


class Secret:
    """A string that shows itself only when asked: `reveal()`. `repr`, `str` and format give a mask."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


class Purpose(StrEnum):
    """What a login in flight is for; one can never be finished as the other."""

    LOGIN = "login"
    TEST = "test"


class Binding(StrEnum):
    """How an identity provider's answer reaches us through the browser."""

    QUERY = "query"
    FORM_POST = "form_post"
    SAML_POST = "saml_post"

    @property
    def cross_site_post(self) -> bool:
        """True where the answer is a POST from the provider's site: a SameSite=Lax cookie would stay behind."""
        return self is not Binding.QUERY


@noun
class AuthModuleRedirect:
    """The parameters that the Qlik proxy's redirect carries (Qlik "Authentication API"). From the browser: compare, never call."""

    target_id: str
    proxy_rest_uri: str


@noun
class Visitor:
    """A browser as a login begins. `browser`: its random handle. `chosen`, `fresh`, `tickets`: see `LoginTransaction`."""

    browser: str = field(repr=False)
    chosen: bool = False
    fresh: bool = False
    tickets: tuple[datetime, ...] = ()


@noun
class LoginTransaction:
    """One login in flight. Ours: it travels sealed in a cookie of the browser that began it.

    `browser`: the random handle of the browser that began it, here because its own cookie stays behind when the answer is
    posted from another site. `chosen`: the user chose the provider, now or before. `step_up`: it follows a sign-in that was
    too weak. `fresh`: the user signed out before, and is asked to sign in anew. `tickets`: when the browser got its
    last tickets for this virtual proxy, each by a login that began after the one before.
    """

    id: TransactionId
    purpose: Purpose
    virtual_proxy: str
    node: str
    idp: str
    registration: str
    target_id: str
    expires_at: datetime
    memo: Memo = field(repr=False)
    browser: str = field(default="", repr=False)
    chosen: bool = False
    step_up: bool = False
    fresh: bool = False
    tickets: tuple[datetime, ...] = ()


@noun
class Redirect:
    """Send the browser to the identity provider by GET."""

    url: str = field(repr=False)


@noun
class FormPost:
    """Send the browser to the identity provider by a POST that submits itself."""

    action: str
    fields: Mapping[str, str] = field(repr=False)


IdpRequest: TypeAlias = Redirect | FormPost


@noun
class IdpResponse:
    """What the browser brought back from an identity provider. Hostile; a parameter that came twice never gets here."""

    binding: Binding
    fields: Mapping[str, str] = field(repr=False)


@noun
class IdpSession:
    """Whose session at which provider: what a logout from the provider names."""

    issuer: str
    subject: str
    session_id: str | None = None


@noun
class VerifiedIdentity:
    """What a provider has proven about a user. Constructed only inside `protocol/` (a test looks)."""

    session: IdpSession
    claims: Claims = field(repr=False)
    proof_id: str = field(repr=False)
    proof_expires_at: datetime
    name_id: str | None = None
    logout_memo: Memo | None = field(default=None, repr=False)


@noun
class QlikUser:
    """Who the user is in Qlik Sense: decided by our rules. `attributes` are (name, value) pairs; a name may repeat."""

    directory: str
    user_id: str
    attributes: tuple[tuple[str, str], ...] = ()


@noun
class SignedIn:
    """One identity for which this gateway asked for a ticket: what a logout has to end.

    `browser`: digest of its handle. `user`: directory and id alone. `memo`: the provider's, sealed. `signed_in_at`: of the request for it.
    """

    browser: str = field(repr=False)
    virtual_proxy: str
    idp: str
    registration: str
    session: IdpSession = field(repr=False)
    user: QlikUser = field(repr=False)
    memo: str | None = field(default=None, repr=False)
    signed_in_at: datetime
    expires_at: datetime


@noun
class Journey:
    """How far a browser's logout got. `virtual_proxy`: where the user wanted to leave; `browser`: digest of its handle.

    `ended`, `left`: virtual proxies whose Qlik sessions have ended, and have not yet; `visited`: providers whose turn it was, and
    `open` those of them whose own session was not ended.
    """

    virtual_proxy: str
    browser: str = field(repr=False)
    began_at: datetime
    ended: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    visited: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


@noun
class LogoutTransaction:
    """A browser on its way to a provider, to end its session there. Ours: it travels sealed in a cookie."""

    id: TransactionId
    journey: Journey
    idp: str
    registration: str
    expires_at: datetime
    memo: Memo = field(repr=False)


class Channel(StrEnum):
    """How a provider's word about a logout reaches us."""

    BACK = "back"
    FRONT = "front"
    REDIRECT = "redirect"
    POST = "post"


@noun
class LogoutMessage:
    """What came to a logout address: hostile; no parameter came twice. `raw_query`: as received, for signatures over it."""

    channel: Channel
    fields: Mapping[str, str] = field(repr=False)
    raw_query: str = field(default="", repr=False)


@noun
class LogoutNotice:
    """A provider's proven word that sessions of its own ended. Constructed only inside `protocol/` (a test looks).

    `subject` None: only sessions were named; `session_ids` empty: all sessions of that subject. `proof_id`: what makes it
    good for one use; None: the message has none (a front-channel logout proves nothing and is harmless). `reply`: what the
    answer through the browser needs; None: there is none.
    """

    issuer: str
    subject: str | None = field(repr=False)
    session_ids: tuple[str, ...] = field(repr=False)
    proof_id: str | None = field(repr=False)
    proof_expires_at: datetime
    reply: Memo | None = field(default=None, repr=False)


_SAFE_IN_FORMS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_. "


def attribute_size(name: str, value: str) -> int:
    """Bytes that one attribute takes in the form-encoded header X-Qlik-Security (Qlik "Header authentication")."""
    return attributes_size([(name, value)])


def attributes_size(attributes: Sequence[tuple[str, str]]) -> int:
    """Bytes that several take."""
    text = "".join([name + value for name, value in attributes]).encode()
    return len("=; ") * len(attributes) + len(text) + 2 * len(text.translate(None, _SAFE_IN_FORMS))


@noun
class Ticket:
    """A ticket of the proxy: valid for one minute and one use (Qlik "Add ticket").

    `location` is where the browser goes, already checked against the virtual proxy's targets. The ticket stands in its
    query; or, where the target is not a Qlik host and says `redeem_first`, in `redeem_at`, a URL on a Qlik host that a
    page must fetch before it goes on to `location`.
    """

    location: str = field(repr=False)
    redeem_at: str | None = field(default=None, repr=False)
    node: str


@noun
class HttpRequest:
    """One outgoing request, built by `protocol/` and sent by an adapter. `limit`: most bytes of the answer's body; `timeout`: seconds."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    limit: int = 256_000
    timeout: float = 10.0


@noun
class HttpResponse:
    """One answer as it came: read in full, within the request's limit. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
