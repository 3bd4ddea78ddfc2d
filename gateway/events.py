"""What happened: one event for each outcome, for the journal. Names, digests and codes only, nothing that a user could be known by."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import TypeAlias

from gateway.model import QlikUser
from gateway.noun import noun


@noun
class LoginStarted:
    """A browser was sent to an identity provider; `step_up`: once more, because its sign-in was too weak."""

    virtual_proxy: str
    idp: str
    transaction: str
    step_up: bool = False


@noun
class LoginSucceeded:
    """A browser was sent back with a ticket. `transaction` is a digest, not the id; attributes by name only."""

    virtual_proxy: str
    idp: str
    transaction: str
    node: str
    user: QlikUser = field(repr=False)


@noun
class LoginRejected:
    """A login ended in an error. `virtual_proxy` and `idp` are None where the request did not get that far.

    `rule` is the id of the access rule that refused, where one did.
    """

    virtual_proxy: str | None
    idp: str | None
    transaction: str | None
    code: str
    detail: str
    rule: str | None = None


@noun
class TrialEnded:
    """A test sign-in came back from its provider. `code` None: a login would have been let in; no ticket was asked for either way."""

    virtual_proxy: str
    idp: str
    transaction: str
    code: str | None
    detail: str = ""


@noun
class LoggedOut:
    """All Qlik sessions of one user in one virtual proxy were ended; `origin`: browser, provider, operator; `idp` None: nobody signed in.

    `sessions`: how many the nodes say they ended.
    """

    origin: str
    virtual_proxy: str
    idp: str | None
    sessions: int
    user: QlikUser = field(repr=False)


@noun
class SessionsLeft:
    """A node did not end a user's sessions. `attempt` counts from 1; `again`: it will be asked once more, by this gateway, by itself."""

    origin: str
    virtual_proxy: str
    node: str
    code: str
    detail: str
    attempt: int
    again: bool
    user: QlikUser = field(repr=False)


@noun
class SignInDropped:
    """The index of sign-ins was full: one that had not ended made room, and no logout will find it."""

    virtual_proxy: str


@noun
class LogoutRefused:
    """A message about a logout proved nothing, or could not be used. Nothing was ended."""

    virtual_proxy: str | None
    idp: str | None
    code: str
    detail: str


@noun
class KeysRefreshed:
    """A provider's signing keys were fetched; `added` and `removed` are key ids."""

    idp: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


@noun
class ProviderTrouble:
    """A provider's metadata or keys could not be refreshed; the last good ones stay in use."""

    idp: str
    code: str
    detail: str


@noun
class CertificatesKnown:
    """The certificates that a SAML registration works with, each with its end; `soon` are those that end within 30 days, or have."""

    idp: str
    ends: tuple[tuple[str, datetime], ...]
    soon: tuple[str, ...]


@noun
class EnginesDisagreed:
    """Two engines judged one signed SAML response differently. Either has a fault, or somebody is trying one."""

    idp: str
    detail: str


@noun
class ConfigReloaded:
    """The configuration was read again and is in use.

    `changed` names what became another (empty: nothing did), `needs_restart` the settings that wait for one, `warnings`
    what the check says besides, one sentence each.
    """

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]
    warnings: tuple[str, ...]


@noun
class ConfigRefused:
    """The configuration on disk cannot be used; the last good one serves on. `errors`: a sentence each, with file, line and column."""

    errors: tuple[str, ...]


@noun
class StoreLost:
    """The shared store does not work: no login can be finished, and counts are this replica's own. Told once, until it works again."""

    code: str
    detail: str


@noun
class StoreFound:
    """The shared store works: for the first time, or again."""


@noun
class StoreMayForget:
    """Servers of the shared store throw keys away when they are full: `policies` are their `maxmemory-policy`, where not noeviction."""

    policies: tuple[str, ...]


Event: TypeAlias = (
    LoginStarted
    | LoginSucceeded
    | LoginRejected
    | TrialEnded
    | LoggedOut
    | SessionsLeft
    | LogoutRefused
    | SignInDropped
    | KeysRefreshed
    | ProviderTrouble
    | CertificatesKnown
    | EnginesDisagreed
    | ConfigReloaded
    | ConfigRefused
    | StoreLost
    | StoreFound
    | StoreMayForget
)
