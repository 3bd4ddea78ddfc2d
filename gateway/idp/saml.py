"""One SAML identity provider: the steps of `protocol.saml`, with metadata that is kept and a second engine (Profiles §4.1).

A response of the usual size is judged at once: it takes a millisecond. A large one goes to a small pool, so that it does not
hold up other logins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.errors import MalformedResponse, OpinionsDiffer, Overloaded, SamlSignature
from gateway.events import EnginesDisagreed
from gateway.idp.saml_logout import SamlLogout
from gateway.idp.saml_metadata import Fixed, MetadataSource, certificates_known
from gateway.model import Binding, IdpRequest, IdpResponse, Memo, TransactionId, VerifiedIdentity
from gateway.ports import Clock, Entropy, Journal, SingleLogout
from gateway.protocol import saml
from gateway.strength import Strength

_INLINE: Final = 32 * 1024
_WORKERS: Final = 2
_WAITING: Final = 16
_REQUEST_BYTES: Final = 20
_REMIND: Final = timedelta(days=1)  # of certificates that end soon, where the metadata never changes


class LargeResponses:
    """Two threads for responses over 32 KB, and a short queue before them; one for the whole process."""

    def __init__(self, *, workers: int = _WORKERS, waiting: int = _WAITING) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="saml")
        self._limit = workers + waiting
        self._present = 0

    def check_room(self) -> None:
        """Raises `Overloaded` when the queue is full: to be asked before the response has used up its login."""
        if self._present >= self._limit:
            raise Overloaded("too many large SAML responses at once")

    async def run(self, judge: Callable[[], VerifiedIdentity]) -> VerifiedIdentity:
        """What `judge` gives, from another thread. Raises whatever `judge` raises."""
        self._present += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, judge)
        finally:
            self._present -= 1

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Engines:
    """One state of the provider's metadata, with what was made for it: the second engine, and a draft for each kind of request."""

    metadata: saml.IdentityProviderMetadata
    second_opinion: saml.SecondOpinion
    drafts: dict[tuple[bool, tuple[str, ...] | None], saml.RequestDraft] = field(default_factory=dict)

    def draft(self, sp: saml.ServiceProvider) -> saml.RequestDraft:
        """`sp`: us, in one of the few states that the configuration can demand. Raises `MetadataUnusable`, `ConfigError`."""
        kind = sp.force_authn, sp.authn_contexts
        if kind not in self.drafts:
            self.drafts[kind] = saml.draft_request(sp, self.metadata)
        return self.drafts[kind]


