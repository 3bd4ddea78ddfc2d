"""Real Redis servers, Sentinels and clusters on loopback, as processes that can be frozen, killed, filled up and set to another time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.ports import unused_port

PATIENCE = 20.0
"""Seconds until a server that was started, or a set of them, must be ready."""
_SORTED_SETS = "+zadd +zrem +zcard +zrange +zrangebyscore +zremrangebyrank"
RIGHTS = f"+ping +info +eval +set +get +incr +pexpire +pttl +hset +hget +hdel +hexists {_SORTED_SETS} ~qlikgw:*"
"""What a user of the server needs: the manual has the same line."""
RIGHTS_IN_A_CLUSTER = "+cluster|slots +cluster|info +command"


def until(true: object, *, what: str, patience: float = PATIENCE) -> None:
    """Wait until a look at a server says so: a process of its own gives no other sign."""
    assert callable(true)
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.01)


class RedisServer:
    """One `redis-server`. `options` are those of its configuration; nothing is kept on disk unless they say so."""

    def __init__(self, *options: str, faked_clock: bool = False, tls: tuple[bytes, bytes] | None = None) -> None:
        self.port = unused_port()
        self.folder = Path(tempfile.mkdtemp(prefix="qlikgw-redis-"))
        self._options = options + (() if tls is None else self._tls(*tls))
        self._faked = faked_clock
        self._process: subprocess.Popen[bytes] | None = None

    def _tls(self, certificate: bytes, key: bytes) -> tuple[str, ...]:
        for name, content in (("cert", certificate), ("key", key)):
            (self.folder / name).write_bytes(content)
        files = ("--tls-cert-file", str(self.folder / "cert"), "--tls-key-file", str(self.folder / "key"))
        return ("--port", "0", "--tls-port", str(self.port), *files, "--tls-auth-clients", "no")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> Self:
        environment = os.environ | (self._faked_environment() if self._faked else {})
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command(), cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        until(self._answers, what=f"a server on port {self.port}")
        return self

    def _command(self) -> list[str]:
        listening = [] if "--port" in self._options else ["--port", str(self.port)]
        return ["redis-server", "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder), *listening, *self._options]

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "log").read_text()
        return "Ready to accept connections" in (self.folder / "log").read_text()

    def _faked_environment(self) -> dict[str, str]:
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        self.set_clock("+0")
        return {
            # Not with jemalloc, which asks for the time before the library is ready for it.
            "LD_PRELOAD": f"{library}:libc.so.6",
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "time"),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set_clock(self, offset: str) -> None:
        """Put the server's wall clock forward or back, such as `+1h`."""
        (self.folder / "time").write_text(offset)

    def ask(self, *words: str) -> str:
        """What `redis-cli` says."""
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    def freeze(self) -> None:
        """The process stands still; its connections stay open, and new ones are taken by the kernel."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Without a word to anybody."""
        self._signal(signal.SIGKILL)
        assert self._process
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)


class RedisSentinel(RedisServer):
    """One `redis-sentinel` that watches `primary` under the name `main`, alone or in a quorum of two."""

    def __init__(self, primary: RedisServer, *, quorum: int = 1) -> None:
        super().__init__()
        self._primary, self._quorum = primary, quorum

    def _command(self) -> list[str]:
        file = self.folder / "sentinel.conf"
        if not file.exists():
            lines = [
                f"port {self.port}",
                "bind 127.0.0.1",
                f"dir {self.folder}",
                f"sentinel monitor main 127.0.0.1 {self._primary.port} {self._quorum}",
                "sentinel down-after-milliseconds main 500",
                "sentinel failover-timeout main 2000",
            ]
            file.write_text("\n".join(lines) + "\n")
        return ["redis-sentinel", str(file)]

    def _answers(self) -> bool:
        return "+monitor" in (self.folder / "log").read_text()

    def primary(self) -> int:
        """The port of what it holds for the primary."""
        return int(self.ask("sentinel", "get-master-addr-by-name", "main").splitlines()[1])

    def knows_replica(self) -> bool:
        """Whether a fail-over could find somebody."""
        return "flags\nslave\n" in self.ask("sentinel", "replicas", "main") + "\n"


class Watched:
    """A primary, its replica and a Sentinel."""

    def __init__(self) -> None:
        self.primary = RedisServer("--repl-diskless-sync-delay", "0")
        self.replica = RedisServer("--replicaof", f"127.0.0.1 {self.primary.port}")
        self.sentinel = RedisSentinel(self.primary)
        self.more: list[RedisSentinel] = []

    @property
    def url(self) -> str:
        ports = [sentinel.port for sentinel in (self.sentinel, *self.more)]
        return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in ports)}/main"

    def another_sentinel(self) -> RedisSentinel:
        """One more, named in `url` behind the first."""
        self.more.append(RedisSentinel(self.primary).start())
        return self.more[-1]

    def start(self) -> Self:
        for server in (self.primary, self.replica, self.sentinel):
            server.start()
        until(lambda: "master_link_status:up" in self.replica.ask("info", "replication"), what="a replica in step")
        until(self.sentinel.knows_replica, what="a Sentinel that knows the replica")
        return self

    def stop(self) -> None:
        for server in (*self.more, self.sentinel, self.replica, self.primary):
            server.stop()


class RedisCluster:
    """Three primaries without replicas. `url` names the first two."""

    def __init__(self) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-allow-replica-migration", "no")
        self.nodes = [RedisServer(*options, "--cluster-port", str(unused_port())) for _ in range(3)]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:2])

    def start(self) -> Self:
        for node in self.nodes:
            node.start()
        addresses = [f"127.0.0.1:{node.port}" for node in self.nodes]
        command = ["redis-cli", "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        until(self.is_whole, what="a cluster that agrees")
        return self

    def is_whole(self) -> bool:
        """Whether every node holds the cluster for complete."""
        return all("cluster_state:ok" in node.ask("cluster", "info") for node in self.nodes)

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()
