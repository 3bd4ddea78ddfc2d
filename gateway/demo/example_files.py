"""`./dev certs`: throw-away certificates and keys for the example configuration, in the shape of a real site's.

Makes every file in `certs/` that a file in `idp_configs/` names and that is not there yet; what is there is never touched.
Nothing here is good for production: the real files come from the QMC and from the identity provider (certs/README.md).
"""

from __future__ import annotations

import base64
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.demo.certificates import SiteCertificates, make_site

NAMED = re.compile(r"\.\./certs/([A-Za-z0-9][A-Za-z0-9._-]*)")
SITE_FILES = {"client.pem": "client", "client_key.pem": "client_key", "root.pem": "root"}
NODES = ("qlik1.corp.example", "qlik2.corp.example")


def named_files(configs: Path) -> Iterator[str]:
    """The names that the configuration files mention outside comments, each once, in order."""
    texts = (path.read_text() for path in sorted(configs.glob("*.yaml")))
    lines = (line for text in texts for line in text.splitlines() if not line.lstrip().startswith("#"))
    yield from dict.fromkeys(name for line in lines for name in NAMED.findall(line))


def content_of(name: str, site: SiteCertificates) -> bytes:
    """A file's content by its name. Raises `ValueError` for a name that says nothing."""
    if name in SITE_FILES:
        return bytes(getattr(site, SITE_FILES[name]))
    makers: dict[str, Callable[[], bytes]] = {
        r".*cookie.*\.key": _cookie_key,
        r".*\.secret": lambda: secrets.token_urlsafe(32).encode() + b"\n",
        r".*[._-]key\.pem|.*\.key": _signing_key,
        r"qlik\d\.pem": lambda: site.servers[NODES[0]][0],
    }
    for pattern, make in makers.items():
        if re.fullmatch(pattern, name):
            return make()
    raise ValueError(f"certs/{name}: its name does not say what it is")


def make_files(configs: Path, certs: Path) -> list[str]:
    """Make what is missing; the names of what was made. The three files of the site belong together: all of them, or none."""
    wanted = list(named_files(configs))
    missing = [name for name in wanted if not (certs / name).exists()]
    if not missing:
        return []
    if set(missing) & set(SITE_FILES) and any((certs / name).exists() for name in SITE_FILES):
        raise ValueError(f"only some of {', '.join(SITE_FILES)} are in {certs}: they belong together, so remove them or bring the rest")
    site = make_site(NODES, host_of_root=NODES[0])
    for name in missing:
        _write(certs / name, content_of(name, site))
    return missing


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _cookie_key() -> bytes:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=") + b"\n"


def _signing_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def main(root: Path) -> None:
    """Make the files of the repository's own examples."""
    try:
        made = make_files(root / "idp_configs", root / "certs")
    except ValueError as problem:
        sys.exit(str(problem))
    sys.stdout.write("".join(f"made certs/{name}\n" for name in made) or "nothing is missing\n")


if __name__ == "__main__":
    main(Path(__file__).parents[2])
