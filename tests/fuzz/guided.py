"""``make fuzz-guided``: our parsers under atheris, which looks for inputs that reach new code.

Each parser in a process of its own for some seconds. A parser that raises what it may not ends its
process with the input that did it; exit code 1 then.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Run every parser, or those that are named; return 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("names", nargs="*", help="parsers; without any, all of them")
    parser.add_argument("--seconds", type=int, default=60, help="for each")
    parser.add_argument("--only", help="run this one in this process, as the others are run")
    given = parser.parse_args(argv)
    if given.only is not None:
        _run(given.only, given.seconds)
        return 0
    from tests.fuzz.targets import targets  # noqa: PLC0415 - not before atheris looks at imports

    failed = []
    for name in given.names or targets():
        command = [sys.executable, "-m", "tests.fuzz.guided", "--only", name]
        ended = subprocess.run(
            [*command, "--seconds", str(given.seconds)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line for line in ended.stderr.splitlines() if line.strip()]
        done = next((line for line in reversed(lines) if line.startswith("Done ")), "no end")
        _say(f"{name:26} {done if ended.returncode == 0 else 'FOUND'}")
        if ended.returncode != 0:
            failed.append(name)
            _say("\n".join(lines[-25:]))
    return 1 if failed else 0


def _run(name: str, seconds: int) -> None:
    import atheris  # noqa: PLC0415 - an extra of its own

    with atheris.instrument_imports(include=["pairguard"]):
        from tests.fuzz.targets import targets  # noqa: PLC0415

    target = targets()[name]

    def read(content: bytes) -> None:
        try:
            target.read(content)
        except target.refusals:
            return

    with tempfile.TemporaryDirectory() as corpus:
        for place, right in enumerate(target.right):
            (Path(corpus) / str(place)).write_bytes(right)
        arguments = [f"-max_total_time={seconds}", "-max_len=8192", "-rss_limit_mb=2048", corpus]
        atheris.Setup([sys.argv[0], *arguments], read)
        atheris.Fuzz()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
