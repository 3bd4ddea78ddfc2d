"""The chart's schema of its values holds the schemas of the configuration's files; both change together."""

from __future__ import annotations

from tests.helm import values_schema


def test_the_charts_schema_has_the_models() -> None:
    """To renew it: python -m tests.helm.values_schema."""
    assert values_schema.FILE.read_text(encoding="utf-8") == values_schema.renewed(), "python -m tests.helm.values_schema"
