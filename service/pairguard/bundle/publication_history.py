"""What was made current in a root, when, and on what grounds: one line of JSON each.

Owns the file ``publications.jsonl``. It must not know how a version is made current, nor what the
grounds mean. It says nothing of who did it: whoever may write to the root may also write here.

A line is on the disk before the link is turned, so that nothing serves without one. Where the
process died in between, the line names a version that never was current; the next line then has the
kind ``found`` and names what was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pairguard.bundle.writing import synchronise_directory

HISTORY: Final = "publications.jsonl"

PUBLISHED: Final = "published"
ROLLED_BACK: Final = "rolled_back"
FOUND: Final = "found"


@dataclass(frozen=True, slots=True)
class Publication:
    """One line.

    Attributes:
        time: When, ``2026-01-31T12:00:00Z``.
        kind: ``published``; ``rolled_back``; ``found``: current although no line says so.
        version: What is current from then on; None: nothing.
        before: What was current before; None: nothing.
        grounds: Whatever it rests on, JSON values: results of gates, overrides, a reason.
    """

    time: str
    kind: str
    version: str | None
    before: str | None
    grounds: Mapping[str, Any] = field(default_factory=dict)


def read_history(root: Path) -> list[Publication]:
    """Return the lines that can be read, oldest first; none where there is no file.

    A line that was cut off by a crash, or that somebody damaged, is left out.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        content = (root / HISTORY).read_bytes()
    except FileNotFoundError:
        return []
    read = (_read_line(line) for line in content.splitlines())
    return [each for each in read if each is not None]


def append_history(root: Path, publication: Publication) -> None:
    """Add a line, on the disk before this returns.

    Raises:
        OSError: It could not be written.
    """
    document = {name: getattr(publication, name) for name in Publication.__slots__}
    line = json.dumps(document, separators=(", ", ": "), allow_nan=False).encode() + b"\n"
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(root / HISTORY, flags, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # the line before was cut off
        if os.write(descriptor, line) != len(line):
            raise OSError(f"{root / HISTORY} could not be written whole")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    synchronise_directory(root)


def version_before(history: list[Publication], current: str) -> str | None:
    """Return what was current before this version was last published; None: nothing is known.

    Going back twice goes back two steps: what was left by going back is not returned to.
    """
    for publication in reversed(history):
        if publication.kind == PUBLISHED and publication.version == current:
            return publication.before
    return None


def _read_line(line: bytes) -> Publication | None:
    try:
        document = json.loads(line)
        read = Publication(**document)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (read.time, read.kind)
    names = (read.version, read.before)
    right = (
        all(isinstance(text, str) for text in texts)
        and all(name is None or isinstance(name, str) for name in names)
        and isinstance(read.grounds, dict)
    )
    return read if right else None
