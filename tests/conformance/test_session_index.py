"""Every session index keeps the same promises."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.events import SignInDropped
from gateway.model import IdpSession, LogoutNotice, QlikUser, SignedIn
from gateway.ports import SessionIndex
from gateway.stores.memory_index import RECORD, MemorySessionIndex
from tests.conformance.kinds import Kind
from tests.fakes import NOON, FixedClock, MemoryJournal

RING = (b"k" * 32,)
ISSUER = "https://op.example"

ENTRY = SignedIn(
    browser="browser-1",
    virtual_proxy="sales",
    idp="entra",
    registration="r1",
    session=IdpSession(issuer=ISSUER, subject="alice", session_id="sid-1"),
    user=QlikUser(directory="CONTOSO", user_id="alice"),
    memo="sealed",
    signed_in_at=NOON,
    expires_at=NOON + timedelta(hours=24),
)


@pytest.fixture
def index(kind: Kind) -> SessionIndex:
    return kind.first.index_under(RING)


def session(subject: str = "alice", session_id: str | None = "sid-1", issuer: str = ISSUER) -> IdpSession:
    return IdpSession(issuer=issuer, subject=subject, session_id=session_id)


def notice(subject: str | None = None, *session_ids: str, issuer: str = ISSUER) -> LogoutNotice:
    return LogoutNotice(issuer=issuer, subject=subject, session_ids=session_ids, proof_id="jti", proof_expires_at=NOON)


async def filled(index: SessionIndex, *entries: SignedIn) -> SessionIndex:
    for entry in entries:
        await index.remember(entry)
    return index


async def test_an_entry_is_found_by_browser_session_and_user(index: SessionIndex) -> None:
    await index.remember(ENTRY)
    assert await index.of_browser("browser-1") == (ENTRY,)
    assert await index.of_session("r1", notice(None, "sid-1")) == (ENTRY,)
    assert await index.of_session("r1", notice("alice")) == (ENTRY,)
    assert await index.of_user("sales", ENTRY.user) == (ENTRY,)


async def test_nothing_else_finds_it(index: SessionIndex) -> None:
    await index.remember(ENTRY)
    assert await index.of_browser("browser-2") == ()
    assert await index.of_session("r2", notice("alice", "sid-1")) == ()
    assert await index.of_session("r1", notice("alice", "sid-1", issuer="https://other.example")) == ()
    assert await index.of_session("r1", notice("alice", "sid-2")) == ()
    assert await index.of_user("hr", ENTRY.user) == ()
    assert await index.of_user("sales", QlikUser(directory="CONTOSO", user_id="bob")) == ()


async def test_a_session_id_means_that_session_and_a_subject_alone_all_of_theirs(index: SessionIndex) -> None:
    other = replace(ENTRY, browser="browser-2", session=session(session_id="sid-2"))
    await filled(index, ENTRY, other)
    assert await index.of_session("r1", notice("alice", "sid-1")) == (ENTRY,)
    assert set(await index.of_session("r1", notice("alice"))) == {ENTRY, other}
    assert set(await index.of_session("r1", notice(None, "sid-1", "sid-2"))) == {ENTRY, other}


async def test_a_session_id_with_another_subject_means_nobody(index: SessionIndex) -> None:
    await index.remember(ENTRY)
    assert await index.of_session("r1", notice("bob", "sid-1")) == ()


async def test_a_sign_in_without_a_session_id_is_meant_by_its_subject(index: SessionIndex) -> None:
    """A provider may name a session in its logout although it named none in its ID token: then the subject decides."""
    nameless = replace(ENTRY, browser="browser-2", session=session(session_id=None))
    await filled(index, ENTRY, nameless)
    assert set(await index.of_session("r1", notice("alice", "sid-1"))) == {ENTRY, nameless}
    assert await index.of_session("r1", notice(None, "sid-1")) == (ENTRY,)


async def test_a_notice_that_names_nobody_means_nobody(index: SessionIndex) -> None:
    await index.remember(ENTRY)
    assert await index.of_session("r1", notice(None)) == ()


async def test_user_names_compare_without_case_as_qlik_sense_does(index: SessionIndex) -> None:
    await index.remember(ENTRY)
    assert await index.of_user("sales", QlikUser(directory="contoso", user_id="ALICE")) == (ENTRY,)


async def test_the_same_sign_in_takes_its_own_place(index: SessionIndex) -> None:
    again = replace(ENTRY, memo="newer", signed_in_at=NOON + timedelta(minutes=1))
    await filled(index, ENTRY, again)
    assert await index.of_browser("browser-1") == (again,)
    assert await index.of_user("sales", ENTRY.user) == (again,)


async def test_the_newest_comes_first(index: SessionIndex) -> None:
    entries = [replace(ENTRY, virtual_proxy=name, signed_in_at=NOON + timedelta(seconds=number)) for number, name in enumerate("abc")]
    await filled(index, *entries)
    assert [entry.virtual_proxy for entry in await index.of_browser("browser-1")] == ["c", "b", "a"]


async def test_what_is_forgotten_is_found_by_nothing(index: SessionIndex) -> None:
    other = replace(ENTRY, virtual_proxy="hr")
    await filled(index, ENTRY, other)
    await index.forget(ENTRY)
    assert await index.of_browser("browser-1") == (other,)
    assert await index.of_session("r1", notice("alice")) == (other,)
    assert await index.of_user("sales", ENTRY.user) == ()
    await index.forget(ENTRY)


async def test_a_newer_sign_in_is_not_forgotten_in_the_place_of_an_older_one(index: SessionIndex) -> None:
    """The user signed in again while the older one's sessions were being ended."""
    newer = replace(ENTRY, signed_in_at=NOON + timedelta(minutes=1), memo="newer")
    await filled(index, ENTRY, newer)
    await index.forget(ENTRY)
    assert await index.of_browser("browser-1") == (newer,)


