"""The locks: every package pinned and hashed, and no word on where it comes from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "tests/helm/requirements.lock"])
def test_every_package_is_pinned_and_hashed_and_no_host_is_named(name: str) -> None:
    text = (ROOT / name).read_text()
    packages = [entry for entry in re.split(r"(?m)^(?=\S)", text) if entry.strip()]
    assert len(packages) > 10
    for entry in packages:
        assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry
    assert "://" not in text
    assert "index" not in re.sub(r"(?m)^[a-z].*", "", text)


def test_the_development_lock_agrees_with_the_runtime_lock() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"(?m)^([a-z0-9._-]+==\S+)", (ROOT / name).read_text()))

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_the_interop_lock_names_no_host_that_packages_come_from() -> None:
    lock = json.loads((ROOT / "tests" / "interop" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
