"""What a test may need from the machine, and what happens where it is missing.

`@pytest.mark.needs("node", "chromium")`: where a part is missing the test is deselected and counted in the closing
summary, with the line that installs it; with QLIKGW_REQUIRE_ALL=1 a missing part fails the run before it starts.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from gateway.web import rounds
from tests.helm import image, tools

SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
INTEROP = Path(__file__).parent / "interop"


def _npm(*packages: str) -> Callable[[], bool]:
    return lambda: shutil.which("node") is not None and all((INTEROP / "node_modules" / name).is_dir() for name in packages)


PARTS: dict[str, tuple[Callable[[], bool], str]] = {
    "node": (_npm("oidc-provider", "jose", "axe-core", "saml-idp"), "apt-get install nodejs npm && npm ci --prefix tests/interop"),
    "simplesamlphp": (
        lambda: shutil.which("php") is not None and Path("/usr/share/simplesamlphp").is_dir(),
        "apt-get install --no-install-recommends simplesamlphp php-cli php-xml",
    ),
    "xmlsec1": (lambda: shutil.which("xmlsec1") is not None, "apt-get install xmlsec1"),
    "openssl": (lambda: shutil.which("openssl") is not None, "apt-get install openssl"),
    "redis": (
        lambda: all(map(shutil.which, ("redis-server", "redis-sentinel", "redis-cli"))),
        "apt-get install redis-server redis-sentinel redis-tools",
    ),
    "faketime": (lambda: any(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "apt-get install faketime"),
    "helm": (tools.ready, "python3 tests/helm/tools.py"),
    "image": (image.ready, "apt-get install debootstrap && python3 tests/helm/image.py"),
    "nginx": (lambda: shutil.which("nginx", path=SYSTEM_PATH) is not None, "apt-get install --no-install-recommends nginx-light"),
    "chromium": (lambda: shutil.which("chromium") is not None, "apt-get install chromium"),
}
settings.register_profile("qlikgw", deadline=None)
settings.load_profile("qlikgw")
LEFT_OUT: pytest.StashKey[Counter[str]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*parts): parts of the machine that the test uses (" + ", ".join(PARTS) + ")")
    config.stash[LEFT_OUT] = Counter()
    missing = [name for name, (there, _) in PARTS.items() if not there()]
    if missing and os.environ.get("QLIKGW_REQUIRE_ALL") == "1":
        raise pytest.UsageError("QLIKGW_REQUIRE_ALL=1, but missing: " + "; ".join(f"{name} ({PARTS[name][1]})" for name in missing))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], rounds.Loop]]:
    """Everything runs in the loop that the product runs in."""
    return {"rounds": rounds.Loop}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {name for name, (there, _) in PARTS.items() if not there()}
    kept, left_out = [], []
    for item in items:
        lacks = missing & {part for mark in item.iter_markers("needs") for part in mark.args}
        (left_out if lacks else kept).append(item)
        config.stash[LEFT_OUT].update(lacks)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist tells what it left out; all workers leave out the same."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(session.config.stash[LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[LEFT_OUT] |= Counter(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, count in sorted(config.stash[LEFT_OUT].items()):
        terminalreporter.write_line(f"left out for want of {name}: {count} tests. To run them: {PARTS[name][1]}", yellow=True)
