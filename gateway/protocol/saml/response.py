"""The Response: from the posted parameter to a verified identity (Profiles §4.1.4).

`verify_response` reads as the list of what must hold. Nothing of the identity is read from bytes that were not signed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gateway.errors import (
    SamlDestination,
    SamlInResponseTo,
    SamlMalformed,
    SamlTooLarge,
    SamlUnsolicited,
    SignInDenied,
)
from gateway.model import IdpSession, VerifiedIdentity
from gateway.protocol.saml import names, xml
from gateway.protocol.saml.assertion import (
    MAX_AGE,
    Moment,
    bearer_confirmations,
    check_authn_context,
    check_authn_statement,
    check_conditions,
    check_confirmations,
    check_issue_instant,
    check_issuer,
    check_sign_in_time,
    check_version,
    proof_id,
    read_subject,
    session_index,
)
from gateway.protocol.saml.attributes import claims_of, read_attributes, read_name_id, reading_of
from gateway.protocol.saml.base64 import from_base64, unwrapped
from gateway.protocol.saml.logout_messages import write_logout_memo
from gateway.protocol.saml.opinion import SecondOpinion, check_agreement
from gateway.protocol.saml.parameters import IdentityProviderMetadata, ServiceProvider, check_current
from gateway.protocol.saml.proof import Proven, verify_signatures
from gateway.protocol.saml.request import SentRequest
from gateway.protocol.saml.xml import Element

MAX_ENCODED: Final = 384 * 1024


def verify_response(  # noqa: PLR0913  every one of them decides
    saml_response: str,
    *,
    sp: ServiceProvider,
    idp: IdentityProviderMetadata,
    sent: SentRequest,
    now: datetime,
    second_opinion: SecondOpinion,
) -> VerifiedIdentity:
    """Prove who the user is. `now`: aware, UTC.

    Raises `SamlError`, `SignInDenied`, `MetadataExpired`; `SignInTooWeak` where all but the strength is proven; whatever the bytes,
    nothing else. What is left to the caller: the assertion is used once (`proof_id`), and `sent` is of the browser that brought it.
    """
    check_current(idp, now)
    moment = Moment(now=now, skew=sp.clock_skew)
    root = read_response(saml_response)
    check_status(root)
    proven = verify_signatures(root, sp=sp, idp=idp)
    check_envelope(proven, sp, moment)
    assertion, content = proven.assertion, [*proven.assertion]
    check_version(assertion)
    mark = proof_id(assertion, sp.idp_entity_id)
    check_issuer(assertion, sp.idp_entity_id, required=True)
    issued = check_issue_instant(assertion, moment)
    subject = read_subject(content)
    confirmations = bearer_confirmations(subject)
    check_in_response_to(proven.envelope, confirmations, sent.id)
    check_confirmations(confirmations, acs_url=sp.acs_url, request_id=sent.id, moment=moment)
    check_conditions(content, audience=sp.entity_id, moment=moment)
    statement = check_authn_statement(content, moment)
    name_id = read_name_id(subject, sp.entity_id)
    attributes = read_attributes(content)
    if sp.second_opinion:
        check_agreement(reading_of(name_id, attributes), second_opinion(proven.evidence))
    check_authn_context(statement, sp.authn_contexts)
    check_sign_in_time(statement, asked_at=sent.at if sp.force_authn else None, max_age=sp.max_age, moment=moment)
    return VerifiedIdentity(
        session=IdpSession(issuer=sp.idp_entity_id, subject=name_id.value, session_id=session_index(statement)),
        claims=claims_of(attributes, sp.short_names),
        proof_id=mark,
        proof_expires_at=issued + MAX_AGE + 2 * sp.clock_skew,
        name_id=name_id.value,
        logout_memo=write_logout_memo(name_id, session_index(statement)) if sp.logs_out else None,
    )


def is_unsolicited(saml_response: str) -> bool:
    """Whether a response that fits no login in flight says itself that nobody asked for it. Parsed without belief. Raises `SamlError`."""
    root = read_response(saml_response)
    return root.get("InResponseTo") is None and all(data.get("InResponseTo") is None for data in root.iter(names.SUBJECT_CONFIRMATION_DATA))


def read_response(saml_response: str) -> Element:
    """Decode and parse `SAMLResponse` (Bindings §3.5.4), limits first. Raises `SamlTooLarge`, `SamlMalformed`, `SamlMarkup`."""
    if len(saml_response) > MAX_ENCODED:
        raise SamlTooLarge(f"{len(saml_response)} characters, limit {MAX_ENCODED}")
    try:
        raw = from_base64(unwrapped(saml_response))
    except ValueError:
        raise SamlMalformed("not in base64") from None
    root = xml.read_document(raw)
    check_response(root)
    return root


def check_response(root: Element) -> None:
    """A Response of SAML 2.0 with an ID (Core §3.2.2). Raises `SamlMalformed`."""
    if root.tag != names.RESPONSE:
        raise SamlMalformed(f"a {xml.local_name(root)} instead of a Response")
    check_version(root)
    if not root.get("ID"):
        raise SamlMalformed("a Response without an ID")


def check_status(root: Element) -> None:
    """The provider reports success (Core §3.2.2.1). Raises `SignInDenied`, `SamlMalformed`.

    Looked at before any signature: a refusal carries no assertion and often no signature, and can only lead to a refusal here.
    """
    codes = [code for status in xml.children(root, names.STATUS) for code in xml.children(status, names.STATUS_CODE)]
    if len(codes) != 1:
        raise SamlMalformed(f"{len(codes)} status codes")
    if codes[0].get("Value") != names.SUCCESS:
        reported = [code.get("Value") or "" for code in codes[0].iter(names.STATUS_CODE)]
        raise SignInDenied("the provider reports " + ", ".join(value.rpartition(":")[2][:60] for value in reported[:2]))


def check_envelope(proven: Proven, sp: ServiceProvider, moment: Moment) -> None:
    """The Response is for us, of the provider and of now (Core §3.2.2). Raises `SamlDestination`, `SamlIssuer`, `SamlTimes`."""
    check_destination(proven, sp.acs_url)
    check_issuer(proven.envelope, sp.idp_entity_id, required=False)
    check_issue_instant(proven.envelope, moment)


def check_destination(proven: Proven, acs_url: str) -> None:
    """Sent to our assertion consumer service; a signed Response must say so (Bindings §3.5.5.2). Raises `SamlDestination`."""
    destination = proven.envelope.get("Destination")
    if destination is None and proven.response_signed:
        raise SamlDestination("a signed Response without Destination")
    if destination is not None and destination != acs_url:
        raise SamlDestination(f"Destination {destination[:120]!r}")


def check_in_response_to(envelope: Element, confirmations: tuple[Element, ...], request_id: str) -> None:
    """The Response answers our request (Core §3.2.2; the confirmation's own is checked with it).

    Raises `SamlUnsolicited` when it answers none, else `SamlInResponseTo`.
    """
    answered = envelope.get("InResponseTo")
    if answered is None and all(data.get("InResponseTo") is None for data in confirmations):
        raise SamlUnsolicited
    if answered != request_id:
        raise SamlInResponseTo("InResponseTo of the Response")
