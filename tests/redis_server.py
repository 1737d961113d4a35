"""Real Redis servers for tests and measurements, each in a directory of its own.

Never a server that somebody else uses; each listens on 127.0.0.1 and on a socket, writes every
change to the disk before it answers, and ends with who started it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

_START_SECONDS = 10.0


class RedisServer:
    """One server; what it keeps outlives ``kill`` and ``start``.

    Args:
        options: More of the server's command line, e.g. ``("--appendfsync", "everysec")``.
    """

    def __init__(self, *options: str) -> None:
        # Of its own and short: the path of a socket may have about a hundred characters.
        self.directory = Path(tempfile.mkdtemp(prefix="pairguard-redis-"))
        self.port = free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        return f"unix://{self.directory / 'redis.sock'}?db=0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--unixsocket", str(self.directory / "redis.sock")),
                *("--dir", str(self.directory), "--save", "", "--daemonize", "no"),
                *("--appendonly", "yes", "--appendfsync", "always"),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with suppress(RedisError), self.client() as client:
                client.ping()
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=10)

    def pause(self) -> None:
        """Let it take connections and answer nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def client(self) -> Any:
        return Redis(port=self.port, socket_timeout=5.0)

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        atexit.unregister(self.remove)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)


@contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """Give a server that is running until the end of the block."""
    server = RedisServer(*options)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@contextmanager
def running_cluster(size: int = 3) -> Iterator[Sequence[RedisServer]]:
    """Give the nodes of a cluster, each with its part of the slots."""
    with ExitStack() as stack:
        nodes = []
        for _ in range(size):
            bus = ("--cluster-port", str(free_port()), "--cluster-node-timeout", "30000")
            nodes.append(stack.enter_context(running_redis("--cluster-enabled", "yes", *bus)))
        bounds = [16_384 * place // size for place in range(size + 1)]
        first = nodes[0].client()
        for place, node in enumerate(nodes):
            client = node.client()
            client.execute_command("CLUSTER ADDSLOTSRANGE", bounds[place], bounds[place + 1] - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", place + 1)
            if place:
                first.execute_command("CLUSTER MEET", "127.0.0.1", node.port, _bus_port(node))
        deadline = time.monotonic() + _START_SECONDS
        while not all(_is_complete(node, size) for node in nodes):
            if time.monotonic() > deadline:
                raise RuntimeError("the cluster did not come together")
            time.sleep(0.05)
        yield nodes


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bus_port(node: RedisServer) -> int:
    return int(node._options[node._options.index("--cluster-port") + 1])


def _is_complete(node: RedisServer, size: int) -> bool:
    info = node.client().execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == size
