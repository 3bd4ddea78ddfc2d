"""The AuthnRequest (Core §3.4.1), by redirect or by a POST that submits itself (Bindings §3.4, §3.5), signed on demand."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from pydantic_core import from_json, to_json

from gateway.errors import ConfigError, MetadataUnusable, UnreadableLogin
from gateway.model import IdpRequest, Memo, TransactionId
from gateway.noun import noun
from gateway.protocol.saml import names
from gateway.protocol.saml.bindings import Frame, Outgoing, by_post, check_relay_state, deflated_between, framed, redirect_with
from gateway.protocol.saml.keys import KeyPair
from gateway.protocol.saml.parameters import IdentityProviderMetadata, ServiceProvider, check_current
from gateway.protocol.saml.times import write_instant


@noun
class SentRequest:
    """The request that a browser was sent with: what its response must answer. `at`: aware, UTC; it is told to the second."""

    id: str
    at: datetime


@noun
class RequestDraft:
    """An AuthnRequest to one provider, all but the ID and the time: what does not change from login to login.

    `location`: where it goes, by redirect unless `posted`; `pair` signs it, None: it is not signed.
    """

    idp: IdentityProviderMetadata
    location: str
    posted: bool
    pair: KeyPair | None
    frame: Frame


def draft_request(sp: ServiceProvider, idp: IdentityProviderMetadata) -> RequestDraft:
    """By redirect where the provider offers it, else by POST. Raises `MetadataUnusable`, `ConfigError`."""
    location = idp.sso_post if idp.sso_redirect is None else idp.sso_redirect
    if location is None:
        raise MetadataUnusable("no address to send users to")
    return RequestDraft(
        idp=idp, location=location, posted=idp.sso_redirect is None, pair=signing_pair(sp), frame=request_frame(sp, destination=location)
    )


def authn_request(transaction: TransactionId, *, draft: RequestDraft, random: bytes, now: datetime) -> tuple[IdpRequest, Memo]:
    """Where to send the browser, and what to remember. `random`: 16 unguessable bytes or more. Raises `MetadataExpired`.

    RelayState is the transaction's name and nothing else.
    """
    check_current(draft.idp, now)
    check_relay_state(transaction)
    sent = SentRequest(id="_" + random.hex(), at=now)
    own, frame = f' ID="{sent.id}" IssueInstant="{write_instant(sent.at)}"', draft.frame
    if draft.posted:
        message = Outgoing(parameter="SAMLRequest", id=sent.id, document=frame.before + own + frame.behind, relay_state=transaction)
        return by_post(message, location=draft.location, pair=draft.pair), write_memo(sent)
    deflated = deflated_between(frame, own)
    return redirect_with("SAMLRequest", deflated, relay_state=transaction, location=draft.location, pair=draft.pair), write_memo(sent)


def request_frame(sp: ServiceProvider, *, destination: str) -> Frame:
    """The AuthnRequest as XML, unsigned, but for two of its root's attributes."""
    force = ' ForceAuthn="true"' if sp.force_authn else ""
    return framed(
        f'<samlp:AuthnRequest xmlns:samlp="{names.PROTOCOL}" xmlns:saml="{names.ASSERTION}" Version="2.0"'
        f' Destination="{escape(destination)}"{force} ProtocolBinding="{names.HTTP_POST}"'
        f' AssertionConsumerServiceURL="{escape(sp.acs_url)}"',
        f"><saml:Issuer>{escape(sp.entity_id)}</saml:Issuer>{name_id_policy(sp)}{requested_context(sp)}</samlp:AuthnRequest>",
    )


def name_id_policy(sp: ServiceProvider) -> str:
    """Only when a format is configured (Core §3.4.1.1): providers refuse policies that they were not set up for."""
    if sp.name_id_format is None:
        return ""
    return f'<samlp:NameIDPolicy Format="{escape(sp.name_id_format)}" AllowCreate="true"/>'


def requested_context(sp: ServiceProvider) -> str:
    """Only when contexts are configured (Core §3.3.2.2.1): asking for a password breaks sign-ins by stronger means."""
    if not sp.authn_contexts:
        return ""
    wanted = "".join(f"<saml:AuthnContextClassRef>{escape(one)}</saml:AuthnContextClassRef>" for one in sp.authn_contexts)
    return f'<samlp:RequestedAuthnContext Comparison="exact">{wanted}</samlp:RequestedAuthnContext>'


def signing_pair(sp: ServiceProvider) -> KeyPair | None:
    """The key that signs requests, None where they are not signed. Raises `ConfigError` when there is no key to sign with."""
    if not sp.sign_requests:
        return None
    if not sp.keys:
        raise ConfigError("sp.sign_requests without sp.key")
    return sp.keys[0]


def write_memo(sent: SentRequest) -> Memo:
    """What `read_memo` reads."""
    return Memo(to_json({"request": sent.id, "at": int(sent.at.timestamp())}).decode())


def read_memo(memo: Memo) -> SentRequest:
    """The request of a login in flight, from its sealed memo. Raises `UnreadableLogin`."""
    try:
        fields = from_json(memo, cache_strings="none")  # the library would keep texts of thousands of logins
        return SentRequest(id=str(fields["request"]), at=datetime.fromtimestamp(int(fields["at"]), UTC))
    except (ValueError, KeyError, TypeError, OverflowError):
        raise UnreadableLogin("the memo is not one of a SAML login") from None