async def test_an_entry_is_found_until_its_end_and_not_longer(kind: Kind, index: SessionIndex) -> None:
    await filled(index, ENTRY)
    kind.pass_time(timedelta(hours=23, minutes=59))
    assert await index.of_browser("browser-1")
    kind.pass_time(timedelta(seconds=60))
    assert await index.of_browser("browser-1") == ()
    assert await index.of_session("r1", notice("alice")) == ()
    assert await index.of_user("sales", ENTRY.user) == ()


async def test_what_one_replica_remembers_another_finds_and_forgets(kind: Kind) -> None:
    here, there = (stores.index_under(RING) for stores in kind.replicas)
    await here.remember(ENTRY)
    assert await there.of_browser("browser-1") == (ENTRY,)
    await there.forget(ENTRY)
    assert await here.of_browser("browser-1") == ()


async def test_many_sign_ins_at_once_are_all_found(index: SessionIndex) -> None:
    entries = [replace(ENTRY, browser=f"browser-{number}", session=session(session_id=f"sid-{number}")) for number in range(50)]
    await asyncio.gather(*map(index.remember, entries))
    assert set(await index.of_session("r1", notice("alice"))) == set(entries)
    assert set(await index.of_user("sales", ENTRY.user)) == set(entries)
    await asyncio.gather(*map(index.forget, entries[1:]))
    assert await index.of_session("r1", notice("alice")) == (entries[0],)


async def test_names_of_any_characters_are_kept(index: SessionIndex) -> None:
    strange = replace(
        ENTRY,
        session=session('{"a": "ä"}\n\0', "\U0001f600|,"),
        user=QlikUser(directory="ZÜRICH", user_id="O'Neil (x) \u2028"),
        memo=None,
    )
    await index.remember(strange)
    assert await index.of_user("sales", strange.user) == (strange,)
    assert await index.of_session("r1", notice(strange.session.subject, "\U0001f600|,")) == (strange,)


async def test_the_memory_index_drops_the_oldest_where_it_is_full_and_counts_it() -> None:
    journal = MemoryJournal()
    index = MemorySessionIndex(FixedClock(), journal=journal, capacity=3)
    await filled(index, *(replace(ENTRY, browser=f"browser-{number}") for number in range(5)))
    assert len(index) == 3
    assert journal.events == [SignInDropped(virtual_proxy="sales")] * 2
    assert await index.of_browser("browser-1") == ()
    assert await index.of_browser("browser-4")
    assert len(await index.of_session("r1", notice("alice"))) == 3


async def test_the_memory_index_keeps_nothing_of_what_has_ended() -> None:
    clock = FixedClock()
    journal = MemoryJournal()
    index = MemorySessionIndex(clock, journal=journal)
    await filled(index, *(replace(ENTRY, browser=f"browser-{number}") for number in range(50)))
    clock.advance(timedelta(hours=24))
    await index.remember(replace(ENTRY, expires_at=NOON + timedelta(hours=48)))
    assert len(index) == 1
    assert journal.events == []
    assert sum(map(len, index._drawers)) == 5 * RECORD


async def test_one_user_who_signs_in_again_and_again_pushes_nobody_out(index: SessionIndex) -> None:
    """Each time with a fresh browser: what falls out is the user's own oldest, wherever it would be found."""
    mallory, most = QlikUser(directory="CONTOSO", user_id="mallory"), 200
    await filled(
        index,
        *(replace(ENTRY, browser=f"m-{number}", user=mallory, session=session("mallory", f"m-{number}")) for number in range(most + 5)),
    )
    assert len(await index.of_user("sales", mallory)) == most
    for number, found in ((0, 0), (4, 0), (5, 1), (most + 4, 1)):
        assert len(await index.of_browser(f"m-{number}")) == found
        assert len(await index.of_session("r1", notice(None, f"m-{number}"))) == found


async def test_signing_in_again_and_again_in_one_virtual_proxy_hides_no_other(index: SessionIndex) -> None:
    """Whoever is to be signed out cannot keep a session back by it: one entry of each virtual proxy is found by all ways."""
    await index.remember(replace(ENTRY, virtual_proxy="hr", session=session(session_id="old")))
    await filled(index, *(replace(ENTRY, session=session(session_id=f"s-{number}")) for number in range(205)))
    for found in (await index.of_browser("browser-1"), await index.of_session("r1", notice("alice"))):
        assert {entry.virtual_proxy for entry in found} == {"hr", "sales"}
        assert len(found) <= 201