class SamlProvider:
    """An `IdentityProvider` that speaks SAML 2.0, Web Browser SSO profile."""

    def __init__(  # noqa: PLR0913  a composition root's call: every collaborator is named and required
        self,
        *,
        name: str,
        display_name: str,
        service_provider: saml.ServiceProvider,
        metadata: MetadataSource,
        sign_metadata: bool = False,
        large: LargeResponses,
        clock: Clock,
        entropy: Entropy,
        journal: Journal,
    ) -> None:
        self._name = name
        self._display_name = display_name
        self._sp = service_provider
        self._metadata = metadata
        self._sign_metadata = sign_metadata
        self._large = large
        self._clock = clock
        self._entropy = entropy
        self._journal = journal
        self._registration = saml.registration(service_provider)
        self._logout = SamlLogout(service_provider=service_provider, metadata=metadata, clock=clock, entropy=entropy)
        self._second_engine = second_engine(service_provider)
        self._engines: _Engines | None = None
        self._told_at = clock.now()
        if isinstance(metadata, Fixed):
            self._set_up(metadata.metadata, self._told_at)
        else:
            self._tell_certificates(None, self._told_at)

    @property
    def name(self) -> str:
        return self._name

    @property
    def display_name(self) -> str:
        return self._display_name

    @property
    def registration(self) -> str:
        return self._registration

    @property
    def binding(self) -> Binding:
        return Binding.SAML_POST

    @property
    def logout(self) -> SingleLogout | None:
        """None without an address for it, or without a key: its messages must be signed."""
        return self._logout if self._sp.logs_out else None

    def jwks(self) -> None:
        """SAML publishes keys in metadata."""

    def metadata_document(self) -> str:
        """Our metadata for this provider's administrators. Raises `ConfigError` when it is to be signed and cannot be."""
        return saml.metadata_document(self._sp, signed=self._sign_metadata)

    def is_unsolicited(self, response: IdpResponse) -> bool:
        """A Response without InResponseTo (Profiles §4.1.5). A large one that answers no login is not even parsed. Raises `SamlError`."""
        message = response.fields.get("SAMLResponse")
        if not message:
            raise MalformedResponse("no SAMLResponse")
        return len(message) <= _INLINE and saml.is_unsolicited(message)

    def check_room(self, response: IdpResponse) -> None:
        """Large responses queue for a thread."""
        if len(response.fields.get("SAMLResponse", "")) > _INLINE:
            self._large.check_room()

    async def begin(self, transaction: TransactionId, strength: Strength) -> tuple[IdpRequest, Memo]:
        """Profiles §4.1.3.2 and §4.1.3.3."""
        metadata, now = await self._metadata.current(), self._clock.now()
        draft = self._set_up(metadata, now).draft(demanding(self._sp, strength))
        return saml.authn_request(transaction, draft=draft, random=self._entropy.token(_REQUEST_BYTES), now=now)

    async def finish(self, response: IdpResponse, transaction: TransactionId, memo: Memo, strength: Strength) -> VerifiedIdentity:
        """Profiles §4.1.4; a signature that does not verify may have been made with a key that is newer than our copy."""
        sent, message = saml.read_memo(memo), read_fields(response, transaction)
        sp = demanding(self._sp, strength)
        metadata = await self._metadata.current()
        try:
            return await self._judge(message, sp, sent, metadata)
        except SamlSignature:
            newer = await self._metadata.newer(metadata)
            if newer is metadata:
                raise
        return await self._judge(message, sp, sent, newer)

    async def _judge(
        self, message: str, sp: saml.ServiceProvider, sent: saml.SentRequest, metadata: saml.IdentityProviderMetadata
    ) -> VerifiedIdentity:
        now = self._clock.now()
        engines = self._set_up(metadata, now)

        def judge() -> VerifiedIdentity:
            return saml.verify_response(message, sp=sp, idp=engines.metadata, sent=sent, now=now, second_opinion=engines.second_opinion)

        try:
            return judge() if len(message) <= _INLINE else await self._large.run(judge)
        except OpinionsDiffer as error:
            self._journal.record(EnginesDisagreed(idp=self._name, detail=error.detail))
            raise

    def _set_up(self, metadata: saml.IdentityProviderMetadata, now: datetime) -> _Engines:
        if self._engines is None or self._engines.metadata is not metadata:
            self._engines = _Engines(metadata=metadata, second_opinion=self._second_engine(self._sp, metadata))
            self._tell_certificates(metadata, now)
        elif now - self._told_at >= _REMIND:
            self._tell_certificates(metadata, now)
        return self._engines

    def _tell_certificates(self, metadata: saml.IdentityProviderMetadata | None, now: datetime) -> None:
        """Ours from the start, the provider's as soon as its metadata is known."""
        self._told_at = now
        self._journal.record(certificates_known(self._name, self._sp, metadata, now))


def second_engine(sp: saml.ServiceProvider) -> Callable[[saml.ServiceProvider, saml.IdentityProviderMetadata], saml.SecondOpinion]:
    """The library is loaded where a provider's settings ask for it: 20 ms and 8 MiB."""
    if not sp.second_opinion:
        return lambda _sp, _idp: not_asked
    from gateway.idp.second_opinion import Python3Saml  # noqa: PLC0415

    return Python3Saml


def not_asked(_evidence: saml.Evidence) -> saml.Reading:
    """Of a provider for which our own engine decides alone. Raises `OpinionsDiffer`."""
    raise OpinionsDiffer("there is no second engine")


def demanding(sp: saml.ServiceProvider, strength: Strength) -> saml.ServiceProvider:
    """Us, for one login: what its sign-in must be like."""
    if (strength.fresh, strength.authn_context, strength.max_age) == (sp.force_authn, sp.authn_contexts, sp.max_age):
        return sp
    return replace(sp, force_authn=strength.fresh, authn_contexts=strength.authn_context, max_age=strength.max_age)


def read_fields(response: IdpResponse, transaction: TransactionId) -> str:
    """The message, brought back with the RelayState of this login (Bindings §3.5.3). Raises `MalformedResponse`."""
    if response.fields.get("RelayState") != transaction:
        raise MalformedResponse("RelayState is not this login's")
    message = response.fields.get("SAMLResponse")
    if not message:
        raise MalformedResponse("no SAMLResponse")
    return message
