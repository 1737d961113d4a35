"""``make fuzz``: a million wrong inputs on our parsers, then many to a live server.

Bounded, stops by itself; exit code 1 where a parser raised what it may not, a call was answered
with a status that no input may have, or the server did not outlive it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pairguard.client import Client, ClientOptions, DecidedBy, ParticipantInput
from tests.e2e.server_process import environment, started
from tests.fuzz.live import call_wrongly, connect_wrongly
from tests.fuzz.parsers import run_parsers
from tests.fuzz.targets import targets
from tests.process_facts import resident_bytes
from tests.unit.bundle.example import example

_MIB = 1024 * 1024
_GROWTH_BYTES = 64 * _MIB


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="to our own parsers")
    parser.add_argument("--calls", type=int, default=100_000, help="to a live server")
    parser.add_argument("--connections", type=int, default=3_000, help="of no calls, to it")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(argv)
    problems = _parsers(given.inputs, given.seed)
    with tempfile.TemporaryDirectory() as directory:
        problems += _live(Path(directory), given.calls, given.connections, given.seed)
    for problem in problems:
        _say(f"WRONG: {problem}")
    _say("nothing was found" if not problems else f"{len(problems)} things were found")
    return 1 if problems else 0


def _parsers(inputs: int, seed: int) -> list[str]:
    start = time.monotonic()
    found = run_parsers(targets(), inputs, seed=seed)
    total = sum(each.accepted + each.refused + each.mistakes for each in found.values())
    _say(f"seed {seed}: {total:,} inputs to {len(found)} parsers, {time.monotonic() - start:.0f} s")
    for name, each in found.items():
        _say(f"  {name:26} {each.accepted:9,} read {each.refused:9,} refused {each.mistakes:5,}")
    return [
        f"{name}: {each.mistakes} inputs, such as {shown}"
        for name, each in found.items()
        for shown in each.shown
    ]


def _live(directory: Path, calls: int, connections: int, seed: int) -> list[str]:
    bundle = directory / "bundle"
    example().write(bundle)
    environ = environment(directory, bundle, log_one_ok_call_in="1000000")
    problems = []
    with started(directory, environ) as server:
        address = server.address
        # What is allocated once is there before it is measured.
        call_wrongly(address, calls // 4, seed=seed + 1_000)
        before = resident_bytes(server.process.pid)
        start = time.monotonic()
        answered = call_wrongly(address, calls - calls // 4, seed=seed)
        connect_wrongly(address, connections, seed=seed)
        after = resident_bytes(server.process.pid)
        _say(
            f"{calls:,} wrong calls and {connections:,} wrong connections, "
            f"{time.monotonic() - start:.0f} s; the server had {before / _MIB:.0f} MiB after a "
            f"quarter of them and {after / _MIB:.0f} MiB at the end"
        )
        for (method, code), count in sorted(answered.codes.items(), key=str):
            _say(f"  {method:18} {code.name:20} {count:9,}")
        problems += [f"{count} calls of {what}" for what, count in answered.wrong.items()]
        if after - before > _GROWTH_BYTES:
            problems.append(f"the server grew by {(after - before) / _MIB:.0f} MiB")
        with Client(ClientOptions(address, timeout_seconds=5.0)) as client:
            answer = client.score_pair(ParticipantInput("a"), ParticipantInput("b"))
        if answer.decided_by is not DecidedBy.SERVICE:
            problems.append(f"the server answers no more: {answer.error}")
        problems += [f"standard error: {line}" for line in server.said if "Traceback" in line]
    return problems


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
