"""``make soak``, its part on connections: ten thousand that say nothing, and who still calls.

Bounded, stops by itself; exit code 1 where a call is not answered or the server does not give the
memory of the connections back.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from pairguard.client import Client, ClientOptions, DecidedBy, ParticipantInput
from tests.e2e.server_process import environment, started
from tests.process_facts import resident_bytes
from tests.unit.bundle.example import example

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_MIB = 1024 * 1024
_CALLS = 300


def main() -> int:
    """Run; return 0 where every call was answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.connections", description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bundle = Path(directory) / "bundle"
        example().write(bundle)
        environ = environment(
            Path(directory), bundle, connection_age_seconds="3600", log_one_ok_call_in="1000000"
        )
        with started(Path(directory), environ) as server:
            return _soak(server.address, server.process.pid, given.connections)


def _soak(address: str, process_id: int, count: int) -> int:
    host, _, port = address.rpartition(":")
    failed = _calls(address, "none")
    before = resident_bytes(process_id)
    with ExitStack() as stack:
        start = time.monotonic()
        for _ in range(count):
            each = stack.enter_context(socket.create_connection((host, int(port)), timeout=30.0))
            each.sendall(_PREFACE)
        _say(f"{count:,} idle connections in {time.monotonic() - start:.1f} s")
        failed += _calls(address, "all of them")
        during = resident_bytes(process_id)
    time.sleep(2.0)
    failed += _calls(address, "gone again")
    after = resident_bytes(process_id)
    _say(
        f"memory of the server: {before / _MIB:.0f} MiB before, {during / _MIB:.0f} MiB with them "
        f"({(during - before) / count / 1024:.1f} KiB each), {after / _MIB:.0f} MiB after"
    )
    _say(f"{failed} calls were not answered")
    return 1 if failed else 0


def _calls(address: str, when: str) -> int:
    failed, seconds = 0, []
    with Client(ClientOptions(address, timeout_seconds=5.0)) as client:
        for number in range(_CALLS):
            start = time.monotonic()
            answer = client.score_pair(ParticipantInput(f"a{number}"), ParticipantInput("b"))
            seconds.append(time.monotonic() - start)
            failed += answer.decided_by is not DecidedBy.SERVICE
    cuts = statistics.quantiles(seconds, n=100)
    _say(f"{when}: p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms of {_CALLS} calls")
    return failed


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
