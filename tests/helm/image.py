"""The image of helm/Dockerfile as two folders, for machines without a container engine.

    python3 tests/helm/image.py

(as root; apt-get install debootstrap) reads the Dockerfile and does what it says in tests/helm/.image: a Debian 12 for the first stage, in
which every RUN runs, and for the second exactly those packages of it that distroless python3-debian12 is made of, without a shell.
What it cannot show is the pulling of the base images and the packing of layers.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DOCKERFILE = ROOT / "helm" / "Dockerfile"
IMAGE = HERE / ".image"
BUILD, RUNTIME, STAMP = IMAGE / "build", IMAGE / "runtime", IMAGE / "stamp"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_CERT": "/etc/ssl/machine.crt",
}
INGREDIENTS = (DOCKERFILE, ROOT / "requirements.lock", Path(__file__))
COMPILERS = {"cc", "gcc", "g++", "c++", "clang", "as", "ld", "rustc", "cargo", "go"}
DISTROLESS = [
    *(
        "base-files",
        "tzdata",
        "libc6",
        "libssl3",
        "libgcc-s1",
        "gcc-12-base",
        "libstdc++6",
        "libbz2-1.0",
        "libdb5.3",
        "libexpat1",
        "liblzma5",
    ),
    *("libsqlite3-0", "libuuid1", "libncursesw6", "libtinfo6", "zlib1g", "libcom-err2", "libcrypt1", "libgssapi-krb5-2", "libk5crypto3"),
    *("libkeyutils1", "libkrb5-3", "libkrb5support0", "libnsl2", "libreadline8", "libtirpc3", "libffi8"),
    *("libpython3.11-minimal", "libpython3.11-stdlib", "python3.11-minimal"),
]
"""The base, cc and python3 images of distroless for Debian 12, but for netbase and libgomp1. It also has ca-certificates, and
python3 as a link."""


@dataclass
class Stage:
    """A stage of a Dockerfile: its base, and (instruction, what follows)."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [rest for name, rest in self.steps if name == instruction]

    def last(self, instruction: str) -> str:
        return self.all(instruction)[-1]

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for line in self.all("ENV") for pair in shlex.split(line))


def read_dockerfile(text: str) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage, and the stages."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    joined = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^\s*#.*\n", "", text))
    for line in filter(None, map(str.strip, joined.splitlines())):
        instruction, rest = line.split(None, 1)
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], base), name))
        elif instruction == "ARG" and not stages:
            arguments.update([rest.split("=", 1)])
        else:
            stages[-1].steps.append((instruction, rest))
    return arguments, stages


def command(text: str) -> list[str]:
    """What a RUN, ENTRYPOINT or CMD runs: exec form or shell form."""
    return [str(part) for part in json.loads(text)] if text.startswith("[") else ["/bin/sh", "-c", text]


def ready() -> bool:
    """Whether it is there, made of what the repository holds now."""
    return STAMP.exists() and STAMP.read_text() == ingredients()


def ingredients() -> str:
    return "\n".join(file.read_text() for file in INGREDIENTS)


def make() -> None:
    """Both stages. The gateway's own code is copied anew by `refresh`."""
    shutil.rmtree(IMAGE, ignore_errors=True)
    IMAGE.mkdir()
    subprocess.run(
        ["/usr/sbin/debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(BUILD)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for source, target in (("/etc/resolv.conf", "etc/resolv.conf"), ("/etc/hosts", "etc/hosts"), (machine_roots(), "etc/ssl/machine.crt")):
        shutil.copy(source, BUILD / target)
    for instruction, rest in read_dockerfile(DOCKERFILE.read_text())[1][0].steps:
        if instruction == "COPY":
            copy(*rest.split())
        elif instruction == "RUN":
            subprocess.run(["/usr/sbin/chroot", str(BUILD), *command(rest)], check=True, env=ENVIRONMENT)
    if found := COMPILERS & {path.name for path in (BUILD / "usr" / "bin").iterdir()}:
        sys.exit(f"the first stage has compilers: {found}")
    distroless()
    shutil.rmtree(BUILD)
    STAMP.write_text(ingredients())


def machine_roots() -> str:
    """What this machine trusts: it may fetch packages through a mirror of its own. For the first stage alone."""
    return os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"


def copy(source: str, target: str) -> None:
    """From the repository into the first stage."""
    here, there = ROOT / source, BUILD / target.lstrip("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    if here.is_dir():
        shutil.rmtree(there, ignore_errors=True)
        shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(here, there)


def distroless() -> None:
    """The second stage's base out of the first stage's packages, and what it copies."""
    for name in ("bin", "lib", "lib64", "sbin"):
        (RUNTIME / "usr" / name).mkdir(parents=True)
        (RUNTIME / name).symlink_to(f"usr/{name}")
    info = BUILD / "var" / "lib" / "dpkg" / "info"
    for package in DISTROLESS:
        (listing,) = (path for path in (info / f"{package}.list", *info.glob(f"{package}:*.list")) if path.exists())
        for line in listing.read_text().splitlines():
            source, target = BUILD / line.lstrip("/"), RUNTIME / line.lstrip("/")
            if (source.is_symlink() or source.is_file()) and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
    (RUNTIME / "usr/bin/python3").symlink_to("python3.11")
    certificates = RUNTIME / "etc/ssl/certs/ca-certificates.crt"
    certificates.parent.mkdir(parents=True)
    shutil.copy(BUILD / "etc/ssl/certs/ca-certificates.crt", certificates)
    for place in ("etc/qlikgw/idp_configs", "etc/qlikgw/certs", "etc/qlikgw/var", "tmp", "proc", "opt"):
        (RUNTIME / place).mkdir(parents=True, exist_ok=True)
    shutil.copytree(BUILD / "opt" / "qlikgw", RUNTIME / "opt" / "qlikgw")


if __name__ == "__main__" and not ready():
    if os.geteuid() != 0:
        sys.exit("this needs root: chroot")
    make()
