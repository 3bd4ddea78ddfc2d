from __future__ import annotations

import re

import pytest

from tests.golden.mistakes import MISTAKES, TOLD, Mistake, golden, told


def test_the_good_folder_has_nothing_to_tell() -> None:
    assert told(None) == "exit code 0\nidp_configs: no problems\n"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_check_says_what_is_written_down(mistake: Mistake) -> None:
    assert told(mistake) == golden(mistake).read_text(encoding="utf-8"), "if this is better: python -m tests.golden.mistakes"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_each_is_told_in_its_file_with_a_code_and_a_line(mistake: Mistake) -> None:
    text = golden(mistake).read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(mistake.file)}:\d+:\d+: (error|warning)\[QGW-5\d\d\]: .+\n +\d+ \| ", text, re.MULTILINE), text
    assert "Tr0ub4dor" not in text


def test_no_file_is_left_over() -> None:
    assert {path.name for path in TOLD.iterdir()} == {golden(mistake).name for mistake in MISTAKES}
    assert len(MISTAKES) >= 30
