"""The house's rules that no import contract can say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

GATEWAY = Path(__file__).parents[2] / "gateway"
MODULES = sorted(GATEWAY.rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
ONE_IMPORTER = {
    "authlib": ("protocol/oidc", "idp/oidc.py"),
    "joserfc": ("protocol/oidc", "idp/oidc.py", "demo", "cli/keygen.py"),
    "cel_expr_python": ("mapping",),
    "lxml": ("protocol/saml/xml.py", "idp/second_opinion.py"),
    "onelogin": ("idp/second_opinion.py",),
    "xmlsec": ("idp/second_opinion.py",),
    "re2": ("mapping",),
    "yaml": ("config",),
    "pydantic": ("config",),
    "pydantic_core": ("config", "digests.py", "lines.py", "sealing.py", "protocol/saml/base64.py", "protocol/saml/request.py"),
    "structlog": ("lines.py",),
    "prometheus_client": ("metrics.py",),
    "aiohttp": ("web", "app.py", "demo"),
    "redis": ("stores/link.py",),
    "limits": ("web/rates.py",),
    "jinja2": ("web/pages", "demo/pages"),
    "click": ("cli",),
}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    head = node.body[0].lineno - node.lineno
    return (node.end_lineno or node.lineno) - first.lineno + 1 + (0 if first is node.body[0] else head)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(GATEWAY)))
def test_a_module_fits_the_budget_and_says_what_it_is_for(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    assert len(source.splitlines()) <= 300, "a module has at most 300 lines"
    assert not source or ast.get_docstring(tree), "a module begins with what it is for"
    assert path.stem not in FORBIDDEN_NAMES
    too_long = {node.name: length(node) for node in functions(tree) if length(node) > 40}
    assert not too_long, "a function has at most 40 lines"


def test_modules_and_functions_are_small_in_the_median() -> None:
    trees = [ast.parse(path.read_text()) for path in MODULES]
    assert median(len(path.read_text().splitlines()) for path in MODULES if path.read_text()) <= 100
    assert median(length(node) for tree in trees for node in functions(tree)) <= 10


@pytest.mark.parametrize("library", ONE_IMPORTER)
def test_a_foreign_library_is_imported_in_its_room_alone(library: str) -> None:
    strangers = []
    for path in MODULES:
        place = str(path.relative_to(GATEWAY))
        names = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        if any(name.split(".")[0] == library for name in names) and not place.startswith(ONE_IMPORTER[library]):
            strangers.append(place)
    assert not strangers


def test_verified_identities_are_constructed_only_where_they_are_proven() -> None:
    builders = {
        str(path.relative_to(GATEWAY)).split("/")[0]
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in {"VerifiedIdentity", "LogoutNotice"}
    }
    assert builders == {"protocol"}


def test_every_exception_is_caught_by_name_but_in_the_middleware() -> None:
    broad = {
        str(path.relative_to(GATEWAY))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})
    }
    assert broad <= {"web/middleware.py", "mapping/cel.py", "idp/second_opinion.py", "stores/link.py"}


def test_no_verification_of_certificates_is_ever_switched_off() -> None:
    forbidden = ("CERT_NONE", "verify=False", "ssl=False", "_create_unverified")
    found = {f"{path.name}: {word}" for path in MODULES if "demo" not in path.parts for word in forbidden if word in path.read_text()}
    assert not found
