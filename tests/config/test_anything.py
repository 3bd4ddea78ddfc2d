"""Whatever stands in the files: problems or a configuration, never an exception, and never a problem at no place."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import Loaded, load
from gateway.config.document import read_document
from gateway.config.reporting import as_json, as_sarif, as_text
from tests.config.folders import ENTRA, GATEWAY, GOOD, NOW, Shelf

FIXTURE_IS_FINE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

SIGNS = [*"{}[],:&*!|>'\"%@`#?-~\t\n", "- ", ": ", "\n  ", "\n    ", "---\n", "<<", "\u2028", "\x00", "ä", "🦊"]
NAMES = """
    null true 0 1 022 x schema protocol oidc saml issuer https://x http://127.0.0.1 mapping cel claim value one_of allow user_directory
    user_id
    attributes secret file env client_auth method none public_url qlik_sites nodes virtual_proxies targets site prefix store url cookie_keys
    listen tls redis://a:b@c claims.a+ user.id
"""
WORDS = st.sampled_from(SIGNS + NAMES.split())
TEXTS = st.one_of(st.binary(max_size=200), st.lists(WORDS, max_size=60).map(lambda words: "".join(words).encode()))


def checked(loaded: Loaded) -> None:
    for problem in loaded.problems:
        assert problem.line >= 1
        assert 1 <= problem.column <= problem.end_column
        assert problem.message
        assert "\x1b" not in as_text(problem)
    as_json(loaded.problems)
    assert (loaded.configuration is None) == any(problem.severity == "error" for problem in loaded.problems)


@FIXTURE_IS_FINE
@given(gateway=TEXTS, entra=TEXTS)
def test_any_bytes_become_problems(shelf: Shelf, gateway: bytes, entra: bytes) -> None:
    folder = shelf.folder(gateway=gateway or b"\n", entra=entra or b"\n")
    loaded = shelf.load(folder)
    checked(loaded)
    as_sarif(loaded.problems, folder)


@FIXTURE_IS_FINE
@given(data=st.data(), file=st.sampled_from([GATEWAY, ENTRA]))
def test_any_change_to_a_good_file_becomes_problems_or_a_configuration(shelf: Shelf, data: st.DataObject, file: str) -> None:
    text = GOOD[file].encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    changed = text[:start] + data.draw(TEXTS) + text[end:]
    checked(shelf.load(shelf.folder(**{file.removesuffix(".yaml"): changed})))


@FIXTURE_IS_FINE
@given(content=TEXTS)
def test_named_files_may_hold_anything(shelf: Shelf, content: bytes) -> None:
    (shelf.base / "certs" / "any").write_bytes(content)
    gateway = (
        GOOD[GATEWAY].replace("root.pem", "any").replace("client.pem", "any").replace("client_key.pem", "any").replace("cookie.key", "any")
    )
    tls = "port: 8080, tls: {certificate: ../certs/any, key: ../certs/any}}"
    entra = GOOD[ENTRA].replace(
        "{method: client_secret_basic, secret: {file: ../certs/entra.secret}}", "{method: private_key_jwt, key: ../certs/any}"
    )
    checked(load(shelf.folder(gateway=gateway.replace("port: 8080}", tls), entra=entra), environ={}, now=NOW))


@given(content=TEXTS)
def test_any_file_reads_as_yaml_or_as_problems(content: bytes) -> None:
    document = read_document("x.yaml", content)
    assert document.tree is not None or document.failed
