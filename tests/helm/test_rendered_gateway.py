"""The gateway runs from exactly what the chart renders: its files as Kubernetes mounts them, its arguments, its environment.

Once as a process of this machine, once inside the image's own file system, read-only, as the pod's user, without capabilities.
"""

from __future__ import annotations

import asyncio
import compileall
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flow.conftest import Worlds
from tests.flow.test_serve import lines_until
from tests.flow.world import Browser, World
from tests.helm import image
from tests.helm.conftest import Helm, one, render
from tests.helm.kubelet import Objects, Pod, config_maps
from tests.peers.redis import RedisServer
from tests.ports import unused_port

pytestmark = pytest.mark.needs("helm")
ROOT = Path(__file__).parents[2]
Installs = Callable[..., Awaitable[Pod]]


def values_of(world: World) -> dict[str, Any]:
    """The world's configuration folder, as somebody would install it: `listen.host` is the chart's, the rest stays."""
    files = {path.stem: yaml.safe_load(path.read_text()) for path in world.folder.glob("*.yaml")}
    del files["gateway"]["listen"]["host"], files["gateway"]["management"]["host"]
    files["gateway"]["drain"] = "0s"
    return {
        "image": {"repository": "qlikgw"},
        "configuration": files,
        "folders": {
            "certs": [
                {"secret": "qlik", "items": {"cert": "client.pem", "key": "client_key.pem", "root": "root.pem"}},
                {"secret": "cookie-keys"},
                {"secret": "entra", "items": {"client-secret": "idp.secret"}},
            ]
        },
        "networkPolicy": {"egress": {"qlik": {"to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}]}}},
    }


def secrets_of(world: World) -> dict[tuple[str, str], dict[str, bytes]]:
    """The existing Secrets of the cluster."""
    certs = {path.name: path.read_bytes() for path in (world.folder.parent / "certs").iterdir()}
    return {
        ("secret", "qlik"): {"cert": certs["client.pem"], "key": certs["client_key.pem"], "root": certs["root.pem"]},
        ("secret", "cookie-keys"): {"cookie.key": certs["cookie.key"]},
        ("secret", "entra"): {"client-secret": certs["idp.secret"]},
    }


@pytest.fixture(params=["a process of this machine", pytest.param("the image", marks=pytest.mark.needs("image"))])
async def installed(request: pytest.FixtureRequest, helm_4: Helm, packaged: Path, tmp_path: Path) -> AsyncIterator[Installs]:
    """Installs a world's configuration: the pod runs in the place of the world's gateway."""
    pods: list[Pod] = []

    async def install(world: World, values: dict[str, Any], secrets: Objects | None = None) -> Pod:
        if not pods:
            await world.gateway.stop()
        manifests = render(helm_4, values=values)
        inside = request.param == "the image"
        objects = secrets_of(world) | (secrets or {}) | config_maps(manifests)
        pod = Pod(tmp_path / f"pod{len(pods) or ''}", objects, manifests, group=65532 if inside else None)
        pods.append(pod)
        pod.mount()
        if inside:
            for place in ("tmp", "etc/qlikgw/var"):
                os.chown(pod.root / place, 65532, 65532)
            process = await pod.run_in_image(packaged)
        else:
            process = await pod.run_here()
        await lines_until(process, "started")
        return pod

    yield install
    for pod in pods:
        await pod.end()


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gateway's package as it is now, compiled as the Dockerfile compiles it."""
    code = tmp_path_factory.mktemp("image") / "gateway"
    shutil.copytree(ROOT / "gateway", code, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(code, quiet=1)
    return code


async def test_it_signs_in_reloads_by_the_turned_link_and_stops(
    worlds: Worlds, real_clock: object, installed: Installs, helm_4: Helm
) -> None:
    """One pod's life: login, a changed ConfigMap, a bad one, a rotated Secret, SIGTERM."""
    world = await worlds(clock=real_clock)
    values = values_of(world)
    pod = await installed(world, values)
    assert pod.process
    folder = pod.root / "etc/qlikgw/idp_configs"
    assert str((folder / "entra.yaml").readlink()) == "..data/entra.yaml"
    assert (await world.sign_in(world.browser())).status == 200
    for path in ("livez", "readyz"):
        async with world.session.get(f"{world.management}/{path}") as response:
            assert response.status == 200

    good = values["configuration"]["entra"]["allow"]
    values["configuration"]["entra"]["allow"] = "'others' in claims.groups"
    pod.apply(render(helm_4, values=values))
    assert (await lines_until(pod.process, "config_reloaded"))[-1]["changed"] == ["identity provider entra"]
    assert (await world.sign_in(world.browser())).code == "QGW-306"

    pod.objects["configMap", "rel-qlik-auth-gateway"]["entra.yaml"] = b"schema: 1\n"
    pod.mount()
    await lines_until(pod.process, "config_refused")
    assert (await world.sign_in(world.browser())).code == "QGW-306", "the last good one serves on"

    values["configuration"]["entra"]["allow"] = good
    pod.apply(render(helm_4, values=values))
    await lines_until(pod.process, "config_reloaded")
    assert (await world.sign_in(world.browser())).status == 200

    pod.objects["secret", "entra"]["client-secret"] = b"another"
    pod.mount()
    assert (await lines_until(pod.process, "config_reloaded"))[-1]["changed"] == ["identity provider entra"]
    assert (await world.sign_in(world.browser())).code is not None, "the provider does not know the new secret"

    pod.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(pod.process.wait(), pod.spec["terminationGracePeriodSeconds"]) == 0


async def test_saml_works_and_its_metadata_is_kept_in_the_writable_folder(
    worlds: Worlds, real_clock: object, installed: Installs, tmp_path: Path
) -> None:
    def keep(settings: dict[str, Any]) -> None:
        settings["cache_dir"] = "../var"

    world = await worlds(clock=real_clock, idps=(), saml=("adfs",), edit_gateway=keep)
    pod = await installed(world, values_of(world))
    assert (await world.sign_in(world.browser())).status == 200
    assert [path.name for path in (tmp_path / "pod/etc/qlikgw/var").iterdir()] == ["adfs.metadata.xml"]
    assert list((tmp_path / "pod/tmp").iterdir()) == []
    assert pod.process
    pod.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(pod.process.wait(), 30) == 0


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.mark.needs("redis")
async def test_two_pods_share_what_was_begun_and_what_was_used(
    worlds: Worlds, real_clock: object, installed: Installs, redis: RedisServer
) -> None:
    """Two replicas as the chart renders them, on one machine: so the second one has ports of its own."""
    world = await worlds(clock=real_clock)
    values = values_of(world)
    gateway = values["configuration"]["gateway"]
    gateway["store"] = {"url": {"env": "QLIKGW_STORE_URL"}}
    values |= {"replicas": 2, "environment": [{"name": "QLIKGW_STORE_URL", "secret": "redis", "key": "url"}]}
    values["networkPolicy"]["egress"]["store"] = {"to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}]}
    store: Objects = {("secret", "redis"): {"url": redis.url.encode()}}
    pods = [await installed(world, values, store)]
    gateway["listen"]["port"], gateway["management"]["port"] = unused_port(), unused_port()
    pods.append(await installed(world, values, store))

    browser, thief = world.browser(), Browser(world.session)
    callback = (await world.to_callback(browser)).location
    thief.cookies = {host: dict(jar) for host, jar in browser.cookies.items()}
    answer = await browser.get(callback.replace(world.url, f"http://127.0.0.1:{gateway['listen']['port']}"))
    assert answer.status == 302
    assert "qlikTicket=" in answer.location
    assert (await thief.get(callback)).code == "QGW-110"
    for pod in pods:
        assert pod.process
        pod.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(pod.process.wait(), 60) == 0


@pytest.mark.needs("image")
async def test_in_the_image_nothing_can_be_written_but_the_two_folders(
    worlds: Worlds, real_clock: object, helm_4: Helm, packaged: Path, tmp_path: Path
) -> None:
    """The process's own view: who it is, what it may, what is mounted how."""
    world = await worlds(clock=real_clock)
    manifests = render(helm_4, values=values_of(world))
    pod = Pod(tmp_path / "pod", secrets_of(world) | config_maps(manifests), manifests, group=65532)
    pod.mount()
    for place in ("tmp", "etc/qlikgw/var"):
        os.chown(pod.root / place, 65532, 65532)
    look = """
import os
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
print(os.getuid(), os.getgid(), status["CapEff"].strip(), status["NoNewPrivs"].strip())
for folder, _, _ in os.walk("/"):
    if folder.startswith("/proc"):
        continue
    try:
        open(folder + "/probe", "w").close()
        print(folder)
    except OSError:
        pass
"""
    one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"] = ["--version"]
    process = await pod.run_in_image(packaged)
    stdout, stderr = await process.communicate()
    assert stdout.decode().startswith("qlikgw, version "), stderr
    pod.entry = ["/usr/bin/python3", "-c", look]
    process = await pod.run_in_image(packaged)
    stdout, stderr = await process.communicate()
    assert stdout.decode().split() == ["65532", "65532", "0000000000000000", "1", "/etc/qlikgw/var", "/tmp"], stderr  # noqa: S108
    assert {path.name for path in image.RUNTIME.glob("usr/bin/*")} == {"python3", "python3.11"}
