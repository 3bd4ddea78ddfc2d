from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flow.conftest import certificates, real_clock, worlds
from tests.helm import tools

__all__ = ["certificates", "real_clock", "worlds"]
CHART = Path(__file__).parents[2] / "helm" / "qlik-auth-gateway"
EXAMPLES = sorted((CHART / "ci").glob("*-values.yaml"))
Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=tools.HELMS)
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> Helm:
    """Runs each helm, with a home of its own."""
    return helm_of(request.param, tmp_path)


@pytest.fixture
def helm_4(tmp_path: Path) -> Helm:
    """Runs the newer one."""
    return helm_of("helm-4", tmp_path)


def helm_of(name: str, home: Path) -> Helm:
    places = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(tools.HELMS[name]), *map(str, arguments)]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False, env={"PATH": os.defpath, **places})

    return run


def render(helm: Helm, *arguments: str | Path, values: object = None, chart: Path = CHART, release: str = "rel") -> list[dict[str, Any]]:
    """The rendered objects; `values` come on top of the files in `arguments`."""
    done = template(helm, *arguments, values=values, chart=chart, release=release)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def template(
    helm: Helm, *arguments: str | Path, values: object = None, chart: Path = CHART, release: str = "rel"
) -> subprocess.CompletedProcess[str]:
    return helm("template", release, chart, *arguments, "-f", "-", given=json.dumps(values or {}))


def one(manifests: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found
