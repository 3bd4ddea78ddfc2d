"""Replicas of one gateway as processes of their own, behind a real nginx."""

from __future__ import annotations

import asyncio
import shutil
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import SYSTEM_PATH
from tests.flow.test_serve import lines_until, serve
from tests.flow.world import World
from tests.ports import unused_port

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream gateway {{
{servers}
    keepalive 8;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://gateway;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_connect_timeout 2s;
      add_header X-Served-By $upstream_addr always;
    }}
  }}
}}
"""


class Replica:
    """One gateway process. `folder`: its configuration, which differs from the others' in its ports (and where `change` says so)."""

    def __init__(self, world: World, number: int, change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        self.port, self.folder = unused_port(), world.folder.parent / f"replica{number}"
        shutil.copytree(world.folder, self.folder)
        self.edit(lambda gateway: gateway.update(listen={"host": "127.0.0.1", "port": self.port}, drain="1s"))
        self.edit(lambda gateway: gateway.update(management={"host": "127.0.0.1", "port": unused_port()}))
        self.edit(lambda gateway: gateway.update(trusted_proxies=["127.0.0.1/32"]))
        self.edit(change)
        self.process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Write its gateway.yaml anew."""
        file = self.folder / "gateway.yaml"
        content = yaml.safe_load(file.read_text())
        change(content)
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    async def start(self) -> None:
        """Until it serves."""
        self.process = await serve(self.folder)
        await lines_until(self.process, "started")
        self._reading = asyncio.create_task(self._read())

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end: the exit code."""
        assert self.process
        self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), 60)
        if self._reading is not None:
            await self._reading
        return code

    async def reload(self) -> None:
        """Look at the folder at once. It says nothing here when it has: wait for what should have changed."""
        assert self.process
        self.process.send_signal(signal.SIGHUP)

    async def end(self) -> None:
        if self.process is not None and self.process.returncode is None:
            await self.stop(signal.SIGKILL)

    async def _read(self) -> None:
        """So that its output does not fill the pipe."""
        assert self.process
        assert self.process.stdout
        while await self.process.stdout.read(65536):
            pass


@asynccontextmanager
async def replicas(world: World, count: int = 2) -> AsyncIterator[list[Replica]]:
    """The world's gateway as several processes behind nginx, which listens at the public URL."""
    await world.gateway.stop()
    made = [Replica(world, number) for number in range(count)]
    try:
        await asyncio.gather(*(replica.start() for replica in made))
        async with nginx(world, [replica.port for replica in made]):
            yield made
    finally:
        for replica in made:
            await replica.end()


@asynccontextmanager
async def nginx(world: World, ports: list[int]) -> AsyncIterator[None]:
    """A real nginx at the public URL, which asks the gateways at `ports` in turn."""
    folder = world.folder.parent / "nginx"
    folder.mkdir()
    servers = "\n".join(f"    server 127.0.0.1:{port} max_fails=0;" for port in ports)
    text = NGINX.format(folder=folder, servers=servers, port=world.url.rpartition(":")[2])
    (folder / "nginx.conf").write_text(text)
    binary = shutil.which("nginx", path=SYSTEM_PATH)
    assert binary
    process = await asyncio.create_subprocess_exec(
        binary, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf"), stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await _listens(int(world.url.rpartition(":")[2]))
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)


async def _listens(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0)
            else:
                writer.close()
                return


def error_log(folder: Path) -> str:
    """What nginx has to say."""
    return (folder.parent / "nginx" / "error.log").read_text()
