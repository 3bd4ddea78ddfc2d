"""Mapping rules: what of the claims becomes directory, user id and attributes.

Every outcome is decided here: a value, a refusal with its code, or an attribute left out. Nothing is guessed, nothing
has a default that was not written. Whether Qlik Sense would take the user is the last gate's business (`protocol.qps.check_user`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final

from gateway.errors import AttributesTooLarge, AttributeUnmapped, DirectoryNotListed, DirectoryUnmapped, UserIdUnmapped
from gateway.mapping.actions import Change, dropped_note
from gateway.mapping.claims import Subject, are_plain_texts
from gateway.mapping.reading import Login, Missing, Place, Taken, values_of
from gateway.mapping.sources import Budget, Constant, Source, Stepped
from gateway.model import QlikUser, attribute_size
from gateway.noun import noun

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

    `always`: the answer of a constant that nothing is wrong with, which is the same at every login.
    """

    name: str
    source: Source
    place: Place
    shown: str = field(init=False)
    always: Taken | None = field(init=False)

    def __post_init__(self) -> None:
        shown, constant = str(self.source), self.source.value if isinstance(self.source, Constant) else ""
        fine = are_plain_texts([constant])
        object.__setattr__(self, "shown", shown)
        object.__setattr__(self, "always", Taken((constant,)) if fine else None)


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


@noun
class Mapped:
    """A user with what the rules gave on the way there. Not yet past the access rules and the last gate."""

    user: QlikUser
    answers: tuple[tuple[Question, Taken], ...] = field(repr=False)

    @property
    def steps(self) -> tuple[Step, ...]:
        """For traces."""
        return tuple(_step(question, taken) for question, taken in self.answers)


def apply(rules: Rules, subject: Subject, *, idp: str) -> Mapped:
    """Who the subject is in Qlik Sense. Raises `IdentityError`: the class says which rule gave nothing, `detail` why."""
    answers = tuple(_answers(rules, subject, idp))
    (_, directory), (_, user_id), *attributes = answers
    named = [(question.name, taken.found) for question, taken in attributes]
    return Mapped(user=_user(directory.found, user_id.found, named), answers=answers)


def steps(rules: Rules, subject: Subject, *, idp: str) -> Iterator[Step]:
    """The steps of `apply` one by one: directory, user id, then the attributes in their order. Raises like `apply`."""
    for question, taken in _answers(rules, subject, idp):
        yield _step(question, taken)


def assemble(rules: Rules, taken: Sequence[Step]) -> QlikUser:
    """The user that all the steps of a mapping give."""
    directory, user_id, *attributes = [step.output or () for step in taken]
    names = [name for name, _ in rules.attributes]
    return _user(directory, user_id, zip(names, attributes, strict=True))


def _answers(rules: Rules, subject: Subject, idp: str) -> Iterator[tuple[Question, Taken]]:
    login = Login(subject, idp)
    directory, user_id, *attributes = rules.questions
    taken = _single(directory, login)
    _check_listed(taken, rules)
    yield directory, taken
    yield user_id, _single(user_id, login)
    budget = rules.budget
    for question in attributes:
        taken = _attribute(question, login)
        if budget is not None:
            taken = _within(question, taken, budget, f"all attributes, {rules.budget}")
            budget = replace(budget, most=budget.most - sum(attribute_size(question.name, value) for value in taken.found))
        yield question, taken


def _step(question: Question, taken: Taken) -> Step:
    name, source = question.place.what, question.shown
    if isinstance(taken.values, Missing):
        return Step(name=name, source=source, output=None, note=f"left out: {taken.values.reason}", changes=taken.changes)
    return Step(name=name, source=source, output=taken.values, changes=taken.changes)


def _user(directory: tuple[str, ...], user_id: tuple[str, ...], attributes: Iterable[tuple[str, tuple[str, ...]]]) -> QlikUser:
    pairs: list[tuple[str, str]] = []
    for name, values in attributes:
        pairs += zip(repeat(name), values)
    return QlikUser(directory=directory[0], user_id=user_id[0], attributes=tuple(pairs))


def _single(question: Question, login: Login) -> Taken:
    """One text. A claim may be a list of one (SAML attributes always are lists); an expression must give a string itself."""
    if question.always is not None:
        return question.always
    taken = values_of(question.source, question.place, login)
    if isinstance(taken.values, Missing):
        raise question.place.refusal(f"{question.place.what}: {taken.values.reason}")
    if len(taken.values) != 1:
        raise question.place.refusal(f"{question.place.what}: {question.shown} has {len(taken.values)} values, not one")
    return taken


def _check_listed(directory: Taken, rules: Rules) -> None:
    """A directory that is not a constant must be one of those listed: claims alone never choose it freely."""
    (name,) = directory.found
    if name not in rules.listed:
        raise DirectoryNotListed(f"user_directory: {name[:100]!r} is not in one_of")


def _attribute(question: Question, login: Login) -> Taken:
    if question.always is not None:
        return question.always
    source = question.source
    taken = values_of(source, question.place, login)
    if isinstance(source, Stepped) and source.budget is not None:
        taken = _within(question, taken, source.budget, str(source.budget))
    if len(taken.found) > MAX_VALUES:
        raise AttributesTooLarge(f"{question.place.what}: {len(taken.found)} values, more than {MAX_VALUES}")
    return taken


def _within(question: Question, taken: Taken, budget: Budget, said: str) -> Taken:
    """The values that fit, up to the first that does not; or a refusal. Raises `AttributesTooLarge`."""
    values = taken.found
    kept = _fitting(question.name, values, budget.most)
    if len(kept) == len(values):
        return taken
    if not budget.drop:
        raise AttributesTooLarge(f"{question.place.what}: its {len(values)} values do not fit ({said})")
    change = Change(said, values, kept, dropped_note(values[len(kept) :], len(values)))
    return Taken(kept, (*taken.changes, change))


def _fitting(name: str, values: tuple[str, ...], room: int) -> tuple[str, ...]:
    for index, value in enumerate(values):
        room -= attribute_size(name, value)
        if room < 0:
            return values[:index]
    return values
