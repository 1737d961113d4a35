"""The server as a process of its own, started and ended as operations do."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 30.0
END_SECONDS = 30.0


@dataclass
class ServerProcess:
    """A process and what it says."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    _new: queue.Queue[str] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        self._threads = [
            threading.Thread(target=self._follow, args=(self.process.stderr, self.said)),
            threading.Thread(target=self._follow, args=(self.process.stdout, self.logged)),
        ]
        for thread in self._threads:
            thread.start()

    def _follow(self, stream: Iterator[str], lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))
            self._new.put(line)

    def wait_for(self, text: str) -> str:
        """Return the first line on standard error that holds a text."""
        end = time.monotonic() + START_SECONDS
        while True:
            for line in list(self.said):
                if text in line:
                    return line
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{text!r} was not said: {self.said}")
            try:
                self._new.get(timeout=0.1)
            except queue.Empty:
                continue

    @property
    def address(self) -> str:
        """Where it serves gRPC; waits until it does."""
        found = re.search(r"gRPC +(\S+)", self.wait_for("  gRPC "))
        assert found
        self.wait_for("pairguard.server.example")
        return found[1]

    @property
    def metrics_url(self) -> str:
        found = re.search(r"http://\S+", self.wait_for("  metrics "))
        assert found
        return found[0]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Return how it ended; it must have been told to."""
        code = self.process.wait(END_SECONDS)
        for thread in self._threads:
            thread.join(END_SECONDS)
        return code


def environment(directory: Path, bundle: Path, **settings: str) -> dict[str, str]:
    """Return an environment with settings, free ports and nothing of this process's own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PAIRGUARD_")}
    given = {
        "bundle_path": str(bundle),
        "store": f"sqlite:{directory / 'state' / 'pairguard.sqlite3'}",
        "journal_directory": str(directory / "state" / "journal"),
        "listen_address": "127.0.0.1:0",
        "metrics_address": "127.0.0.1:0",
        "drain_delay_seconds": "0.2",
    } | settings
    return kept | {f"PAIRGUARD_{name.upper()}": value for name, value in given.items()}


@contextmanager
def started(directory: Path, environ: Mapping[str, str]) -> Iterator[ServerProcess]:
    """Start the command; whatever is left of it is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "pairguard.server"],
        cwd=directory,
        env=dict(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = ServerProcess(process)
    try:
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        server.exit_code()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def run(*arguments: str, directory: Path, environ: Mapping[str, str]) -> tuple[int, str, str]:
    """Run a module of the server to its end; return exit code, output and errors."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", *arguments],
        cwd=directory,
        env=dict(environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr
