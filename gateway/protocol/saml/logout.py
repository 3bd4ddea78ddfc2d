"""Single Logout, what the provider says (Core §3.7, Profiles §4.4): its request to end a session, and its answer to ours.

Nothing is read from an unsigned message. A session is named by NameID and SessionIndex together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gateway.errors import LogoutAnswer, LogoutNotDone, LogoutSubject, SamlDestination, SamlMalformed, SamlTimes
from gateway.model import Channel, LogoutMessage, LogoutNotice, TransactionId
from gateway.protocol.saml import names, xml
from gateway.protocol.saml.assertion import Moment, check_issue_instant, check_issuer, check_version, proof_id
from gateway.protocol.saml.attributes import read_name_id
from gateway.protocol.saml.logout_messages import MAX_LOGOUT_AGE, Reply, write_reply
from gateway.protocol.saml.parameters import IdentityProviderMetadata, ServiceProvider, check_current
from gateway.protocol.saml.received import verify_message
from gateway.protocol.saml.request import SentRequest
from gateway.protocol.saml.times import read_optional_instant
from gateway.protocol.saml.xml import BLANKS, Element

_MAX_SESSIONS: Final = 100
_MAX_RELAY_STATE: Final = 2_000  # characters: providers send more than the 80 bytes of Bindings §3.4.3


def verify_logout_request(message: LogoutMessage, *, sp: ServiceProvider, idp: IdentityProviderMetadata, now: datetime) -> LogoutNotice:
    """Whose session the provider ends (Profiles §4.4.3.3). `now`: aware, UTC.

    Raises `SamlError`s, `LogoutSubject`, `MetadataExpired`; whatever the bytes, nothing else. What is left to the caller: it is
    acted upon once (`proof_id`).
    """
    moment = Moment(now=now, skew=sp.clock_skew)
    received = verify_message(message, "SAMLRequest", idp.certificates)
    root, relay_state = received.root, check_relay_state_length(received.relay_state)
    issued = check_message(root, names.LOGOUT_REQUEST, sp=sp, idp=idp, moment=moment)
    mark = proof_id(root, sp.idp_entity_id)
    check_not_ended(root, moment)
    name_id = read_name_id(root, sp.entity_id)
    return LogoutNotice(
        issuer=sp.idp_entity_id,
        subject=name_id.value,
        session_ids=read_session_indexes(root),
        proof_id=mark,
        proof_expires_at=issued + MAX_LOGOUT_AGE + 2 * sp.clock_skew,
        reply=write_reply(Reply(request=root.get("ID") or "", relay_state=relay_state, posted=message.channel is Channel.POST)),
    )


def check_not_ended(root: Element, moment: Moment) -> None:
    """Before its NotOnOrAfter, where it has one (Core §3.7.1). Raises `SamlTimes`."""
    ends = read_optional_instant(root.get("NotOnOrAfter"))
    if ends is not None and moment.is_past(ends):
        raise SamlTimes(f"the request ended at {ends.isoformat()}")


def read_session_indexes(root: Element) -> tuple[str, ...]:
    """The sessions that are meant; none: all of that subject (Core §3.7.1). Raises `LogoutSubject`."""
    indexes = tuple(xml.leaf_text(one, LogoutSubject).strip(BLANKS) for one in root.iterchildren(names.SESSION_INDEX))
    if not all(indexes) or len(indexes) > _MAX_SESSIONS:
        raise LogoutSubject(f"an empty SessionIndex, or more than {_MAX_SESSIONS}")
    return indexes


def verify_logout_response(  # noqa: PLR0913  every one of them decides
    message: LogoutMessage,
    *,
    transaction: TransactionId,
    sp: ServiceProvider,
    idp: IdentityProviderMetadata,
    sent: SentRequest,
    now: datetime,
) -> None:
    """The provider has ended its session (Profiles §4.4.3.5). `now`: aware, UTC.

    Raises `SamlError`s, `MetadataExpired`; `LogoutAnswer` where it answers another request; `LogoutNotDone` where the session goes on.
    """
    received = verify_message(message, "SAMLResponse", idp.certificates)
    check_message(received.root, names.LOGOUT_RESPONSE, sp=sp, idp=idp, moment=Moment(now=now, skew=sp.clock_skew))
    if received.relay_state != transaction:
        raise LogoutAnswer("RelayState is not the one that was sent")
    if received.root.get("InResponseTo") != sent.id:
        raise LogoutAnswer("InResponseTo is not the request that was sent")
    check_done(received.root)


def check_done(root: Element) -> None:
    """Success, and not in part (Core §3.2.2.2, §3.7.3.2). Raises `LogoutNotDone`."""
    codes = [code.get("Value") or "" for status in root.iterchildren(names.STATUS) for code in status.iter(names.STATUS_CODE)]
    if codes[:1] != [names.SUCCESS] or names.PARTIAL_LOGOUT in codes:
        raise LogoutNotDone("the provider reports " + (", ".join(one.rpartition(":")[2][:60] for one in codes[:2]) or "no status"))


def check_message(root: Element, kind: str, *, sp: ServiceProvider, idp: IdentityProviderMetadata, moment: Moment) -> datetime:
    """What holds for both kinds: of SAML 2.0, of the provider, for us and of now (Core §3.2, Profiles §4.4.4). Gives when it was issued.

    Raises `SamlMalformed`, `SamlIssuer`, `SamlDestination`, `SamlTimes`, `MetadataExpired`.
    """
    check_current(idp, moment.now)
    if root.tag != kind:
        raise SamlMalformed(f"a {xml.local_name(root)} instead of a {kind.rpartition('}')[2]}")
    check_version(root)
    check_issuer(root, sp.idp_entity_id, required=True)
    if root.get("Destination") != sp.slo_url:
        raise SamlDestination(f"Destination {(root.get('Destination') or 'missing')[:120]!r}")
    return check_issue_instant(root, moment, MAX_LOGOUT_AGE)


def check_relay_state_length(relay_state: str | None) -> str | None:
    """What we must give back (Bindings §3.4.3), if it is not too much to carry. Raises `SamlMalformed`."""
    if relay_state is not None and len(relay_state) > _MAX_RELAY_STATE:
        raise SamlMalformed(f"a RelayState of {len(relay_state)} characters")
    return relay_state
