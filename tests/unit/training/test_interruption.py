"""A fit that is stopped, by Ctrl-C or killed, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pairguard_training.__main__ import EXIT_INTERRUPTED


def started(world: Path, out: Path) -> subprocess.Popen[str]:
    """Start a fit and wait until it is in the midst of it."""
    command = [sys.executable, "-m", "pairguard_training", "fit", "--threads", "1"]
    process = subprocess.Popen(
        [*command, "--tables", str(world), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "prior over ages" in line:
            return process
    raise AssertionError(process.stderr.read() if process.stderr else "no word")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_fit_that_is_stopped_leaves_nothing_half_written(
    small_world: Path, tmp_path: Path, sent: signal.Signals
) -> None:
    out = tmp_path / "fitted"
    process = started(small_world, out)
    time.sleep(0.3)
    process.send_signal(sent)
    _, told = process.communicate(timeout=120)
    assert not out.exists()
    assert "Traceback" not in told
    if sent is signal.SIGINT:
        assert process.returncode == EXIT_INTERRUPTED
        assert "nothing was left half-written" in told
        assert list(tmp_path.iterdir()) == []
    else:
        # What could not be tidied stands beside the target under a name that nothing reads.
        assert process.returncode == -signal.SIGKILL
        assert all(left.name.startswith(".fitted.") for left in tmp_path.iterdir())
