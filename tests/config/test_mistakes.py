"""Every mistake is told at its place, in a person's words, and nothing else is told with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import Code, Loaded
from gateway.config.diagnostics import FINDINGS
from gateway.config.reporting import as_text
from tests.config.folders import ENTRA, GATEWAY, GOOD, SECRET, Shelf
from tests.config.mistakes import MISTAKES, Mistake, Told


def make(shelf: Shelf, mistake: Mistake) -> Path:
    if mistake.old is not None:
        assert isinstance(mistake.new, str)
        return shelf.changed(mistake.file, mistake.old, mistake.new)
    return shelf.folder(**{mistake.file.removesuffix(".yaml"): mistake.new or "\n"})


def told(loaded: Loaded, folder: Path, file: str) -> tuple[Told, ...]:
    lines = (folder / file).read_bytes().decode("utf-8", "replace").split("\n")
    assert {problem.file for problem in loaded.problems} == {file}
    return tuple(
        Told(
            problem.line,
            "" if problem.excerpt is None else lines[problem.line - 1][problem.column - 1 : problem.end_column - 1],
            int(problem.code.removeprefix("QGW-")),
            problem.message,
            problem.hint and problem.hint.replace(str(folder.parent), "BASE"),
            problem.severity.value,
        )
        for problem in loaded.problems
    )


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_told_at_its_place(shelf: Shelf, mistake: Mistake) -> None:
    folder = make(shelf, mistake)
    loaded = shelf.load(folder)
    assert told(loaded, folder, mistake.file) == mistake.told
    assert (loaded.configuration is None) == any(one.severity == "error" for one in mistake.told)
    assert SECRET not in "".join(as_text(problem) for problem in loaded.problems)


def test_a_good_configuration_has_no_problems(shelf: Shelf) -> None:
    loaded = shelf.load(shelf.folder())
    assert loaded.problems == ()
    assert loaded.configuration is not None


def test_every_code_has_a_mistake_that_shows_it() -> None:
    shown = {f"QGW-{one.number}" for mistake in MISTAKES for one in mistake.told}
    elsewhere = {Code.UNREADABLE, Code.UNEXPECTED_FILE, Code.EXPIRES_SOON}  # of files, not of their text: test_folder, test_material
    elsewhere |= {Code.TRIAL, Code.STALE_ACKNOWLEDGEMENT} | {Code(code) for code in FINDINGS}  # tests/mapping, tests/lint
    elsewhere |= {Code.UNUSED, Code.PREFIXED_NODE, Code.EXPOSED_FILE, Code.BLANK_SECRET, Code.FOREIGN_CERTIFICATE}
    elsewhere |= {Code.TRUSTED_CROWD}  # test_oversights
    assert set(Code) == shown | elsewhere


def test_all_mistakes_of_all_files_are_told_at_once(shelf: Shelf) -> None:
    gateway = (
        GOOD[GATEWAY].replace("public_url:", "publik_url:").replace("site: prod", "site: prdo").replace("8080", '"8080"')
        + "    default_target: https://elsewhere.example/\n"
    )
    entra = GOOD[ENTRA].replace("issuer:", "isuer:").replace("claim: oid", 'cel: "clams.oid"').replace("value: CONTOSO", "claim: tid")
    broken = "a: [\n"
    loaded = shelf.load(shelf.folder(gateway=gateway, entra=entra, okta=broken, README="x: 1\n"))
    assert [(problem.file, problem.line, problem.code.value) for problem in loaded.problems] == [
        ("gateway.yaml", 1, "QGW-505"),
        ("gateway.yaml", 2, "QGW-504"),
        ("gateway.yaml", 3, "QGW-506"),
        ("gateway.yaml", 16, "QGW-508"),
        ("gateway.yaml", 22, "QGW-517"),
        ("README.yaml", 1, "QGW-506"),
        *[("README.yaml", 1, "QGW-505")] * 6,
        ("README.yaml", 1, "QGW-504"),
        ("entra.yaml", 1, "QGW-505"),
        ("entra.yaml", 3, "QGW-504"),
        ("entra.yaml", 7, "QGW-518"),
        ("entra.yaml", 8, "QGW-515"),
        ("okta.yaml", 2, "QGW-502"),
    ]


def test_a_file_full_of_mistakes_is_told_up_to_a_limit(shelf: Shelf) -> None:
    loaded = shelf.load(shelf.folder(entra="".join(f"key{number}: 1\n" for number in range(5_000))))
    assert len(loaded.problems) == 200
