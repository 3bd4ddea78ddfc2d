"""Events become audit lines and metrics here, and nowhere else.

One line per request, one per login outcome. Nothing that a browser, a provider or a node sent is written but what an event
carries: names from the configuration, codes, digests and the `detail` of an error, whose writers keep tokens, codes, secrets
and assertions out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.events import (
    CertificatesKnown,
    ConfigRefused,
    ConfigReloaded,
    EnginesDisagreed,
    Event,
    KeysRefreshed,
    LoggedOut,
    LoginRejected,
    LoginStarted,
    LoginSucceeded,
    LogoutRefused,
    ProviderTrouble,
    SessionsLeft,
    SignInDropped,
    StoreFound,
    StoreLost,
    StoreMayForget,
    TrialEnded,
)
from gateway.lines import Destination, Lines
from gateway.metrics import Metrics

MOST_SHOWN = 50
"""Names or sentences in one field of a line."""


class LogJournal:
    """`ports.Journal`: one line and one count per event."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._certificates_of: dict[str, set[str]] = {}
        self._writers: dict[type, Callable[[Any], None]] = {
            LoginStarted: self._started,
            LoginSucceeded: self._succeeded,
            LoginRejected: self._rejected,
            TrialEnded: self._trial,
            LoggedOut: self._logged_out,
            SessionsLeft: self._sessions_left,
            LogoutRefused: self._logout_refused,
            SignInDropped: self._dropped,
            KeysRefreshed: self._keys,
            ProviderTrouble: self._trouble,
            CertificatesKnown: self._certificates,
            EnginesDisagreed: self._disagreed,
            ConfigReloaded: self._reloaded,
            ConfigRefused: self._refused,
            StoreLost: self._store_lost,
            StoreFound: self._store_found,
            StoreMayForget: self._store_may_forget,
        }

    @property
    def _log(self) -> Lines:
        return Destination.lines

    def record(self, event: Event) -> None:
        self._writers[type(event)](event)

    def request(self, *, route: str, method: str, status: int, seconds: float, extra: Mapping[str, str]) -> None:
        """The one line per request. `route` is the pattern, never the path: paths and queries carry what must not be logged."""
        self.metrics.requests.add(route, method, str(status))
        self.metrics.seconds.add(seconds, route)
        self._log.info("request", route=route, method=method, status=status, ms=round(seconds * 1000, 1), **extra)

    def crash(self, error: BaseException) -> None:
        """A fault of ours: its type and where it arose; no message, for that may quote a secret."""
        frames = []
        trace = error.__traceback__
        while trace is not None:
            frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/gateway/')[2]}:{trace.tb_lineno}")
            trace = trace.tb_next
        self._log.error("crash", exception=type(error).__name__, at=frames[-4:])

    def note(self, event: str, **fields: object) -> None:
        """A line about the gateway itself: started, draining, stopped, a warning of the configuration."""
        self._log.info(event, **fields)

    def warn(self, event: str, **fields: object) -> None:
        """Like `note`, for what an operator should mend."""
        self._log.warning(event, **fields)

    def _started(self, event: LoginStarted) -> None:
        self.metrics.starts.add(event.virtual_proxy, event.idp)
        self._log.info("login_started", vp=event.virtual_proxy, idp=event.idp, transaction=event.transaction, step_up=event.step_up)

    def _succeeded(self, event: LoginSucceeded) -> None:
        self.metrics.logins.add(event.virtual_proxy, event.idp, "success", "")
        self._log.info(
            "login_succeeded",
            vp=event.virtual_proxy,
            idp=event.idp,
            transaction=event.transaction,
            node=event.node,
            user=f"{event.user.directory}\\{event.user.user_id}",
            attributes=sorted(dict(event.user.attributes)),
        )

    def _rejected(self, event: LoginRejected) -> None:
        self.metrics.logins.add(event.virtual_proxy or "", event.idp or "", "rejected", event.code)
        rule = {} if event.rule is None else {"rule": event.rule}
        if event.rule is not None:
            self.metrics.rules.labels(event.virtual_proxy or "", event.idp or "", event.rule).inc()
        self._log.warning(
            "login_rejected",
            vp=event.virtual_proxy,
            idp=event.idp,
            transaction=event.transaction,
            code=event.code,
            **rule,
            detail=event.detail,
        )

    def _trial(self, event: TrialEnded) -> None:
        """A line and no count: a test is no login."""
        self._log.info("test_login_ended", **dataclasses.asdict(event))

    def _logged_out(self, event: LoggedOut) -> None:
        self.metrics.logouts.labels(event.virtual_proxy, event.origin).inc()
        self.metrics.ended_sessions.labels(event.virtual_proxy).inc(event.sessions)
        self._log.info(
            "logged_out",
            origin=event.origin,
            vp=event.virtual_proxy,
            idp=event.idp,
            user=f"{event.user.directory}\\{event.user.user_id}",
            sessions=event.sessions,
        )

    def _sessions_left(self, event: SessionsLeft) -> None:
        self.metrics.left_sessions.labels(event.virtual_proxy, event.node, event.code).inc()
        self._log.warning(
            "sessions_left",
            origin=event.origin,
            vp=event.virtual_proxy,
            node=event.node,
            user=f"{event.user.directory}\\{event.user.user_id}",
            code=event.code,
            detail=event.detail,
            attempt=event.attempt,
            again=event.again,
        )

    def _dropped(self, event: SignInDropped) -> None:
        """A count and no line: once the index is full, there is one with every login."""
        self.metrics.dropped.add(event.virtual_proxy)

    def _logout_refused(self, event: LogoutRefused) -> None:
        self.metrics.refused_logouts.labels(event.idp or "", event.code).inc()
        self._log.warning("logout_refused", **dataclasses.asdict(event))

    def _keys(self, event: KeysRefreshed) -> None:
        changed = event.added or event.removed
        self.metrics.keys.labels(event.idp, "changed" if changed else "same").inc()
        if changed:
            self._log.info("keys_refreshed", idp=event.idp, added=event.added, removed=event.removed)

    def _certificates(self, event: CertificatesKnown) -> None:
        for gone in self._certificates_of.get(event.idp, set()) - {certificate for certificate, _ in event.ends}:
            self.metrics.certificates.remove(event.idp, gone)
        self._certificates_of[event.idp] = {certificate for certificate, _ in event.ends}
        for certificate, end in event.ends:
            self.metrics.certificates.labels(event.idp, certificate).set(end.timestamp())
        if event.soon:
            self._log.warning("certificates_end_soon", idp=event.idp, certificates=event.soon)

    def _disagreed(self, event: EnginesDisagreed) -> None:
        self.metrics.disagreements.labels(event.idp).inc()
        self._log.error("saml_engines_disagreed", idp=event.idp, detail=event.detail)

    def _trouble(self, event: ProviderTrouble) -> None:
        self.metrics.keys.labels(event.idp, "failed").inc()
        self._log.warning("provider_trouble", **dataclasses.asdict(event))

    def _reloaded(self, event: ConfigReloaded) -> None:
        self.metrics.reloads.labels("applied" if event.changed else "unchanged").inc()
        self.metrics.reload_good.set(1)
        self.metrics.reload_time.set_to_current_time()
        self.metrics.restart_needed.set(int(bool(event.needs_restart)))
        write = self._log.warning if event.needs_restart else self._log.info
        write("config_reloaded", **{name: few(values) for name, values in dataclasses.asdict(event).items()})

    def _refused(self, event: ConfigRefused) -> None:
        self.metrics.reloads.labels("refused").inc()
        self.metrics.reload_good.set(0)
        self._log.error("config_refused", errors=few(event.errors), serving="the last good configuration")

    def _store_lost(self, event: StoreLost) -> None:
        self.metrics.store_up.set(0)
        self._log.error("store_lost", code=event.code, detail=event.detail)

    def _store_found(self, _event: StoreFound) -> None:
        self.metrics.store_up.set(1)
        self.metrics.store_keeps.set(1)
        self._log.info("store_found")

    def _store_may_forget(self, event: StoreMayForget) -> None:
        self.metrics.store_keeps.set(0)
        self._log.warning("store_may_forget", policies=event.policies, wanted="noeviction")


def few(values: Sequence[str]) -> list[str]:
    """As many as a line can hold, and how many more there are."""
    shown = list(values[:MOST_SHOWN])
    return shown if len(values) <= MOST_SHOWN else [*shown, f"and {len(values) - MOST_SHOWN} more"]
