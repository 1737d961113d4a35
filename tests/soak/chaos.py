"""What goes wrong during a soak: killed processes, a stopped store, a full disk.

Owns the server's life and its misfortunes, in a seeded order.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.process_facts import children_of

_START_SECONDS = 30.0


class Server:
    """The server's process, started again whenever it ends."""

    def __init__(self, directory: Path, environ: Mapping[str, str], address: str) -> None:
        self._directory = directory
        self._environ = dict(environ)
        self._log = (directory / "server.log").open("ab")
        self._address = address
        self.starts = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pairguard.server"],
            cwd=self._directory,
            env=self._environ,
            stdout=self._log,
            stderr=self._log,
        )
        self.starts += 1
        end = time.monotonic() + _START_SECONDS
        while subprocess.run(
            [sys.executable, "-m", "pairguard.server.probe", self._address],
            env=self._environ,
            capture_output=True,
            check=False,
        ).returncode:
            if self.process.poll() is not None:
                # The disk may still be full: it begins as soon as there is room.
                time.sleep(0.5)
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "pairguard.server"],
                    cwd=self._directory,
                    env=self._environ,
                    stdout=self._log,
                    stderr=self._log,
                )
            if time.monotonic() > end:
                raise TimeoutError("the server did not begin to serve")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def restart(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self.start()

    def kill_importer(self) -> None:
        self._signal_importer(signal.SIGKILL)

    def pause_importer(self, seconds: float) -> None:
        """Stop it, perhaps in the middle of an import, and let it go on after a while."""
        self._signal_importer(signal.SIGSTOP)
        time.sleep(seconds)
        self._signal_importer(signal.SIGCONT)

    def _signal_importer(self, number: signal.Signals) -> None:
        for child in children_of(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, number)

    def end(self) -> int:
        self.process.terminate()
        code = self.process.wait(60)
        self._log.close()
        return code


def fill_disk(directory: Path, seconds: float) -> None:
    """Take all room of a small file system for a while."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 65_536):
            pass
    time.sleep(seconds)
    filler.unlink()


class Misfortunes:
    """Misfortunes in a seeded order, all of them before any comes again."""

    def __init__(self, kinds: Mapping[str, Callable[[], None]], *, seed: int) -> None:
        self._kinds = dict(kinds)
        self._draw = random.Random(seed)
        self._bag: list[str] = []
        self.happened: Counter[str] = Counter()

    def strike(self) -> str:
        if not self._bag:
            self._bag = list(self._kinds)
            self._draw.shuffle(self._bag)
        name = self._bag.pop()
        self._kinds[name]()
        self.happened[name] += 1
        return name
