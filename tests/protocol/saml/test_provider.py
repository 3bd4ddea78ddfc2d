from __future__ import annotations

import asyncio
import base64
import threading
import zlib
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.errors import (
    MalformedResponse,
    MetadataEntity,
    MetadataExpired,
    OpinionsDiffer,
    Overloaded,
    ProviderAnswer,
    ProviderUnreachable,
    SamlSignature,
    SignInTooOld,
    SignInTooWeak,
)
from gateway.events import CertificatesKnown, EnginesDisagreed, KeysRefreshed, ProviderTrouble
from gateway.idp.saml import LargeResponses, SamlProvider
from gateway.idp.saml_metadata import Fixed, MetadataSource, Publication, Published
from gateway.model import Binding, HttpResponse, IdpResponse, Memo, Redirect, TransactionId, VerifiedIdentity
from gateway.protocol.saml import Evidence, IdentityProviderMetadata, Reading, read_memo
from gateway.strength import ANY_SIGN_IN, Strength
from tests.fakes import NOON, CountingEntropy, FixedClock, MemoryJournal, ScriptedHttp
from tests.peers.saml_forge import IDP, Shape, attribute, party, post, signed, them, us
from tests.peers.saml_metadata import entity, key

URL = "https://idp.example.com/metadata.xml"
TRANSACTION = TransactionId("transaction-0123456789")


def published(text: str) -> HttpResponse:
    return HttpResponse(status=200, body=text.encode())


@dataclass
class World:
    """A provider and everything around it."""

    copy: Path | None = None
    clock: FixedClock = field(default_factory=FixedClock)
    http: ScriptedHttp = field(default_factory=ScriptedHttp)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    entropy: CountingEntropy = field(default_factory=CountingEntropy)
    large: LargeResponses = field(default_factory=LargeResponses)

    def __post_init__(self) -> None:
        self.publish(entity())

    def publish(self, text: str) -> None:
        self.http.on("GET", URL, published(text))

    def source(self) -> Published:
        publication = Publication(url=URL, entity_id=IDP, copy=self.copy)
        return Published(publication, name="corp", http=self.http, clock=self.clock, entropy=self.entropy, journal=self.journal)

    def provider(self, metadata: MetadataSource | None = None, *, sign_metadata: bool = False, **sp: Any) -> SamlProvider:
        return SamlProvider(
            name="corp",
            display_name="Corp",
            service_provider=us(**({"second_opinion": True} | sp)),
            metadata=metadata or self.source(),
            sign_metadata=sign_metadata,
            large=self.large,
            clock=self.clock,
            entropy=self.entropy,
            journal=self.journal,
        )

    async def login(self, provider: SamlProvider, *, by: str = "idp", strength: Strength = ANY_SIGN_IN, **shape: Any) -> VerifiedIdentity:
        """A whole login; the provider signs with the key of `by`."""
        _, memo = await provider.begin(TRANSACTION, strength)
        request = read_memo(memo).id
        good = {"in_response_to": request, "confirmed_for": request, "now": self.clock.now()}
        return await provider.finish(answer(post(signed(Shape(**(good | shape)), by=party(by)))), TRANSACTION, memo, strength)


def answer(message: str, relay_state: str = TRANSACTION) -> IdpResponse:
    return IdpResponse(binding=Binding.SAML_POST, fields={"SAMLResponse": message, "RelayState": relay_state})


@pytest.fixture
def world() -> World:
    return World()


async def test_a_login_goes_from_request_to_identity(world: World) -> None:
    provider = world.provider()
    request, _ = await provider.begin(TRANSACTION, Strength())
    assert isinstance(request, Redirect)
    assert request.url.startswith("https://idp.example.com/sso?SAMLRequest=")
    assert (await world.login(provider)).name_id == "alice@example.com"


