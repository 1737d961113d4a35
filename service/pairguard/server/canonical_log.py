"""One line of JSON for a call, for a change of what judges, and for failures.

Owns what is written of a call: static messages and fields from closed sets. Ids, ages, texts of
the caller's and texts of exceptions are never written.
"""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import Any, TextIO

from pairguard.server.call_facts import CallFacts


class CanonicalLog:
    """Writes lines to a stream; a stream that fails loses lines and nothing else.

    Args:
        stream: Where to.
        one_ok_call_in: Of calls that end OK one in so many is written, the first included.
        on_lost_line: Called for a line that could not be written.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        one_ok_call_in: int,
        on_lost_line: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stream = stream
        self._one_in = one_ok_call_in
        self._on_lost_line = on_lost_line
        self._clock = clock
        self._ok_calls = count()
        self._lock = threading.Lock()

    def call(self, method: str, duration_seconds: float, facts: CallFacts) -> None:
        """Write the line of a call, unless it is one of the many that ended OK."""
        if facts.code == "OK" and next(self._ok_calls) % self._one_in:
            return
        self._write(
            "info",
            "call",
            method=method,
            code=facts.code,
            duration_seconds=round(duration_seconds, 6),
            caller=facts.caller.name,
            decision=facts.decision,
            leading_reason=facts.leading_reason,
            bundle_version=facts.bundle_version,
            policy_version=facts.policy_version,
            degradations=facts.degradations,
        )

    def reload(
        self,
        result: str,
        *,
        bundle_version: str,
        policy_version: str,
        duration_seconds: float,
        reason: str = "",
        problems: Sequence[str] = (),
    ) -> None:
        """Write what became of a changed bundle or policy, and what serves now.

        Problems name files, lines and settings of the operator's own; nothing of a caller's is in
        a bundle or a policy.
        """
        self._write(
            "error" if reason else "info",
            "reload",
            result=result,
            reason=reason,
            problems=tuple(problems),
            bundle_version=bundle_version,
            policy_version=policy_version,
            duration_seconds=round(duration_seconds, 6),
        )

    def promises_unkept(self, problem: str, count: int, **versions: str) -> None:
        """Write that promises of the policy are kept by no certificate."""
        message = "promises of the policy are not kept: its own numbers count"
        self._write("warning", message, problem=problem, promises=count, **versions)

    def failure(self, message: str, error: BaseException, *, method: str) -> None:
        """Write what kind of error came from where, without its text, which may hold anything."""
        self._write(
            "error",
            message,
            method=method,
            error=type(error).__name__,
            frames=_frames(error.__traceback__),
        )

    def _write(self, level: str, message: str, **fields: Any) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "level": level, "message": message}
        line |= {name: value for name, value in fields.items() if value not in ("", ())}
        text = json.dumps(line, separators=(",", ":")) + "\n"
        try:
            with self._lock:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError):
            self._on_lost_line()


def _frames(trace: TracebackType | None) -> list[str]:
    return [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(trace)]
