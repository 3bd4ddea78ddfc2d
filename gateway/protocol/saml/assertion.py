"""What a proven assertion must say to be ours, here and now (SAML Core §2, Profiles §4.1.4). One `check_*` for each rule."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.errors import (
    SamlAudience,
    SamlConditions,
    SamlDestination,
    SamlError,
    SamlInResponseTo,
    SamlIssuer,
    SamlMalformed,
    SamlSubject,
    SamlTimes,
    SignInTooOld,
    SignInTooWeak,
)
from gateway.noun import noun
from gateway.protocol.saml import names, xml
from gateway.protocol.saml.times import read_instant, read_optional_instant
from gateway.protocol.saml.xml import BLANKS, Element

MAX_AGE: Final = timedelta(minutes=10)
KNOWN_CONDITIONS: Final = frozenset({names.AUDIENCE_RESTRICTION, names.ONE_TIME_USE, names.PROXY_RESTRICTION})


@noun
class Moment:
    """Now, give or take the skew between two clocks. `now`: aware, UTC."""

    now: datetime
    skew: timedelta

    def is_before(self, instant: datetime) -> bool:
        """Whether `instant` is still to come."""
        return instant > self.now + self.skew

    def is_past(self, instant: datetime) -> bool:
        """Whether `instant` (a NotOnOrAfter) has been reached."""
        return instant <= self.now - self.skew


def check_version(element: Element) -> None:
    """SAML 2.0 (Core §2.3.3, §3.2.2). Raises `SamlMalformed`."""
    if element.get("Version") != "2.0":
        raise SamlMalformed(f"version {(element.get('Version') or 'missing')[:20]!r} of {xml.local_name(element)}")


def check_issuer(element: Element, entity_id: str, *, required: bool) -> None:
    """Issued by the configured entity; an assertion must say so, a Response may (Core §2.3.3, Profiles §4.1.4.2). Raises `SamlIssuer`."""
    issuers = xml.children(element, names.ISSUER)
    if len(issuers) > 1 or (required and not issuers):
        raise SamlIssuer(f"{len(issuers)} issuers of {xml.local_name(element)}")
    if issuers and xml.leaf_text(issuers[0], SamlIssuer).strip(BLANKS) != entity_id:
        raise SamlIssuer(f"{xml.local_name(element)} issued by {(issuers[0].text or '')[:120]!r}")


def check_issue_instant(element: Element, moment: Moment, max_age: timedelta = MAX_AGE) -> datetime:
    """Issued within `max_age` and not in the future (Core §2.3.3, §3.2.1). Raises `SamlTimes`."""
    issued = read_instant(element.get("IssueInstant"))
    if moment.is_before(issued):
        raise SamlTimes(f"{xml.local_name(element)} issued in the future: {issued.isoformat()}")
    if moment.is_past(issued + max_age):
        raise SamlTimes(f"{xml.local_name(element)} issued too long ago: {issued.isoformat()}")
    return issued


def proof_id(element: Element, issuer: str) -> str:
    """The message's own mark for one-time use: a digest of issuer and ID (Core §2.3.3, §3.2.1). Raises `SamlMalformed` without an ID."""
    identifier = element.get("ID")
    if not identifier:
        raise SamlMalformed(f"{xml.local_name(element)} without an ID")
    return hashlib.sha256(f"{issuer}\n{identifier}".encode()).hexdigest()


def read_subject(content: Iterable[Element]) -> Element:
    """The one Subject of an assertion (Core §2.4.1). Raises `SamlSubject`."""
    return one_child(content, names.SUBJECT, SamlSubject)


def bearer_confirmations(subject: Element) -> tuple[Element, ...]:
    """The SubjectConfirmationData of every bearer confirmation (Profiles §3.3). Raises `SamlSubject` when there is none."""
    found = tuple(
        one_child(confirmation, names.SUBJECT_CONFIRMATION_DATA, SamlSubject)
        for confirmation in xml.children(subject, names.SUBJECT_CONFIRMATION)
        if confirmation.get("Method") == names.BEARER
    )
    if not found:
        raise SamlSubject("no bearer confirmation")
    return found


def check_confirmations(data: Sequence[Element], *, acs_url: str, request_id: str, moment: Moment) -> None:
    """One of the bearer confirmations holds (Profiles §4.1.4.3). Raises what is wrong with the first."""
    refusals: list[SamlError] = []
    for one in data:
        try:
            return check_confirmation(one, acs_url=acs_url, request_id=request_id, moment=moment)
        except SamlError as refusal:
            refusals.append(refusal)
    raise refusals[0]


def check_confirmation(data: Element, *, acs_url: str, request_id: str, moment: Moment) -> None:
    """Delivered here, in answer to our request, in time; a bearer's data has no NotBefore (Profiles §4.1.4.2, §4.1.4.3).

    Raises `SamlDestination`, `SamlInResponseTo`, `SamlTimes`.
    """
    if data.get("Recipient") != acs_url:
        raise SamlDestination(f"Recipient {(data.get('Recipient') or 'missing')[:120]!r}")
    if data.get("InResponseTo") != request_id:
        raise SamlInResponseTo("InResponseTo of the subject confirmation")
    if data.get("NotBefore") is not None:
        raise SamlTimes("a bearer confirmation with NotBefore")
    if moment.is_past(read_instant(data.get("NotOnOrAfter"))):
        raise SamlTimes(f"the subject confirmation ended at {data.get('NotOnOrAfter')}")


