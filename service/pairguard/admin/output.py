"""What a command says: lines for people, or one JSON document a line for programs.

Owns the form. It must not know what is said. Complaints go to standard error, in words.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

EXIT_OK: Final = 0
"""Done, and nothing is wrong."""
EXIT_FOUND: Final = 1
"""Done, and something is wrong or missing; it was said."""
EXIT_REFUSED: Final = 2
"""Not done; standard error says why."""


class Output:
    """Where a command says what it found.

    Args:
        stream: Where lines go.
        as_json: For programs: documents and no lines for people.
    """

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._stream = stream
        self.as_json = as_json

    def say(self, text: str) -> None:
        """Write a line for people; nothing where programs read."""
        if not self.as_json:
            self._write(text)

    def tell(self, document: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Write a document where programs read, and otherwise what it says in lines."""
        if self.as_json:
            self._write(json.dumps(document, sort_keys=True))
            return
        for line in lines:
            self._write(line)

    def flush(self) -> None:
        """Hand over what was written."""
        self._stream.flush()

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")


def complain(text: str) -> None:
    """Say to people what is wrong or what to beware of."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def time_text(time: float | None) -> str:
    """Return a time, seconds since 1970, in UTC to the second; None: "-"."""
    if time is None:
        return "-"
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def size_text(number: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"


def span_text(seconds: float) -> str:
    """Return a length of time as people read it."""
    for unit, length in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