async def test_it_says_who_it_is(world: World) -> None:
    provider = world.provider()
    assert (provider.name, provider.display_name, provider.binding) == ("corp", "Corp", Binding.SAML_POST)
    assert provider.registration != world.provider(entity_id="https://other.example.com").registration
    assert "EntityDescriptor" in provider.metadata_document()
    assert "SignatureValue" in world.provider(sign_metadata=True).metadata_document()


async def test_nothing_is_fetched_before_the_first_login(world: World) -> None:
    provider = world.provider()
    assert world.http.requests == []
    await world.login(provider)
    await world.login(provider, assertion_id="_second")
    assert len(world.http.sent(URL)) == 1


async def test_metadata_from_the_configuration_needs_no_network(world: World) -> None:
    assert await world.login(world.provider(Fixed(metadata=them())))
    assert world.http.requests == []
    with pytest.raises(SamlSignature):
        await world.login(world.provider(Fixed(metadata=them())), by="mallory")


@pytest.mark.parametrize("fields", [{"SAMLResponse": "x"}, {"SAMLResponse": "x", "RelayState": "another"}, {"RelayState": TRANSACTION}])
async def test_an_answer_without_its_fields_is_refused(world: World, fields: dict[str, str]) -> None:
    _, memo = await world.provider().begin(TRANSACTION, Strength())
    with pytest.raises(MalformedResponse):
        await world.provider().finish(IdpResponse(binding=Binding.SAML_POST, fields=fields), TRANSACTION, memo, Strength())


async def test_a_new_key_is_found_by_one_early_refresh(world: World) -> None:
    provider = world.provider()
    await world.login(provider)
    world.publish(entity(keys=key(party("idp").trusted_base64) + key(party("idp-new").trusted_base64)))
    assert await world.login(provider, by="idp-new")
    assert len(world.http.sent(URL)) == 2
    added = [event.added for event in world.journal.events if isinstance(event, KeysRefreshed)]
    assert added[1] == (party("idp-new").trusted.fingerprint,)


async def test_bad_signatures_ask_for_one_refresh_in_five_minutes(world: World) -> None:
    provider = world.provider()
    for _ in range(3):
        with pytest.raises(SamlSignature):
            await world.login(provider, by="mallory")
    assert len(world.http.sent(URL)) == 2
    world.clock.advance(timedelta(minutes=5))
    with pytest.raises(SamlSignature):
        await world.login(provider, by="mallory")
    assert len(world.http.sent(URL)) == 3


async def test_a_failing_early_refresh_does_not_hide_the_bad_signature(world: World) -> None:
    provider = world.provider()
    await world.login(provider)
    world.http.on("GET", URL, ProviderUnreachable("gone"))
    with pytest.raises(SamlSignature):
        await world.login(provider, by="mallory")
    assert await world.login(provider)


async def test_metadata_is_refreshed_within_six_hours_and_not_at_once(world: World) -> None:
    provider = world.provider()
    await world.login(provider)
    world.clock.advance(timedelta(hours=4, minutes=45))
    await world.login(provider)
    assert len(world.http.sent(URL)) == 1
    world.clock.advance(timedelta(hours=1, minutes=15))
    await world.login(provider)
    assert len(world.http.sent(URL)) == 2


@pytest.mark.parametrize(
    ("attributes", "minutes"),
    [
        ('cacheDuration="PT1H"', 60),
        ('cacheDuration="PT0S"', 5),
        ('cacheDuration="P30D"', 360),
        ('validUntil="2026-03-02T12:02:00Z"', 2),
    ],
)
async def test_the_provider_says_how_long_a_copy_is_fresh_within_bounds(world: World, attributes: str, minutes: int) -> None:
    world.publish(entity(attributes=" " + attributes))
    source = world.source()
    await source.current()
    world.clock.advance(timedelta(minutes=minutes) * 0.75)
    await source.current()
    assert len(world.http.sent(URL)) == 1
    world.clock.advance(timedelta(minutes=minutes) * 0.25)
    world.publish(entity())
    await source.current()
    assert len(world.http.sent(URL)) == 2


