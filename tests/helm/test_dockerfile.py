"""What helm/Dockerfile promises, read off its text. That it works, tests/helm/test_rendered_gateway.py shows with what it makes."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest

from tests.helm.image import DOCKERFILE, ROOT, command, read_dockerfile

ARGUMENTS, STAGES = read_dockerfile(DOCKERFILE.read_text())
BUILD, RUNTIME = STAGES


def test_there_are_two_stages_and_the_second_runs_nothing() -> None:
    assert BUILD.name == "build"
    assert RUNTIME.all("RUN") == []
    assert RUNTIME.all("COPY") == ["--from=build /opt/qlikgw /opt/qlikgw"]
    assert not [step for stage in STAGES for step in stage.all("ADD")]


def test_both_have_the_python_of_one_debian() -> None:
    """The lock has packages for one patch of Python and not for another: the stages must not differ."""
    assert "debian:12" in BUILD.base
    assert "python3-debian12:nonroot" in RUNTIME.base


def test_packages_come_as_wheels_by_their_hashes_and_nothing_is_compiled() -> None:
    (install,) = (command(run) for run in BUILD.all("RUN") if '"install"' in run)
    assert {"--require-hashes", "--only-binary=:all:", "--no-deps", "-r"} <= set(install)
    (system,) = (run for run in BUILD.all("RUN") if "apt-get" in run)
    assert "--no-install-recommends" in system
    assert not re.search(r"gcc|g\+\+|build-essential|-dev\b|make|cargo|rust", system)


def test_it_runs_as_nobody_by_number_and_gets_signals_itself() -> None:
    """A number: Kubernetes cannot tell of a name whether it is root. Exec form: no shell stands between."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", RUNTIME.last("USER"))
    assert command(RUNTIME.last("ENTRYPOINT")) == ["/usr/bin/python3", "-m", "gateway"]
    assert command(RUNTIME.last("CMD")) == ["serve"]
    assert RUNTIME.last("STOPSIGNAL") == "SIGTERM"


def test_no_secret_and_no_working_folder_gets_in() -> None:
    lines = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().split()
    assert lines[0] == "*"
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    copied = [rest.split()[0] for rest in BUILD.all("COPY")]
    assert sorted(copied) == sorted(allowed) == ["LICENSE", "gateway", "requirements.lock"]
    assert all((ROOT / name).exists() for name in copied)
    assert not any(fnmatch("certs/client_key.pem", name) for name in allowed)


@pytest.mark.parametrize("name", ["PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"])
def test_python_writes_nothing_and_imports_nothing_from_the_working_folder(name: str) -> None:
    assert RUNTIME.environment[name] == "1"


def test_the_chart_and_the_image_agree_on_the_folder() -> None:
    text = (ROOT / "helm/qlik-auth-gateway/templates/deployment.yaml").read_text()
    assert f"value: {RUNTIME.environment['QLIKGW_CONFIG']}\n" in text
