"""All that `/metrics` tells, by name. The only module that knows prometheus-client.

Labels come from the configuration only: a browser must not be able to make the answer grow.
"""

from __future__ import annotations

from typing import Self, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway import __version__

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


class _Counter(Counter):
    """Finds known values of its labels at once; the library locks and converts each time."""

    def labels(self, *values: object, **named: object) -> Self:
        return cast("Self", self._metrics.get(cast("tuple[str, ...]", values)) or super().labels(*values, **named))


class _Histogram(Histogram):
    """Likewise."""

    def labels(self, *values: object, **named: object) -> Self:
        return cast("Self", self._metrics.get(cast("tuple[str, ...]", values)) or super().labels(*values, **named))


class Metrics:
    """All of them, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._of_logins()
        self._of_logouts()
        self._of_requests()
        self._of_providers()
        self._of_the_configuration()
        self._of_the_store()
        self.ready = self._gauge("qlikgw_ready", "1 while the gateway takes new logins")
        self._gauge("qlikgw_build_info", "Version of the gateway", "version").labels(__version__).set(1)

    def render(self) -> bytes:
        return generate_latest(self.registry)

    def _of_logins(self) -> None:
        counter = self._counter
        self.starts = counter("qlikgw_logins_started_total", "Browsers sent to an identity provider", "vp", "idp")
        self.logins = counter("qlikgw_logins_total", "Logins by outcome (success, rejected) and error code", "vp", "idp", "outcome", "code")
        self.rules = counter("qlikgw_access_refusals_total", "Logins that an access rule refused, by its id", "vp", "idp", "rule")

    def _of_logouts(self) -> None:
        counter = self._counter
        self.logouts = counter("qlikgw_logouts_total", "Users whose Qlik sessions were all ended, by origin", "vp", "origin")
        self.ended_sessions = counter("qlikgw_qlik_sessions_ended_total", "Qlik sessions that nodes say they ended", "vp")
        self.errands = self._gauge("qlikgw_qlik_session_ends_pending", "Users whose sessions a node has not ended yet, to be asked again")
        self.left_sessions = counter(
            "qlikgw_qlik_session_end_failures_total", "Requests to end a user's sessions that failed", "vp", "node", "code"
        )
        self.dropped = counter("qlikgw_sign_ins_dropped_total", "Sign-ins that had to make room in the full index of sign-ins", "vp")
        self.refused_logouts = counter("qlikgw_logouts_refused_total", "Messages about a logout that were refused", "idp", "code")

    def _of_requests(self) -> None:
        counter = self._counter
        self.requests = counter("qlikgw_http_requests_total", "Requests by route, method and status", "route", "method", "status")
        self.seconds = _Histogram(
            "qlikgw_http_request_duration_seconds", "Time to answer", ("route",), buckets=BUCKETS, registry=self.registry
        )
        self.shed = counter("qlikgw_requests_shed_total", "Requests turned away because the gateway was behind with its work", "endpoint")
        self.limited = counter("qlikgw_requests_limited_total", "Requests refused by a configured limit", "limit")
        self.unlimited = counter(
            "qlikgw_client_limits_skipped_total", "Requests that no limit per client could count: forwarded by a proxy that nobody named"
        )
        self.behind = self._gauge("qlikgw_behind_seconds", "How far the gateway is behind with its work")
        self.in_hand = self._gauge("qlikgw_requests_in_hand", "Requests being worked on")

    def _of_providers(self) -> None:
        self.keys = self._counter(
            "qlikgw_idp_key_refreshes_total", "Fetches of signing keys by outcome (changed, same, failed)", "idp", "outcome"
        )
        self.disagreements = self._counter("qlikgw_saml_disagreements_total", "SAML responses that two engines judged differently", "idp")
        self.certificates = self._gauge(
            "qlikgw_saml_certificate_end_timestamp_seconds", "When a certificate of a SAML registration ends", "idp", "certificate"
        )

    def _of_the_configuration(self) -> None:
        self.reloads = self._counter("qlikgw_config_reloads_total", "Reloads by outcome (applied, unchanged, refused)", "outcome")
        self.reload_good = self._gauge("qlikgw_config_last_reload_successful", "0 while the configuration on disk cannot be used")
        self.reload_time = self._gauge(
            "qlikgw_config_last_reload_success_timestamp_seconds", "When the configuration in use was last found good"
        )
        self.restart_needed = self._gauge("qlikgw_config_restart_needed", "1 while a changed setting waits for a restart")
        self.reload_good.set(1)
        self.reload_time.set_to_current_time()

    def _of_the_store(self) -> None:
        self.store_up = self._gauge("qlikgw_store_up", "0 while the shared store does not work: no login can be finished")
        self.store_keeps = self._gauge("qlikgw_store_keeps_all", "0 while the shared store would forget marks when it is full")
        for good in (self.store_up, self.store_keeps):
            good.set(1)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return _Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)
