"""What an attack is: a good message, one stated mutation, and the code that it must end with."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest
from lxml import etree

from gateway.errors import GatewayError
from gateway.model import VerifiedIdentity
from gateway.protocol.saml import Evidence, verify_response
from tests.fakes import NOON
from tests.peers.saml_forge import DS, NS, SENT, A, Shape, post, signed, them, us

CPU_LIMIT = 0.050


@dataclass(frozen=True)
class Attack:
    """`message` gives a tree, XML text, bytes, or, with `raw`, the parameter itself."""

    name: str
    code: type[GatewayError]
    message: Callable[[], Any]
    sp: dict[str, Any] = field(default_factory=dict)
    idp: Callable[[], Any] = them
    raw: bool = False


def never_asked(_evidence: Evidence) -> NoReturn:
    raise AssertionError("what was not authenticated reached the second engine")


def attempt(attack: Attack) -> tuple[GatewayError | VerifiedIdentity, float]:
    """What becomes of the message, and the CPU seconds that it took."""
    message = attack.message()
    parameter = message if attack.raw else post(message)
    sp, idp = us(**({"second_opinion": True} | attack.sp)), attack.idp()
    began = time.thread_time()
    try:
        return verify_response(parameter, sp=sp, idp=idp, sent=SENT, now=NOON, second_opinion=never_asked), time.thread_time() - began
    except GatewayError as error:
        return error, time.thread_time() - began


def check(attack: Attack) -> None:
    """The attack ends with its code and within the time; a first run that was disturbed may be repeated."""
    outcome, cpu = attempt(attack)
    assert isinstance(outcome, GatewayError), f"accepted: {outcome}"
    assert type(outcome).code == attack.code.code, f"{type(outcome).__name__}: {outcome.detail}"
    if cpu > CPU_LIMIT:
        cpu = min(attempt(attack)[1] for _ in range(3))
    assert cpu <= CPU_LIMIT


def cases(attacks: Iterable[Attack]) -> Any:
    """The attacks as parameters of a test, by name."""
    return pytest.mark.parametrize("attack", attacks, ids=lambda attack: attack.name)


def said(**changes: Any) -> Callable[[], Any]:
    """The provider itself signs an assertion that says something else."""
    return lambda: signed(Shape(**changes))


def tampered(mutation: Callable[[Any], Any], which: str = "assertion", **how: Any) -> Callable[[], Any]:
    """A good message that is changed after it was signed. The mutation may give another root."""

    def forge() -> Any:
        root = signed(which=which, **how)
        changed = mutation(root)
        return root if changed is None else changed

    return forge


def rewritten(*replacements: tuple[str, str], which: str = "assertion") -> Callable[[], Any]:
    """A good message in which a text is replaced after it was signed. Each must be there."""

    def forge() -> str:
        text = etree.tostring(signed(which=which), encoding="unicode")
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new)
        return text

    return forge


def assertion_of(root: Any) -> Any:
    return root.find("saml:Assertion", NS)


def signature_of(owner: Any) -> Any:
    return owner.find("ds:Signature", NS)


def reference_of(root: Any) -> Any:
    return next(root.iter(f"{{{DS}}}Reference"))


def evil_twin(assertion: Any, identifier: str = "_evil") -> Any:
    """A copy for somebody else, without a signature. `identifier` "": the same ID."""
    twin = copy.deepcopy(assertion)
    twin.tail = None
    for signature in twin.findall("ds:Signature", NS):
        twin.remove(signature)
    next(twin.iter(f"{{{A}}}NameID")).text = "mallory@example.com"
    if identifier:
        twin.set("ID", identifier)
    return twin


def element(xml: str) -> Any:
    """A piece of XML with the usual prefixes."""
    scope = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())
    return etree.fromstring(f"<frame {scope}>{xml}</frame>")[0]
