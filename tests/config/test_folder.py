"""The folder itself: which files belong in it, how they are read, where paths in them lead."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gateway.config import Problem, load
from gateway.config.yaml12 import LARGEST_FILE
from tests.config.folders import ENTRA, GATEWAY, GOOD, SECRET, Shelf


def only(problems: tuple[Problem, ...]) -> Problem:
    (problem,) = problems
    return problem


def test_a_yml_file_is_an_error_with_a_hint(shelf: Shelf) -> None:
    folder = shelf.folder()
    (folder / "okta.yml").write_text(GOOD[ENTRA])
    problem = only(shelf.load(folder).problems)
    assert (problem.file, problem.line, problem.code, problem.hint) == ("okta.yml", 1, "QGW-509", "rename it to okta.yaml")


@pytest.mark.parametrize("name", ["README.md", "entra.yaml.bak", "entra", "schema/x"])
def test_any_other_file_is_an_error(shelf: Shelf, name: str) -> None:
    folder = shelf.folder()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    problem = only(shelf.load(folder).problems)
    assert (problem.file, problem.code) == (name.partition("/")[0], "QGW-509")


def test_names_that_begin_with_a_dot_are_ignored(shelf: Shelf) -> None:
    folder = shelf.folder()
    (folder / ".entra.yaml.swp").write_bytes(b"\0")
    (folder / "..data").mkdir()
    assert shelf.load(folder).problems == ()


@pytest.mark.parametrize("name", ["Entra", "entra_id", "-entra", "e" * 64, "entra id", "entr\u00e4"])
def test_a_file_name_that_is_no_id_is_an_error(shelf: Shelf, name: str) -> None:
    folder = shelf.folder()
    (folder / f"{name}.yaml").write_text(GOOD[ENTRA])
    problem = only(shelf.load(folder).problems)
    assert (problem.file, problem.line, problem.code) == (f"{name}.yaml", 1, "QGW-506")


def test_a_missing_gateway_yaml_is_told_with_the_mistakes_of_the_others(shelf: Shelf) -> None:
    problems = shelf.load(shelf.folder(gateway="", entra=GOOD[ENTRA].replace("oidc", "oicd"))).problems
    assert [(problem.file, problem.code.value) for problem in problems] == [("gateway.yaml", "QGW-501"), ("entra.yaml", "QGW-506")]


def test_a_missing_folder_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    loaded = load(tmp_path / "nowhere", environ={})
    assert (only(loaded.problems).message, loaded.folder_unreadable) == ("the folder does not exist", True)


def test_a_file_in_place_of_the_folder_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    assert only(load(tmp_path / "x", environ={}).problems).code == "QGW-501"


def test_a_file_that_is_too_large_is_refused(shelf: Shelf) -> None:
    text = GOOD[ENTRA]
    assert shelf.load(shelf.folder(entra=text + "#" * (LARGEST_FILE - len(text)))).problems == ()
    problem = only(shelf.load(shelf.folder(entra=text + "#" * (LARGEST_FILE - len(text) + 1))).problems)
    assert (problem.code, problem.message) == ("QGW-501", "the file is larger than 256 KiB")


def test_a_pipe_in_the_folder_does_not_keep_anybody_waiting(shelf: Shelf) -> None:
    folder = shelf.folder()
    os.mkfifo(folder / "pipe.yaml")
    assert only(shelf.load(folder).problems).message == "the file is not a file"


def test_a_socket_where_a_certificate_should_be_is_told(shelf: Shelf) -> None:
    folder = shelf.changed(GATEWAY, "../certs/root.pem", "root")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / ".socket"))
        (folder / "root").symlink_to(".socket")
        problems = shelf.load(folder).problems
    assert {problem.message for problem in problems} == {"this does not belong in the configuration folder", "this file is not a file"}


def test_a_dangling_link_is_told_as_a_missing_file(shelf: Shelf) -> None:
    folder = shelf.folder()
    (folder / "okta.yaml").symlink_to("nowhere")
    assert only(shelf.load(folder).problems).message == "the file does not exist"


def test_paths_are_relative_to_the_folder_as_named_not_to_where_a_link_leads(shelf: Shelf, tmp_path: Path) -> None:
    """`../certs` beside a linked folder is the one beside the link."""
    folder = shelf.folder()
    (tmp_path / "elsewhere").symlink_to(folder)
    problems = load(tmp_path / "elsewhere", environ={}).problems
    assert {problem.code.value for problem in problems} == {"QGW-511"}
    (tmp_path / "certs").symlink_to(shelf.base / "certs")
    assert load(tmp_path / "elsewhere", environ={}).configuration is not None


def test_a_relative_folder_is_one_of_the_working_directory(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shelf.folder()
    monkeypatch.chdir(folder)
    assert load(Path(), environ={}).problems == ()


def test_a_byte_order_mark_and_windows_line_ends_are_read(shelf: Shelf) -> None:
    text = GOOD[ENTRA].replace("issuer", "isuer").replace("\n", "\r\n")
    problems = shelf.load(shelf.folder(entra=b"\xef\xbb\xbf" + text.encode())).problems
    assert [(problem.line, problem.column) for problem in problems] == [(1, 1), (3, 1)]
    assert problems[1].excerpt == "isuer: https://login.microsoftonline.com/TENANT/v2.0"


def test_without_files_nothing_that_is_named_is_read(tmp_path: Path) -> None:
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text.replace("{file: ../certs/entra.secret}", "{env: QLIKGW_NOT_SET}"))
    loaded = load(tmp_path, environ={}, files=False)
    assert loaded.problems == ()
    assert loaded.configuration is not None
    assert loaded.configuration.sites["prod"].client_key == b""


def test_without_files_a_private_key_is_left_out(tmp_path: Path) -> None:
    auth = "{method: private_key_jwt, key: ../certs/x.pem, key_password: {env: QLIKGW_X}}"
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text.replace("{method: client_secret_basic, secret: {file: ../certs/entra.secret}}", auth))
    assert load(tmp_path, environ={}, files=False).configuration is not None


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_one_newline_at_a_secrets_end_is_cut(shelf: Shelf, ending: bytes) -> None:
    folder = shelf.changed(ENTRA, "../certs/entra.secret", "../certs/this.secret")
    (shelf.base / "certs" / "this.secret").write_bytes(SECRET.encode() + ending)
    configuration = shelf.load(folder).configuration
    assert configuration is not None
    assert configuration.providers["entra"].relying_party.client_auth.secret.reveal() == SECRET  # type: ignore[union-attr]


def test_a_secret_with_two_newlines_is_refused(shelf: Shelf) -> None:
    folder = shelf.changed(ENTRA, "../certs/entra.secret", "../certs/two.secret")
    (shelf.base / "certs" / "two.secret").write_bytes(SECRET.encode() + b"\n\n")
    assert only(shelf.load(folder).problems).code == "QGW-511"


def test_a_secret_that_is_not_text_is_refused(shelf: Shelf) -> None:
    folder = shelf.changed(ENTRA, "../certs/entra.secret", "../certs/binary.secret")
    (shelf.base / "certs" / "binary.secret").write_bytes(b"\xff\xfe")
    assert only(shelf.load(folder).problems).message == "the secret is not one line of text"


def test_an_empty_variable_is_refused(shelf: Shelf) -> None:
    folder = shelf.changed(ENTRA, "{file: ../certs/entra.secret}", "{env: QLIKGW_X}")
    assert only(shelf.load(folder, QLIKGW_X="").problems).message == "the secret is empty"
    assert shelf.load(folder, QLIKGW_X="x").problems == ()


def test_the_management_host_may_come_from_the_environment(shelf: Shelf) -> None:
    configuration = shelf.load(shelf.folder(), QLIKGW_MANAGEMENT_HOST="10.1.2.3").configuration
    assert configuration is not None
    assert (configuration.gateway.management.host, configuration.gateway.management.port) == ("10.1.2.3", 8081)


def test_a_management_host_that_is_none_is_told(shelf: Shelf) -> None:
    assert only(shelf.load(shelf.folder(), QLIKGW_MANAGEMENT_HOST="a b").problems).code == "QGW-511"


def test_nothing_reaches_for_the_network(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert shelf.load(shelf.folder()).configuration is not None
