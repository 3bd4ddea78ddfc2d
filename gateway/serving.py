"""What requests are served with, made of one configuration's settings and of what all configurations of one gateway share."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.config.settings import GatewaySettings, LimitSettings
from gateway.ending import Ending
from gateway.errands import Errands
from gateway.journal import LogJournal
from gateway.login import LoginPipeline
from gateway.logout import LogoutPipeline
from gateway.ports import Clock, Counter, Entropy
from gateway.register import LONGEST_SEALED_MEMO, Register
from gateway.register import PURPOSE as MEMOS
from gateway.routing import RoutingTable
from gateway.sealing import Sealer
from gateway.stores.opening import Stores
from gateway.system import SystemTogether
from gateway.web import confirmations, handles, logout_cookies, trial_links
from gateway.web.context import Services
from gateway.web.cookies import LoginCookies
from gateway.web.guard import Guard, Rates
from gateway.web.pressure import Pressure


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What outlives every reload: time, randomness, the stores, and what is under way. `own_key`: seals where no cookie_keys are set."""

    clock: Clock
    entropy: Entropy
    stores: Stores
    errands: Errands
    pressure: Pressure
    journal: LogJournal
    own_key: bytes = field(repr=False)


def services(shared: Shared, settings: GatewaySettings, table: RoutingTable) -> Services:
    """One configuration, ready to serve."""
    clock, entropy, secure = shared.clock, shared.entropy, settings.secure
    # Without keys in the configuration one serves that was drawn at the start (the check has warned).
    ring = settings.cookie_keys or (shared.own_key,)
    register = Register(
        index=shared.stores.index_under(ring),
        sealer=Sealer(ring, purpose=MEMOS, longest=LONGEST_SEALED_MEMO),
        entropy=entropy,
        lifetime=settings.session_lifetime,
    )
    return Services(
        public_url=settings.public_url,
        secure=secure,
        table=table,
        pipeline=LoginPipeline(
            replay=shared.stores.replay,
            clock=clock,
            entropy=entropy,
            journal=shared.journal,
            lifetime=settings.login_lifetime,
            register=register,
        ),
        logout=logout_pipeline(shared, register),
        cookies=LoginCookies(Sealer(ring, purpose="login in flight"), clock=clock, entropy=entropy, secure=secure),
        browser_cookie=handles.BrowserCookie(
            sealer=Sealer(ring, purpose=handles.PURPOSE, longest=handles.LONGEST), entropy=entropy, secure=secure
        ),
        logout_cookie=logout_cookies.LogoutCookie(
            sealer=Sealer(ring, purpose=logout_cookies.PURPOSE), clock=clock, entropy=entropy, secure=secure
        ),
        confirmations=confirmations.Confirmations(sealer=Sealer(ring, purpose=confirmations.PURPOSE), clock=clock, entropy=entropy),
        trials=trial_links.TrialLinks(
            sealer=Sealer(ring, purpose=trial_links.PURPOSE), public_url=settings.public_url, clock=clock, entropy=entropy
        ),
        journal=shared.journal,
        clock=clock,
        entropy=entropy,
        guard=guard(shared, settings),
        trusted_proxies=settings.trusted_proxies,
    )


def guard(shared: Shared, settings: GatewaySettings) -> Guard:
    """What is taken on, by this configuration's limits."""
    return Guard(
        limits=settings.limits,
        pressure=shared.pressure,
        rates=rates(shared.stores.counter, settings.limits),
        journal=shared.journal,
        trusted_proxies=settings.trusted_proxies,
    )


def rates(counter: Counter, limits: LimitSettings) -> Rates | None:
    """What limits are counted with; None where nothing is limited."""
    if limits == LimitSettings():
        return None
    # The library takes 60 ms and a MiB to import, and most gateways limit nothing.
    from gateway.web.rates import SlidingRates  # noqa: PLC0415

    return SlidingRates(counter)


def logout_pipeline(shared: Shared, register: Register) -> LogoutPipeline:
    """The way back, over the same register."""
    ending = Ending(index=register.index, clock=shared.clock, journal=shared.journal, together=SystemTogether(), later=shared.errands)
    return LogoutPipeline(
        register=register,
        ending=ending,
        replay=shared.stores.replay,
        clock=shared.clock,
        entropy=shared.entropy,
        journal=shared.journal,
    )