async def test_replicas_do_not_ask_at_the_same_moment(world: World) -> None:
    source, other = world.source(), world.source()
    described = await source.current()
    assert source._fresh_for(described) != other._fresh_for(described)


async def test_the_last_good_copy_serves_while_the_address_fails(world: World) -> None:
    provider = world.provider()
    await world.login(provider)
    world.clock.advance(timedelta(hours=7))
    world.http.on("GET", URL, ProviderUnreachable("gone"))
    assert await world.login(provider)
    assert any(isinstance(event, ProviderTrouble) for event in world.journal.events)


async def test_a_document_of_another_entity_never_replaces_it(world: World) -> None:
    provider = world.provider()
    await world.login(provider)
    world.clock.advance(timedelta(hours=7))
    world.publish(entity(entity_id="https://evil.example.com", keys=key(party("mallory").trusted_base64)))
    assert await world.login(provider)
    trouble = [event for event in world.journal.events if isinstance(event, ProviderTrouble)]
    assert trouble[0].code == MetadataEntity.code


async def test_past_valid_until_without_a_refresh_logins_are_refused(world: World) -> None:
    world.publish(entity(attributes=' validUntil="2026-03-02T14:00:00Z"'))
    provider = world.provider()
    _, memo = await provider.begin(TRANSACTION, Strength())
    world.http.on("GET", URL, ProviderUnreachable("gone"))
    world.clock.advance(timedelta(hours=2))
    with pytest.raises(MetadataExpired):
        await provider.begin(TRANSACTION, Strength())
    with pytest.raises(MetadataExpired):
        await provider.finish(answer(post(signed())), TRANSACTION, memo, Strength())


async def test_an_address_that_fails_at_first_ends_the_login_with_its_error(world: World) -> None:
    world.http.on("GET", URL, HttpResponse(status=503))
    with pytest.raises(ProviderAnswer):
        await world.provider().begin(TRANSACTION, Strength())
    world.publish(entity())
    assert await world.provider().begin(TRANSACTION, Strength())


async def test_the_last_good_copy_survives_a_restart(tmp_path: Path) -> None:
    copy = tmp_path / "var" / "corp.xml"
    before = World(copy=copy)
    await before.login(before.provider())
    assert [path.name for path in copy.parent.iterdir()] == ["corp.xml"]
    after = World(copy=copy)
    after.http.on("GET", URL, ProviderUnreachable("gone"))
    assert await after.login(after.provider())


async def test_a_newer_document_replaces_the_copy_at_once(tmp_path: Path) -> None:
    copy = tmp_path / "corp.xml"
    copy.write_text(entity(keys=key(party("idp-old").trusted_base64)))
    world = World(copy=copy)
    assert await world.login(world.provider())
    assert party("idp").trusted_base64 in copy.read_text()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"x" * 3_000_000, entity(attributes=' validUntil="2026-03-01T12:00:00Z"').encode()])
async def test_a_copy_that_cannot_be_used_is_no_copy(tmp_path: Path, content: bytes) -> None:
    copy = tmp_path / "corp.xml"
    copy.write_bytes(content)
    world = World(copy=copy)
    world.http.on("GET", URL, ProviderUnreachable("gone"))
    with pytest.raises(ProviderUnreachable):
        await world.provider().begin(TRANSACTION, Strength())
    assert any(isinstance(event, ProviderTrouble) for event in world.journal.events)


