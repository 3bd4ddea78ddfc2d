"""Counts and durations of ours say the same as the library's own would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gateway.metrics import BUCKETS, Counts, Durations

LABELS = st.tuples(st.sampled_from(["a", 'b"\n\\', ""]), st.sampled_from(["x", "y"]))


def told(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


@given(st.lists(LABELS, max_size=20))
def test_counts_are_told_as_the_library_tells_them(counted: list[tuple[str, str]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counts, counter = Counts(ours, "some_total", "Some", "one", "two"), Counter("some_total", "Some", ("one", "two"), registry=theirs)
    for values in counted:
        counts.add(*values)
        counter.labels(*values).inc()
    assert told(ours) == told(theirs)


@given(st.lists(st.tuples(st.floats(0, 20) | st.sampled_from(BUCKETS[:-1]), LABELS), max_size=20))
def test_durations_are_told_as_the_library_tells_them(measured: list[tuple[float, tuple[str, str]]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    durations = Durations(ours, "some_seconds", "Some", "one", "two")
    histogram = Histogram("some_seconds", "Some", ("one", "two"), buckets=BUCKETS, registry=theirs)
    for seconds, values in measured:
        durations.add(seconds, *values)
        histogram.labels(*values).observe(seconds)
    assert sorted(told(ours)) == sorted(told(theirs))
