"""What the gates ask for, as a reviewed document says it.

Owns the document's lines and bounds. It must not know what is judged by them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pairguard.errors import ConfigurationRefused

_FLAG: Final = None

_LINES: Final[Mapping[str, tuple[float, float] | None]] = {
    "real_data.required": _FLAG,
    "certificate.required": _FLAG,
    "certificate.min_days_left": (0.0, 3_660.0),
    "evaluation.max_data_age_days": (0.0, 3_660.0),
    "mixed_pairs.max_difference_at_1": (0.0, 0.5),
    "mixed_pairs.max_difference_at_5": (0.0, 0.5),
    "calibration.min_slope": (0.0, 1.0),
    "calibration.max_slope": (1.0, 100.0),
    "calibration.told_from": (0.0, 1.0),
    "calibration.told_to": (1.0, 100.0),
    "calibration.may_be_unmeasured": _FLAG,
    "slices.max_times_chance": (1.0, 100.0),
    "slices.told_up_to": (1.0, 100.0),
    "slices.may_be_unmeasured": _FLAG,
}
"""Bounds of each number; None: true or false."""


@dataclass(frozen=True, slots=True)
class GateLimits:
    """The lines of the document; ``default_gates.toml`` explains each.

    Attributes:
        lines: Value by ``gate.line``.
    """

    lines: Mapping[str, float | bool]

    def number(self, line: str) -> float:
        """Return a number."""
        return float(self.lines[line])

    def flag(self, line: str) -> bool:
        """Return whether a line says true."""
        return bool(self.lines[line])


def read_limits(path: Path | None) -> GateLimits:
    """Read the document; None: the one of the package.

    Raises:
        ConfigurationRefused: With every problem found.
    """
    try:
        if path is None:
            text = files(__package__).joinpath("default_gates.toml").read_text(encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationRefused([f"{path} cannot be read: {error.strerror}"]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationRefused([f"{path} is not TOML: {error}"]) from error
    return limits_of(document)


def limits_of(document: Mapping[str, Any]) -> GateLimits:
    """Check a parsed document whole.

    Raises:
        ConfigurationRefused: With every problem found.
    """
    found: dict[str, Any] = {}
    for table, lines in document.items():
        if isinstance(lines, Mapping):
            found |= {f"{table}.{line}": value for line, value in lines.items()}
        else:
            found[table] = lines
    problems = [f"{line}: is missing" for line in _LINES if line not in found]
    for line, value in found.items():
        if line not in _LINES:
            problems.append(f"{line}: is no line of the gates")
            continue
        bounds = _LINES[line]
        if bounds is None:
            if not isinstance(value, bool):
                problems.append(f"{line}: must be true or false")
        elif not _is_number(value) or not bounds[0] <= value <= bounds[1]:
            problems.append(f"{line}: must be a number from {bounds[0]:g} to {bounds[1]:g}")
    if problems:
        raise ConfigurationRefused([f"gates: {problem}" for problem in problems])
    return GateLimits(found)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
