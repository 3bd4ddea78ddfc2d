"""Mapping rules: what of the claims becomes directory, user id and attributes.

Every outcome is decided here: a value, a refusal with its code, or an attribute left out. Nothing is guessed, nothing
has a default that was not written. Whether Qlik Sense would take the user is the last gate's business (`protocol.qps.check_user`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.errors import AttributesTooLarge, AttributeUnmapped, DirectoryNotListed, DirectoryUnmapped, UserIdUnmapped
from gateway.mapping.actions import Change, dropped_note
from gateway.mapping.cel import Inputs, Scope
from gateway.mapping.claims import Subject, are_plain_texts
from gateway.mapping.reading import Login, Missing, Place, values_of
from gateway.mapping.sources import Budget, Constant, Source, Stepped
from gateway.model import QlikUser, attribute_size

MAX_VALUES: Final = 1_000
"""How many values one attribute may have; a ticket's attributes have room for fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The mapping of one provider. `directory_one_of` lists the directories that a computed one may be (exact match).

    `budget` is for all attributes together, in their order; that of one attribute stands at its source.
    """

    user_directory: Source
    directory_one_of: frozenset[str] | None = None
    user_id: Source
    attributes: tuple[tuple[str, Source], ...] = ()
    budget: Budget | None = None
    questions: tuple[Question, ...] = field(init=False, repr=False, compare=False)
    listed: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """What every login asks, and which directories may come out, made once."""
        directory, user_id = self.user_directory, self.user_id
        questions = (
            Question("user_directory", directory, Place("user_directory", DirectoryUnmapped, single=True)),
            Question("user_id", user_id, Place("user_id", UserIdUnmapped, single=True)),
            *(Question(name, source, Place(f"attributes.{name}", AttributeUnmapped)) for name, source in self.attributes),
        )
        constant = frozenset([directory.value] if isinstance(directory, Constant) else [])
        object.__setattr__(self, "questions", questions)
        object.__setattr__(self, "listed", constant if self.directory_one_of is None else self.directory_one_of)


@dataclass(frozen=True, slots=True)
class Question:
    """One rule of a mapping: what it gives, where it reads, in whose name it fails, and how traces show it.

    `always`: the step of a constant that nothing is wrong with, which is the same at every login.
    """

    name: str
    source: Source
    place: Place
    shown: str = field(init=False)
    always: Step | None = field(init=False)

    def __post_init__(self) -> None:
        shown, constant = str(self.source), self.source.value if isinstance(self.source, Constant) else ""
        fine = are_plain_texts([constant])
        object.__setattr__(self, "shown", shown)
        object.__setattr__(self, "always", Step(name=self.place.what, source=shown, output=(constant,)) if fine else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a virtual proxy decides in the place of a provider's mapping: the directory, and attributes by name. Never the user id.

    `without`: attributes of the provider that do not go to this virtual proxy.
    """

    user_directory: Source | None = None
    directory_one_of: frozenset[str] | None = None
    attributes: tuple[tuple[str, Source], ...] = ()
    without: frozenset[str] = frozenset()
    budget: Budget | None = None

    def over(self, rules: Rules) -> Rules:
        """The rules that hold at this virtual proxy."""
        if self.user_directory is not None:
            rules = replace(rules, user_directory=self.user_directory, directory_one_of=self.directory_one_of)
        theirs = {name: source for name, source in rules.attributes if name not in self.without}
        attributes = tuple((theirs | dict(self.attributes)).items())
        return replace(rules, attributes=attributes, budget=self.budget or rules.budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rule of a mapping, for traces. `output` None: nothing came of it, `note` says why. `changes`: what happened on the way."""

    name: str
    source: str
    output: tuple[str, ...] | None = field(repr=False)
    note: str = ""
    changes: tuple[Change, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A user with the steps that led there. Not yet past the access rules and the last gate."""

    user: QlikUser
    steps: tuple[Step, ...] = field(repr=False)


def apply(rules: Rules, subject: Subject, *, idp: str) -> Mapped:
    """Who the subject is in Qlik Sense. Raises `IdentityError`: the class says which rule gave nothing, `detail` why."""
    taken = tuple(steps(rules, subject, idp=idp))
    return Mapped(user=assemble(rules, taken), steps=taken)


def steps(rules: Rules, subject: Subject, *, idp: str) -> Iterator[Step]:
    """The steps of `apply` one by one: directory, user id, then the attributes in their order. Raises like `apply`."""
    login = _login(subject, idp)
    directory, user_id, *attributes = rules.questions
    step = _single(directory, login)
    _check_listed(step, rules)
    yield step
    yield _single(user_id, login)
    room = None if rules.budget is None else rules.budget.most
    for question in attributes:
        step = _attribute(question, login)
        if rules.budget is not None and room is not None:
            step = _within(step, question.name, replace(rules.budget, most=room), f"all attributes, {rules.budget}")
            room -= sum(attribute_size(question.name, value) for value in step.output or ())
        yield step


def assemble(rules: Rules, taken: Sequence[Step]) -> QlikUser:
    """The user that all the steps of a mapping give."""
    (directory,), (user_id,), *values = [step.output or () for step in taken]
    pairs: list[tuple[str, str]] = []
    for (name, _), found in zip(rules.attributes, values, strict=True):
        pairs += [(name, value) for value in found]
    return QlikUser(directory=directory, user_id=user_id, attributes=tuple(pairs))


def _login(subject: Subject, idp: str) -> Login:
    data: dict[str, object] = {"claims": subject.claims, "idp": idp}
    if subject.name_id is not None:  # without one, an expression that reads it fails
        data["name_id"] = subject.name_id
    return Login(subject, Inputs(Scope.MAPPING, data, large=subject.large))


def _single(question: Question, login: Login) -> Step:
    """One text. A claim may be a list of one (SAML attributes always are lists); an expression must give a string itself."""
    if question.always is not None:
        return question.always
    what, refusal = question.place.what, question.place.refusal
    taken = values_of(question.source, question.place, login)
    values = taken.values
    if isinstance(values, Missing):
        raise refusal(f"{what}: {values.reason}")
    if len(values) != 1:
        raise refusal(f"{what}: {question.shown} has {len(values)} values, not one")
    return Step(name=what, source=question.shown, output=values, changes=taken.changes)


def _check_listed(directory: Step, rules: Rules) -> None:
    """A directory that is not a constant must be one of those listed: claims alone never choose it freely."""
    (name,) = directory.output or ("",)
    if name not in rules.listed:
        raise DirectoryNotListed(f"user_directory: {name[:100]!r} is not in one_of")


def _attribute(question: Question, login: Login) -> Step:
    if question.always is not None:
        return question.always
    what, source = question.place.what, question.source
    taken = values_of(source, question.place, login)
    if isinstance(taken.values, Missing):
        return Step(name=what, source=question.shown, output=None, note=f"left out: {taken.values.reason}", changes=taken.changes)
    step = Step(name=what, source=question.shown, output=taken.values, changes=taken.changes)
    if isinstance(source, Stepped) and source.budget is not None:
        step = _within(step, question.name, source.budget, str(source.budget))
    if len(step.output or ()) > MAX_VALUES:
        raise AttributesTooLarge(f"{what}: {len(step.output or ())} values, more than {MAX_VALUES}")
    return step


def _within(step: Step, name: str, budget: Budget, said: str) -> Step:
    """The values that fit, up to the first that does not; or a refusal. Raises `AttributesTooLarge`."""
    values = step.output or ()
    kept = _fitting(name, values, budget.most)
    if len(kept) == len(values):
        return step
    if not budget.drop:
        raise AttributesTooLarge(f"{step.name}: its {len(values)} values do not fit ({said})")
    change = Change(said, values, kept, dropped_note(values[len(kept) :], len(values)))
    return replace(step, output=kept, changes=(*step.changes, change))


def _fitting(name: str, values: tuple[str, ...], room: int) -> tuple[str, ...]:
    for index, value in enumerate(values):
        room -= attribute_size(name, value)
        if room < 0:
            return values[:index]
    return values