def check_conditions(content: Iterable[Element], *, audience: str, moment: Moment) -> None:
    """Exactly one Conditions, of known kinds, in time, with us in every audience (Core §2.5.1).

    Raises `SamlConditions`, `SamlTimes`, `SamlAudience`.
    """
    conditions = one_child(content, names.CONDITIONS, SamlConditions)
    children = [*conditions]
    unknown = [xml.local_name(child) for child in children if child.tag not in KNOWN_CONDITIONS]
    if unknown:
        raise SamlConditions(f"conditions that are not understood: {', '.join(unknown)[:120]}")
    check_validity(conditions, moment)
    check_audience(xml.children(children, names.AUDIENCE_RESTRICTION), audience)


def check_validity(conditions: Element, moment: Moment) -> None:
    """NotBefore <= now < NotOnOrAfter, where they are given (Core §2.5.1.2). Raises `SamlTimes`, `SamlConditions`."""
    begins, ends = read_optional_instant(conditions.get("NotBefore")), read_optional_instant(conditions.get("NotOnOrAfter"))
    if begins is not None and ends is not None and begins >= ends:
        raise SamlConditions("NotBefore is not earlier than NotOnOrAfter")
    if begins is not None and moment.is_before(begins):
        raise SamlTimes(f"not valid before {begins.isoformat()}")
    if ends is not None and moment.is_past(ends):
        raise SamlTimes(f"expired at {ends.isoformat()}")


def check_audience(restrictions: Sequence[Element], audience: str) -> None:
    """At least one AudienceRestriction, and we are in every one of them (Core §2.5.1.4, Profiles §4.1.4.2). Raises `SamlAudience`."""
    if not restrictions:
        raise SamlAudience("no AudienceRestriction")
    for restriction in restrictions:
        named = [xml.leaf_text(one, SamlAudience).strip(BLANKS) for one in xml.children(restriction, names.AUDIENCE)]
        if audience not in named:
            raise SamlAudience(f"meant for {', '.join(map(ascii, named))[:200] or 'nobody'}")


def check_authn_statement(content: Iterable[Element], moment: Moment) -> Element:
    """Exactly one AuthnStatement, not of the future, its session not over (Core §2.7.2). Raises `SamlMalformed`, `SamlTimes`."""
    statement = one_child(content, names.AUTHN_STATEMENT, SamlMalformed)
    if moment.is_before(read_instant(statement.get("AuthnInstant"))):
        raise SamlTimes("signed in in the future")
    ends = read_optional_instant(statement.get("SessionNotOnOrAfter"))
    if ends is not None and moment.is_past(ends):
        raise SamlTimes(f"the session at the provider ended at {ends.isoformat()}")
    return statement


def session_index(statement: Element) -> str | None:
    """What the provider calls the session (Core §2.7.2); an empty name is none."""
    return statement.get("SessionIndex") or None


def check_authn_context(statement: Element, wanted: Sequence[str] | None) -> None:
    """The method of sign-in is one of those that were asked for; None: any will do (Core §3.3.2.2.1). Raises `SignInTooWeak`."""
    if wanted is None:
        return
    contexts = [one for context in xml.children(statement, names.AUTHN_CONTEXT) for one in xml.children(context, names.AUTHN_CONTEXT_CLASS)]
    used = [xml.leaf_text(one, SamlMalformed).strip(BLANKS) for one in contexts]
    if len(used) != 1 or used[0] not in wanted:
        raise SignInTooWeak(f"signed in by {', '.join(used)[:120]!r}")


def check_sign_in_time(statement: Element, *, asked_at: datetime | None, max_age: timedelta | None, moment: Moment) -> None:
    """After ForceAuthn the sign-in is younger than the request (Core §3.4.1), and never older than `max_age`; None: not asked for.

    Raises `SignInTooOld`.
    """
    if asked_at is None and max_age is None:
        return
    signed_in = read_instant(statement.get("AuthnInstant"))
    if asked_at is not None and signed_in < asked_at - moment.skew:
        raise SignInTooOld(f"signed in at {signed_in.isoformat()}, asked at {asked_at.isoformat()}")
    if max_age is not None and moment.now - signed_in > max_age + moment.skew:
        raise SignInTooOld(f"signed in at {signed_in.isoformat()}, which is longer ago than max_age")


def one_child(parent: Iterable[Element], tag: str, error: type[SamlError]) -> Element:
    """The only child of that name. Raises `error`."""
    found = xml.children(parent, tag)
    if len(found) != 1:
        raise error(f"{len(found)} {tag.rpartition('}')[2]} where one is expected")
    return found[0]