async def test_a_disk_that_fails_stops_no_login(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    world = World(copy=tmp_path / "file" / "corp.xml")
    assert await world.login(world.provider())
    assert [event.code for event in world.journal.events if isinstance(event, ProviderTrouble)] == [ProviderAnswer.code] * 2


async def test_the_end_of_every_certificate_is_known(world: World) -> None:
    ending = party("idp-ending", ended=True)
    provider = world.provider(Fixed(metadata=them(party("idp"), ending)), next_certificate=party("sp-next").trusted)
    await provider.begin(TRANSACTION, Strength())
    await provider.begin(TRANSACTION, Strength())
    events = [event for event in world.journal.events if isinstance(event, CertificatesKnown)]
    assert len(events) == 1
    assert dict(events[0].ends) == {
        "sp-1": party("sp").trusted.ends,
        "sp-2": party("sp-next").trusted.ends,
        "idp-1": party("idp").trusted.ends,
        "idp-2": NOON - timedelta(days=1),
    }
    assert events[0].soon == ("idp-2",)


async def test_a_disagreement_of_the_engines_is_a_refused_login_and_an_event(world: World) -> None:
    def lie(_evidence: Evidence) -> Reading:
        return Reading(name_id="mallory@example.com", name_id_format=None, attributes={})

    provider = world.provider(Fixed(metadata=them()))
    await provider.begin(TRANSACTION, Strength())
    assert provider._engines is not None
    object.__setattr__(provider._engines, "second_opinion", lie)
    with pytest.raises(OpinionsDiffer):
        await world.login(provider)
    assert [event.idp for event in world.journal.events if isinstance(event, EnginesDisagreed)] == ["corp"]


LARGE = attribute("groups", *(f"CN=group {number:04d},OU=Groups,DC=corp,DC=example,DC=com" for number in range(150)))


async def test_a_large_response_is_judged_in_another_thread(world: World) -> None:
    seen: list[str] = []

    class Watched(LargeResponses):
        async def run(self, judge: Any) -> VerifiedIdentity:
            def watch() -> VerifiedIdentity:
                seen.append(threading.current_thread().name)
                identity: VerifiedIdentity = judge()
                return identity

            return await super().run(watch)

    world.large = Watched()
    provider = world.provider(Fixed(metadata=them()))
    await world.login(provider)
    assert seen == []
    identity = await world.login(provider, extra_attributes=LARGE, attributes=())
    assert len(identity.claims["groups"]) == 150  # type: ignore[arg-type]
    assert seen[0].startswith("saml")
    with pytest.raises(SamlSignature):
        await world.login(provider, by="mallory", extra_attributes=LARGE)
    world.large.close()


async def test_the_queue_of_large_responses_is_short() -> None:
    large = LargeResponses(workers=1, waiting=1)
    release = threading.Event()

    def slow() -> Any:
        release.wait(5)

    first = asyncio.create_task(large.run(slow))
    second = asyncio.create_task(large.run(slow))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        large.check_room()
    release.set()
    await asyncio.gather(first, second)
    large.check_room()
    assert await large.run(lambda: None) is None  # type: ignore[arg-type,return-value,func-returns-value]
    large.close()


async def test_many_threads_judge_alike(world: World) -> None:
    provider = world.provider(Fixed(metadata=them()))
    world.large = provider._large = LargeResponses(workers=4, waiting=200)
    tasks = [world.login(provider, by=by, extra_attributes=LARGE) for by in ("idp", "mallory") * 20]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in outcomes] == [VerifiedIdentity, SamlSignature] * 20
    world.large.close()


def test_a_description_is_a_plain_value() -> None:
    assert isinstance(them(), IdentityProviderMetadata)
    assert Memo("x") == "x"


async def test_what_a_login_demands_is_asked_for_and_verified(world: World) -> None:
    provider = world.provider()
    request, _ = await provider.begin(TRANSACTION, Strength(fresh=True, authn_context=("urn:mfa",)))
    assert isinstance(request, Redirect)
    sent = zlib.decompress(base64.b64decode(parse_qs(urlsplit(request.url).query)["SAMLRequest"][0]), -15).decode()
    assert 'ForceAuthn="true"' in sent
    assert "<saml:AuthnContextClassRef>urn:mfa<" in sent
    with pytest.raises(SignInTooWeak):
        await world.login(provider, strength=Strength(authn_context=("urn:mfa",)))
    with pytest.raises(SignInTooOld):
        await world.login(provider, strength=Strength(max_age=timedelta(minutes=1)), signed_in=-3600)
    assert await world.login(provider, strength=Strength(max_age=timedelta(hours=1)), signed_in=-3600)
