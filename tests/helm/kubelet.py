"""As much of a kubelet as a pod of the chart needs: projected volumes as Kubernetes lays them out, and the container's process.

A volume is a folder with the files in a folder `..TIMESTAMP`, a link `..data` to that, and each file a link through `..data`; a change is a
new folder and one rename of the link (AtomicWriter in Kubernetes' pkg/volume/util). Two ways to run the container: as a process of this
machine whose paths are moved below a folder, or inside the image's file system (tests/helm/image.py), mounted read-only, without
capabilities, as the user of the pod's security context.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shlex
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.helm import image

Objects = dict[tuple[str, str], dict[str, bytes]]
"""(`secret` or `configMap`, name) → its keys."""
POD_IP = "127.0.0.1"
_versions = count(1)


def config_maps(manifests: Iterable[dict[str, Any]]) -> Objects:
    """The ConfigMaps and Secrets among rendered objects."""
    found: Objects = {}
    for manifest in manifests:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if kind == "ConfigMap":
            found["configMap", name] = {key: text.encode() for key, text in manifest["data"].items()}
        elif kind == "Secret":
            found["secret", name] = {key: base64.b64decode(text) for key, text in manifest["data"].items()}
    return found


def projected(volume: Mapping[str, Any], objects: Objects) -> dict[str, bytes]:
    """The files of a projected volume. A missing object or key: `KeyError`, as the pod would wait for it."""
    files: dict[str, bytes] = {}
    for source in volume["sources"]:
        ((kind, wanted),) = source.items()
        content = objects[kind, wanted["name"]]
        items = {item["key"]: item["path"] for item in wanted["items"]} if "items" in wanted else {key: key for key in content}
        files |= {path: content[key] for key, path in items.items()}
    return files


def write_volume(folder: Path, files: Mapping[str, bytes], mode: int, group: int | None) -> None:
    """Put these files in the place of what was there, in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    version = folder / f"..2026_01_01_00_00_00.{next(_versions):09}"
    version.mkdir()
    for name, content in files.items():
        (version / name).write_bytes(content)
        (version / name).chmod(mode)
        if group is not None:
            os.chown(version / name, 0, group)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    before = (folder / "..data").resolve()
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").rename(folder / "..data")
    for path in folder.iterdir():
        if not path.name.startswith("..") and path.name not in files:
            path.unlink()
    if before.name.startswith("..2026"):
        shutil.rmtree(before)


@dataclass
class Pod:
    """A pod of the rendered Deployment, whose volumes lie under `root`."""

    root: Path
    objects: Objects
    manifests: list[dict[str, Any]]
    group: int | None = None
    process: Process | None = None
    entry: list[str] | None = None
    """Something else than the image's entry point and its arguments."""

    @property
    def spec(self) -> dict[str, Any]:
        (deployment,) = (manifest for manifest in self.manifests if manifest["kind"] == "Deployment")
        spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.spec["containers"]
        found: dict[str, Any] = container
        return found

    def mounts(self) -> dict[str, dict[str, Any]]:
        """Mount path → volume."""
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        return {mount["mountPath"]: volumes[mount["name"]] for mount in self.container["volumeMounts"]}

    def mount(self) -> None:
        """Write every volume; again after a change of the objects."""
        for path, volume in self.mounts().items():
            place = self.root / path.lstrip("/")
            if "emptyDir" in volume:
                place.mkdir(parents=True, exist_ok=True)
            else:
                source = volume["projected"]
                write_volume(place, projected(source, self.objects), source["defaultMode"], self.group)

    def apply(self, manifests: list[dict[str, Any]]) -> None:
        """Another render: ConfigMaps change in the running pod."""
        self.manifests = manifests
        self.objects |= config_maps(manifests)
        self.mount()

    def environment(self) -> dict[str, str]:
        """What the container gets, with the pod's address where it is asked for."""
        found = {}
        for variable in self.container["env"]:
            source = variable.get("valueFrom", {})
            if "fieldRef" in source:
                assert source["fieldRef"]["fieldPath"] == "status.podIP"
                found[variable["name"]] = POD_IP
            elif "secretKeyRef" in source:
                reference = source["secretKeyRef"]
                found[variable["name"]] = self.objects["secret", reference["name"]][reference["key"]].decode()
            else:
                found[variable["name"]] = variable["value"]
        return found

    async def run_here(self) -> Process:
        """The image's entry point with this machine's Python and the repository's code; the container's paths lie under `root`."""
        stage = image.read_dockerfile(image.DOCKERFILE.read_text())[1][-1]
        entry = image.command(stage.last("ENTRYPOINT"))
        assert entry[1:] == ["-m", "gateway"]
        moved = {name: value.replace("/etc/qlikgw", f"{self.root}/etc/qlikgw") for name, value in self.environment().items()}
        environment = {**stage.environment, **moved, "PYTHONPATH": str(image.ROOT)}
        return await self._start([sys.executable, *entry[1:], *self.container["args"]], environment)

    async def run_in_image(self, code: Path) -> Process:
        """The same inside the image's file system. `code`: the gateway's package, in the place of the one that the image was made with."""
        stage = image.read_dockerfile(image.DOCKERFILE.read_text())[1][-1]
        root, security = shlex.quote(str(image.RUNTIME)), self.spec["securityContext"]
        lines = [
            "set -e",
            "mount --make-rprivate /",
            f"mount --rbind {root} {root}",
            f"mount --bind {shlex.quote(str(code))} {root}/opt/qlikgw/lib/gateway",
            f"mount -t proc proc {root}/proc",
        ]
        for path, volume in self.mounts().items():
            lines.append(f"mount --bind {shlex.quote(str(self.root))}{path} {root}{path}")
            if "emptyDir" not in volume:
                lines.append(f"mount -o remount,bind,ro {root}{path}")
        lines += [f"mount -o remount,bind,ro {root}", f"mount -o remount,bind,ro {root}/opt/qlikgw/lib/gateway"]
        who = f"--userspec={security['runAsUser']}:{security['runAsGroup']} --groups={security['fsGroup']}"
        command = shlex.join(self.entry or [*image.command(stage.last("ENTRYPOINT")), *self.container["args"]])
        lines.append(f"exec setpriv --no-new-privs chroot {who} {root} {command}")
        environment = {"PATH": image.ENVIRONMENT["PATH"], **stage.environment, **self.environment()}
        return await self._start(["unshare", "--mount", "sh", "-c", "\n".join(lines)], environment)

    async def _start(self, command: list[str], environment: dict[str, str]) -> Process:
        self.process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment, cwd="/")
        return self.process

    async def end(self) -> None:
        """Whatever state it is in."""
        if self.process is not None:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.communicate()
