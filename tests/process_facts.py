"""What Linux tells of a process: memory, children, command.

Owns where that is read (proc(5)). It must not know whose process it is.
"""

from __future__ import annotations

from pathlib import Path


def resident_bytes(process_id: int) -> int:
    """Return how much memory a process uses.

    Raises:
        ProcessLookupError: There is no such process any more.
    """
    status = Path(f"/proc/{process_id}/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise ProcessLookupError(process_id)


def children_of(process_id: int) -> set[int]:
    """Return the process ids of the children of a process now."""
    found: set[int] = set()
    # A child belongs to the thread that began it.
    for children in Path(f"/proc/{process_id}/task").glob("*/children"):
        found.update(map(int, children.read_text(encoding="ascii").split()))
    return found


def command_of(process_id: int) -> str:
    """Return the command line of a process; empty: there is none any more."""
    try:
        return Path(f"/proc/{process_id}/cmdline").read_text(encoding="ascii")
    except OSError:
        return ""
