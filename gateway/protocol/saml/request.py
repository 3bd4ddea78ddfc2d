"""The AuthnRequest (Core §3.4.1), by redirect or by a POST that submits itself (Bindings §3.4, §3.5), signed on demand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape

from gateway.errors import ConfigError, MetadataUnusable, UnreadableLogin
from gateway.model import IdpRequest, Memo, TransactionId
from gateway.noun import noun
from gateway.protocol.saml import names
from gateway.protocol.saml.bindings import Outgoing, by_post, by_redirect, check_relay_state
from gateway.protocol.saml.keys import KeyPair
from gateway.protocol.saml.parameters import IdentityProviderMetadata, ServiceProvider, check_current
from gateway.protocol.saml.times import write_instant


@noun
class SentRequest:
    """The request that a browser was sent with: what its response must answer. `at`: aware, UTC, to the second."""

    id: str
    at: datetime


def authn_request(
    transaction: TransactionId, *, sp: ServiceProvider, idp: IdentityProviderMetadata, random: bytes, now: datetime
) -> tuple[IdpRequest, Memo]:
    """Where to send the browser, and what to remember. `random`: 16 unguessable bytes or more. Raises `MetadataError`.

    By redirect where the provider offers it, else by POST. RelayState is the transaction's name and nothing else.
    """
    check_current(idp, now)
    check_relay_state(transaction)
    sent = SentRequest(id="_" + random.hex(), at=now.replace(microsecond=0))
    pair = signing_pair(sp)
    if idp.sso_redirect is not None:
        return by_redirect(outgoing(sent, transaction, sp, idp.sso_redirect), location=idp.sso_redirect, pair=pair), write_memo(sent)
    if idp.sso_post is not None:
        return by_post(outgoing(sent, transaction, sp, idp.sso_post), location=idp.sso_post, pair=pair), write_memo(sent)
    raise MetadataUnusable("no address to send users to")


def outgoing(sent: SentRequest, transaction: TransactionId, sp: ServiceProvider, destination: str) -> Outgoing:
    """The AuthnRequest with its RelayState."""
    document = request_document(sent, sp=sp, destination=destination)
    return Outgoing(parameter="SAMLRequest", id=sent.id, document=document, relay_state=transaction)


def request_document(sent: SentRequest, *, sp: ServiceProvider, destination: str) -> str:
    """The AuthnRequest as XML, unsigned."""
    force = ' ForceAuthn="true"' if sp.force_authn else ""
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{names.PROTOCOL}" xmlns:saml="{names.ASSERTION}" ID="{sent.id}" Version="2.0"'
        f' IssueInstant="{write_instant(sent.at)}" Destination="{escape(destination)}"{force} ProtocolBinding="{names.HTTP_POST}"'
        f' AssertionConsumerServiceURL="{escape(sp.acs_url)}"><saml:Issuer>{escape(sp.entity_id)}</saml:Issuer>'
        f"{name_id_policy(sp)}{requested_context(sp)}</samlp:AuthnRequest>"
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
    return Memo(json.dumps({"request": sent.id, "at": int(sent.at.timestamp())}))


def read_memo(memo: Memo) -> SentRequest:
    """The request of a login in flight, from its sealed memo. Raises `UnreadableLogin`."""
    try:
        fields = json.loads(memo)
        return SentRequest(id=str(fields["request"]), at=datetime.fromtimestamp(int(fields["at"]), UTC))
    except (ValueError, KeyError, TypeError, OverflowError):
        raise UnreadableLogin("the memo is not one of a SAML login") from None
