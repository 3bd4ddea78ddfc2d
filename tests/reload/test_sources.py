"""Every way in which a file becomes another one is seen; what leaves it the same is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config.sources import Sources, names_in, stamp


def look(folder: Path, *files: Path) -> Sources:
    return Sources(str(folder), names_in(str(folder)), {str(file): stamp(str(file)) for file in files})


def replace_by_another_of_the_same_size_and_time(file: Path) -> None:
    other = file.with_name(".new")
    other.write_text("y" * len(file.read_text()))
    found = file.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.rename(file)


CHANGES: dict[str, Callable[[Path], object]] = {
    "written over": lambda file: file.write_text("longer than before"),
    "replaced": replace_by_another_of_the_same_size_and_time,
    "removed": lambda file: file.unlink(),
    "made unreadable": lambda file: file.chmod(0),
    "turned into a folder": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_changed_in_any_way_is_seen(tmp_path: Path, change: Callable[[Path], object]) -> None:
    file = tmp_path / "entra.yaml"
    file.write_text("x")
    before = look(tmp_path, file)
    assert before.again() == before
    change(file)
    assert before.again() != before


def test_a_file_that_appears_is_seen_in_the_folder_and_where_one_was_missing(tmp_path: Path) -> None:
    folder, secret = tmp_path / "idp_configs", tmp_path / "secret"
    folder.mkdir()
    before = look(folder, secret)
    (folder / "new.yaml").write_text("x")
    assert before.again() != before
    again = before.again()
    secret.write_text("x")
    assert again.again() != again


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_link_that_is_turned_at_any_depth_is_seen(tmp_path: Path, depth: int) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "entra.yaml").write_text("the same in both")
    target = tmp_path / "one"
    for number in range(depth):
        link = tmp_path / f"link{number}"
        link.symlink_to(target)
        target = link
    before = look(tmp_path, target / "entra.yaml")
    fresh = tmp_path / ".turned"
    fresh.symlink_to(tmp_path / "two")
    fresh.rename(tmp_path / "link0")
    assert before.again() != before


def test_names_that_begin_with_a_dot_are_nobodys_business(tmp_path: Path) -> None:
    before = look(tmp_path)
    (tmp_path / ".entra.yaml.swp").write_text("an editor at work")
    assert before.again() == before


def test_a_folder_that_is_gone_has_no_names(tmp_path: Path) -> None:
    assert names_in(str(tmp_path / "nowhere")) == ()
    assert names_in("nul\0byte") == ()
    assert stamp("nul\0byte") == ("ValueError",)
