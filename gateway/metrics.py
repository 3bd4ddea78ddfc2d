"""All that `/metrics` tells, by name. The only module that knows prometheus-client.

Labels come from the configuration only: a browser must not be able to make the answer grow.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from gateway import __version__

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, math.inf)


class Counts:
    """A counter of what every request or login counts: one number in a table, where the library's own takes a lock for each.

    So it counts on the event loop alone, where all requests are handled and `/metrics` is told.
    """

    def __init__(self, registry: CollectorRegistry, name: str, text: str, *labels: str) -> None:
        self._name, self._text, self._labelnames = name, text, labels
        self._counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
        registry.register(self)

    def add(self, *values: str) -> None:
        """One more with these values of the labels."""
        self._counts[values] += 1

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labelnames)
        for values, count in self._counts.items():
            family.add_metric(values, count)
        yield family


class Durations:
    """Likewise a histogram."""

    def __init__(self, registry: CollectorRegistry, name: str, text: str, *labels: str) -> None:
        self._name, self._text, self._labelnames = name, text, labels
        self._rows: defaultdict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0] * (len(BUCKETS) + 1))
        """How many fell into each bucket and into none before; the last is their sum in seconds."""
        registry.register(self)

    def add(self, seconds: float, *values: str) -> None:
        """One more that took so long, with these values of the labels."""
        row = self._rows[values]
        row[bisect_left(BUCKETS, seconds)] += 1
        row[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labelnames)
        for values, (*counts, total) in self._rows.items():
            family.add_metric(values, list(zip(map(floatToGoString, BUCKETS), accumulate(counts), strict=True)), total)
        yield family


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
        self.starts = Counts(self.registry, "qlikgw_logins_started_total", "Browsers sent to an identity provider", "vp", "idp")
        self.logins = Counts(
            self.registry, "qlikgw_logins_total", "Logins by outcome (success, rejected) and error code", "vp", "idp", "outcome", "code"
        )
        self.rules = self._counter("qlikgw_access_refusals_total", "Logins that an access rule refused, by its id", "vp", "idp", "rule")

    def _of_logouts(self) -> None:
        counter = self._counter
        self.logouts = counter("qlikgw_logouts_total", "Users whose Qlik sessions were all ended, by origin", "vp", "origin")
        self.ended_sessions = counter("qlikgw_qlik_sessions_ended_total", "Qlik sessions that nodes say they ended", "vp")
        self.errands = self._gauge("qlikgw_qlik_session_ends_pending", "Users whose sessions a node has not ended yet, to be asked again")
        self.left_sessions = counter(
            "qlikgw_qlik_session_end_failures_total", "Requests to end a user's sessions that failed", "vp", "node", "code"
        )
        self.dropped = Counts(
            self.registry, "qlikgw_sign_ins_dropped_total", "Sign-ins that had to make room in the full index of sign-ins", "vp"
        )
        self.refused_logouts = counter("qlikgw_logouts_refused_total", "Messages about a logout that were refused", "idp", "code")

    def _of_requests(self) -> None:
        counter = self._counter
        self.requests = Counts(
            self.registry, "qlikgw_http_requests_total", "Requests by route, method and status", "route", "method", "status"
        )
        self.seconds = Durations(self.registry, "qlikgw_http_request_duration_seconds", "Time to answer", "route")
        self.shed = Counts(
            self.registry, "qlikgw_requests_shed_total", "Requests turned away because the gateway was behind with its work", "endpoint"
        )
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
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)
