"""What is shown of a file never shows a secret: not under its key, not under a mistyped one, not where the file is broken."""

from __future__ import annotations

import pytest

from gateway.config import Problem
from gateway.config.masking import Masks, is_secret_key
from gateway.config.reporting import as_json, as_text
from gateway.config.yaml12 import read_yaml
from tests.config.folders import ENTRA, GOOD, SECRET, Shelf

INLINE = [
    "secret: {S}",
    "secret: '{S}'",
    "secret: [{S}]",
    "secret: {{value: {S}}}",
    "secret: {{fiel: {S}}}",
    "secret: {{env: {S}}}",
    "secret: |\n  {S}\n",
    "secret: >-\n  more\n  {S}\n",
    'secret: "more\n  {S}"\n',
    "secert: {S}",
    "client_secret: {S}",
    "clientSecret: {S}",
    "password: {S}",
    "passwd: {S}",
    "client_key_password: {S}",
    "cookie_keys: [{S}]",
    "cookie_keys:\n- {S}\n- x",
    "cookie_key: {S}",
    "api_key: {S}",
    "access_token: {S}",
    "url: redis://:{S}@redis",
    "url: redis://user:a/{S}@redis",
    "url: redis+sentinel://redis/main?sentinel_password={S}",
    "key: |\n  -----BEGIN PRIVATE KEY-----\n  {S}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n".replace("{S}", "{S64}"),
]
BROKEN = ["", "\n  x: [", "\n]", "\n\t- x", "\n'", ' "x', "\n%", "\n---\nx"]


def fill(text: str) -> str:
    return text.format(S=SECRET, S64="aHVudGVyMgaHVudGVyMg")


@pytest.mark.parametrize("line", INLINE)
@pytest.mark.parametrize("rest", BROKEN)
def test_no_line_shows_an_inline_secret(line: str, rest: str) -> None:
    text = f"issuer: x\n{fill(line)}{rest}\n"
    masks = Masks(text.split("\n"), read_yaml(text).root)
    shown = "\n".join(masks.line(number) for number in range(1, text.count("\n") + 1))
    assert SECRET not in shown
    assert "aHVudGVyMg" not in shown


@pytest.mark.parametrize("line", INLINE)
@pytest.mark.parametrize("rest", BROKEN)
def test_no_report_shows_an_inline_secret(shelf: Shelf, line: str, rest: str) -> None:
    loaded = shelf.load(shelf.folder(entra=f"{GOOD[ENTRA]}{fill(line)}{rest}\n"))
    assert loaded.problems
    assert SECRET not in everything(loaded.problems)
    assert "aHVudGVyMg" not in everything(loaded.problems)


def everything(problems: tuple[Problem, ...]) -> str:
    return "".join(as_text(problem) for problem in problems) + str(as_json(problems))


@pytest.mark.parametrize(
    "name", ["secret", "client_secret", "secrt", "Password", "cookie_keys", "cookie-key", "client_key_pasword", "id_token_hint"]
)
def test_names_that_promise_a_secret(name: str) -> None:
    assert is_secret_key(name)


@pytest.mark.parametrize(
    "name", ["issuer", "client_id", "id_token_algorithms", "private_key_jwt", "allow_private", "key", "client_key", "schema"]
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_key(name)


def test_references_stay_readable() -> None:
    text = "secret: {file: ../certs/entra.secret}\nother_secret: {env: QLIKGW_ENTRA}\nissuer: https://x\n"
    masks = Masks(text.split("\n"), read_yaml(text).root)
    assert [masks.line(number) for number in (1, 2, 3)] == text.split("\n")[:3]


def test_other_lines_of_a_broken_file_stay_readable() -> None:
    text = "client_auth: {secret: {file: x}}\nissuer: [\nmapping:\n  user_id: oid\n"
    assert read_yaml(text).root is None
    masks = Masks(text.split("\n"), None)
    assert [masks.line(number) for number in (2, 4)] == ["issuer: [", "  user_id: oid"]
