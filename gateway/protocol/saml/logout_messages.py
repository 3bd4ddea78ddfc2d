"""Single Logout, what we say (Core §3.7, Profiles §4.4): our request to end a session, and our answer to the provider's.

Every message of ours is signed, whatever is configured for requests to sign in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Final

from gateway.errors import InternalError, UnreadableLogin
from gateway.model import IdpRequest, LogoutNotice, Memo, TransactionId
from gateway.protocol.saml import names
from gateway.protocol.saml.attributes import NameId
from gateway.protocol.saml.bindings import Outgoing, by_post, by_redirect, check_relay_state
from gateway.protocol.saml.parameters import IdentityProviderMetadata, ServiceProvider, check_current
from gateway.protocol.saml.request import SentRequest, write_memo
from gateway.protocol.saml.times import write_instant

MAX_LOGOUT_AGE: Final = timedelta(minutes=5)
"""How old a logout message may be, and how long a request of ours is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What our answer to a provider's request needs. `posted`: how that came."""

    request: str
    relay_state: str | None
    posted: bool


def stamp(random: bytes, now: datetime) -> SentRequest:
    """The ID and the time of a message of ours. `random`: 16 unguessable bytes or more; `now`: aware, UTC."""
    return SentRequest(id="_" + random.hex(), at=now.replace(microsecond=0))


def logout_request(
    memo: Memo, transaction: TransactionId, *, sp: ServiceProvider, idp: IdentityProviderMetadata, sent: SentRequest
) -> tuple[IdpRequest, Memo] | None:
    """Ask the provider to end the session that `memo` names, and what to remember (Profiles §4.4.3.1).

    By redirect where the provider offers it, else by POST; None where it offers neither, or we have no key to sign with.
    Raises `UnreadableLogin`, `MetadataExpired`.
    """
    check_current(idp, sent.at)
    check_relay_state(transaction)
    posted = idp.logout.redirect is None
    destination = idp.logout.post if posted else idp.logout.redirect
    name_id, index = read_logout_memo(memo)
    if destination is None or not sp.logs_out:
        return None
    document = request_document(sent, name_id, index, sp=sp, destination=destination)
    message = Outgoing(parameter="SAMLRequest", id=sent.id, document=document, relay_state=transaction)
    return signed(message, sp, location=destination, posted=posted), write_memo(sent)


def request_document(sent: SentRequest, name_id: NameId, index: str | None, *, sp: ServiceProvider, destination: str) -> str:
    """The LogoutRequest as XML (Core §3.7.1), unsigned; the NameID with the very qualifiers that it came with."""
    qualifiers = (("Format", name_id.format), ("NameQualifier", name_id.qualifier), ("SPNameQualifier", name_id.sp_qualifier))
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in qualifiers if value is not None)
    session = "" if index is None else f"<samlp:SessionIndex>{escape(index)}</samlp:SessionIndex>"
    return (
        f'<samlp:LogoutRequest xmlns:samlp="{names.PROTOCOL}" xmlns:saml="{names.ASSERTION}" ID="{sent.id}" Version="2.0"'
        f' IssueInstant="{write_instant(sent.at)}" Destination="{escape(destination)}"'
        f' NotOnOrAfter="{write_instant(sent.at + MAX_LOGOUT_AGE)}" Reason="{names.LOGOUT_BY_USER}">'
        f"<saml:Issuer>{escape(sp.entity_id)}</saml:Issuer>"
        f"<saml:NameID{attributes}>{escape(name_id.value)}</saml:NameID>{session}</samlp:LogoutRequest>"
    )


def logout_response(
    notice: LogoutNotice, *, complete: bool, sp: ServiceProvider, idp: IdentityProviderMetadata, sent: SentRequest
) -> IdpRequest | None:
    """Tell the provider what became of its request (Profiles §4.4.3.4), by the way that this came where it can be, else by the other.

    None where the provider takes no answer, or we have no key to sign with. Raises `InternalError`.
    """
    reply = read_reply(notice)
    redirect, post = idp.logout.redirect_answers, idp.logout.post_answers
    posted = post is not None and (reply.posted or redirect is None)
    destination = post if posted else redirect
    if destination is None or not sp.logs_out:
        return None
    document = response_document(sent, reply.request, complete=complete, sp=sp, destination=destination)
    message = Outgoing(parameter="SAMLResponse", id=sent.id, document=document, relay_state=reply.relay_state)
    return signed(message, sp, location=destination, posted=posted)


def response_document(sent: SentRequest, request: str, *, complete: bool, sp: ServiceProvider, destination: str) -> str:
    """The LogoutResponse as XML (Core §3.7.2), unsigned."""
    partial = f'<samlp:StatusCode Value="{names.RESPONDER}"><samlp:StatusCode Value="{names.PARTIAL_LOGOUT}"/></samlp:StatusCode>'
    status = f'<samlp:StatusCode Value="{names.SUCCESS}"/>' if complete else partial
    return (
        f'<samlp:LogoutResponse xmlns:samlp="{names.PROTOCOL}" xmlns:saml="{names.ASSERTION}" ID="{sent.id}" Version="2.0"'
        f' IssueInstant="{write_instant(sent.at)}" Destination="{escape(destination)}" InResponseTo="{escape(request)}">'
        f"<saml:Issuer>{escape(sp.entity_id)}</saml:Issuer><samlp:Status>{status}</samlp:Status></samlp:LogoutResponse>"
    )


def signed(message: Outgoing, sp: ServiceProvider, *, location: str, posted: bool) -> IdpRequest:
    """On its way (Profiles §4.4.4: a logout message by the browser is signed)."""
    return by_post(message, location=location, pair=sp.keys[0]) if posted else by_redirect(message, location=location, pair=sp.keys[0])


def write_logout_memo(name_id: NameId, index: str | None) -> Memo:
    """What a LogoutRequest must name (Core §3.7.1)."""
    return Memo(json.dumps((name_id.value, name_id.format, name_id.qualifier, name_id.sp_qualifier, index)))


def read_logout_memo(memo: Memo) -> tuple[NameId, str | None]:
    """The same again. Raises `UnreadableLogin`: another version of the gateway wrote the memo."""
    try:
        value, name_format, qualifier, sp_qualifier, index = json.loads(memo)
    except (ValueError, TypeError):
        raise UnreadableLogin("the memo is not one of a SAML logout") from None
    return NameId(value=value, format=name_format, qualifier=qualifier, sp_qualifier=sp_qualifier), index


def write_reply(reply: Reply) -> Memo:
    """What `read_reply` reads."""
    return Memo(json.dumps(asdict(reply)))


def read_reply(notice: LogoutNotice) -> Reply:
    """What a notice of ours holds for its answer. Raises `InternalError` for one that was not made here."""
    try:
        return Reply(**json.loads(notice.reply or ""))
    except (ValueError, TypeError):
        raise InternalError("the notice is not one of a SAML request") from None
