"""What a gateway loads before it is ready."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gateway.cli import NOT_LOOKED_FOR, quick_loading

FOR_FEW = ("aiohttp.web", "gateway.demo", "gateway.doctor", "jinja2", "onelogin", "re2", "redis", "xmlsec")
"""What most gateways never need, and the others load when they do."""


def loaded_by(command: str) -> set[str]:
    script = f"import sys; from gateway.cli import main; main.get_command(None, {command!r}); print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split())


def test_serving_loads_nothing_that_few_gateways_need() -> None:
    loaded = loaded_by("serve")
    assert "gateway.app" in loaded
    assert loaded.isdisjoint(FOR_FEW)


def test_the_environment_is_afterwards_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "mine.pem")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    before = dict(os.environ)
    with quick_loading():
        assert {name: os.environ[name] for name in NOT_LOOKED_FOR} == NOT_LOOKED_FOR
    assert dict(os.environ) == before
