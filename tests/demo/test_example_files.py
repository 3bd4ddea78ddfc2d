from __future__ import annotations

from pathlib import Path

import pytest

from gateway import config
from gateway.demo.example_files import make_files

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The shipped examples, beside an empty certs/."""
    (tmp_path / "idp_configs").mkdir()
    (tmp_path / "certs").mkdir()
    for path in (ROOT / "idp_configs").glob("*.yaml"):
        (tmp_path / "idp_configs" / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_the_examples_pass_check_once_their_files_are_made(copy: Path) -> None:
    assert "client.pem" in make_files(copy / "idp_configs", copy / "certs")
    loaded = config.load(copy / "idp_configs", environ={})
    assert [problem.message for problem in loaded.problems if problem.severity == "error"] == []
    assert loaded.configuration is not None


def test_what_is_there_is_never_touched(copy: Path) -> None:
    make_files(copy / "idp_configs", copy / "certs")
    before = {path.name: path.read_bytes() for path in (copy / "certs").iterdir()}
    assert make_files(copy / "idp_configs", copy / "certs") == []
    assert {path.name: path.read_bytes() for path in (copy / "certs").iterdir()} == before


def test_keys_are_for_their_owner_alone(copy: Path) -> None:
    make_files(copy / "idp_configs", copy / "certs")
    assert {path.stat().st_mode & 0o777 for path in (copy / "certs").iterdir()} == {0o600}


def test_a_part_of_a_site_is_not_mixed_with_another_one(copy: Path) -> None:
    (copy / "certs" / "root.pem").write_text("mine")
    with pytest.raises(ValueError, match="belong together"):
        make_files(copy / "idp_configs", copy / "certs")
    assert (copy / "certs" / "root.pem").read_text() == "mine"


def test_a_name_that_says_nothing_is_refused(copy: Path) -> None:
    (copy / "idp_configs" / "other.yaml").write_text("x: ../certs/mystery\n")
    with pytest.raises(ValueError, match="mystery"):
        make_files(copy / "idp_configs", copy / "certs")
