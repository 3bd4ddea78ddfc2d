"""The trace of one decision: what a set of claims becomes, step by step, by the same mapping and rules as a login.

Pure, and never the decision itself: nothing here issues a ticket, and a login does not pass through here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway import mapping
from gateway.errors import AccessDenied, GatewayError
from gateway.mapping import AccessRule, Rules, Step, Subject
from gateway.model import Claims, JsonValue, QlikUser
from gateway.protocol import qps


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """What one access rule gave. `refusal` None: it passed. `denies` and `message` as in `AccessRule`."""

    owner: str
    id: str = "allow"
    expression: str
    denies: bool = False
    message: str | None = None
    refusal: GatewayError | None = None

    @property
    def hit(self) -> bool | None:
        """Whether the rule's expression came out true; None: it decided nothing."""
        if self.refusal is None:
            return not self.denies
        return self.denies if isinstance(self.refusal, AccessDenied) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The steps as far as the decision went, and its end: exactly one of `ticket_request` and `refusal` is there.

    `notes` says what the gate before the rules left out of the claims. `user` is who the mapping gave, also where a rule
    refused. `ticket_request` is the body that would be sent, without the `TargetId` that only a login has.
    """

    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = field(default=(), repr=False)
    rules: tuple[RuleOutcome, ...] = ()
    user: QlikUser | None = field(default=None, repr=False)
    ticket_request: Mapping[str, JsonValue] | None = field(default=None, repr=False)
    refusal: GatewayError | None = None


def explain(rules: Rules, access: Sequence[AccessRule], *, claims: Claims, name_id: str | None, idp: str) -> Explanation:
    """Decide as a login would, and keep what happened on the way. Never raises: a refusal is part of the explanation.

    Where a login ends at the first access rule that refuses, all of them are tried here; the first one's refusal counts.
    """
    try:
        subject = Subject(claims=claims, name_id=name_id)
    except GatewayError as refusal:
        return Explanation(refusal=refusal)
    steps: list[Step] = []
    outcomes: tuple[RuleOutcome, ...] = ()
    user = body = ended = None
    try:
        mapping.check_complete(rules, access, subject)
        steps.extend(mapping.steps(rules, subject, idp=idp))  # keeps what came before a refusal
        user = mapping.assemble(rules, steps)
        outcomes = tuple(_try_rule(rule, subject, user, idp) for rule in access)
        body = _ticket_request(user, outcomes)
    except GatewayError as refusal:
        ended = refusal
    return Explanation(notes=subject.notes, steps=tuple(steps), rules=outcomes, user=user, ticket_request=body, refusal=ended)


def _try_rule(rule: AccessRule, subject: Subject, user: QlikUser, idp: str) -> RuleOutcome:
    refusal = None
    try:
        mapping.check_access([rule], subject, user, idp=idp)
    except GatewayError as error:
        refusal = error
    return RuleOutcome(
        owner=rule.owner, id=rule.id, expression=rule.expression.source, denies=rule.denies, message=rule.message, refusal=refusal
    )


def _ticket_request(user: QlikUser, outcomes: Sequence[RuleOutcome]) -> Mapping[str, JsonValue]:
    for outcome in outcomes:
        if outcome.refusal is not None:
            raise outcome.refusal
    return qps.ticket_body(user, None)  # behind the last gate
