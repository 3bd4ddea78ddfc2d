"""One assertion, used twice: the mark that makes it one-time belongs to the assertion, however it is wrapped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from gateway.errors import SamlTimes
from gateway.model import VerifiedIdentity
from gateway.protocol.saml import verify_response
from gateway.stores.memory import MemoryReplayStore
from tests.attacks.saml.attack import never_asked
from tests.fakes import NOON, FixedClock
from tests.peers.saml_forge import SENT, Shape, encrypt, party, post, sign, signed, them, tree, us


def proven(message: Any, now: datetime = NOON) -> VerifiedIdentity:
    return verify_response(post(message), sp=us(), idp=them(), sent=SENT, now=now, second_opinion=never_asked)


def in_another_response(root: Any) -> Any:
    return tree(etree.tostring(root).replace(b'"_response"', b'"_elsewhere"'))


def encrypted_anew(root: Any) -> Any:
    return encrypt(root)


def signed_around(root: Any) -> Any:
    sign(root, party("idp"))
    return root


@pytest.mark.parametrize("wrap", [lambda root: root, in_another_response, encrypted_anew, signed_around])
async def test_a_used_assertion_is_known_again_in_every_wrapping(wrap: Any) -> None:
    root = signed()
    first, second = proven(root), proven(wrap(root))
    store = MemoryReplayStore(FixedClock())
    assert await store.claim(first.proof_id, first.proof_expires_at)
    assert not await store.claim(second.proof_id, second.proof_expires_at)


async def test_two_assertions_are_two_marks() -> None:
    assert proven(signed()).proof_id != proven(signed(Shape(assertion_id="_second"))).proof_id


def test_the_mark_outlives_every_moment_at_which_the_assertion_could_be_accepted() -> None:
    message = signed(Shape(not_on_or_after=86400, confirmed_until=86400, session_until=None, issued=60, response_issued=60))
    identity = proven(message)
    last = identity.proof_expires_at
    with pytest.raises(SamlTimes):
        proven(message, last)
    with pytest.raises(SamlTimes):
        proven(message, last - timedelta(seconds=60))
    assert proven(message, last - timedelta(seconds=61)).proof_id == identity.proof_id
