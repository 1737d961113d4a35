"""The metrics document of ``pairguard-train evaluate``, as far as gates read it.

Owns reading it: what is not there, or is no figure, is unknown and never 0. It must not know what
is good enough.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pairguard.bundle.documents import read_json
from pairguard.errors import BundleRefused, ConfigurationRefused


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the figure as people read it."""
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True, slots=True)
class EvaluationDocument:
    """What an evaluation found; None: it could not be told.

    Attributes:
        content_hash: sha256 of the document.
        bundle_version: Which bundle was judged.
        model_hash: ``Manifest.model_hash`` of it: what makes its scores.
        champion_version: Beside which one.
        simulated: Whether on simulated data.
        data_until: When the latest session or proposed pair was.
        differences: Candidate minus champion of the share of mixed pairs allowed, by the percentage
            of good pairs that is stopped.
        calibration_slope: Of P(under 18 | 15 to 20) at these ages.
        worst_ratio: Worst group to best.
        chance_ratio: What chance alone explains.
    """

    content_hash: str
    bundle_version: str | None
    model_hash: str | None
    champion_version: str | None
    simulated: bool | None
    data_until: datetime | None
    differences: Mapping[int, Interval | None]
    calibration_slope: Interval | None
    worst_ratio: float | None
    chance_ratio: float | None


def read_evaluation(path: Path) -> EvaluationDocument:
    """Read a metrics document.

    Raises:
        ConfigurationRefused: It cannot be read or is no JSON object.
    """
    try:
        content = path.read_bytes()
        document = read_json(content, str(path))
    except OSError as error:
        raise ConfigurationRefused([f"{path} cannot be read: {error.strerror}"]) from error
    except BundleRefused as error:
        raise ConfigurationRefused([str(error)]) from error
    gates = _table(document, "gates")
    mixed, slices = _table(gates, "mixed_pairs"), _table(gates, "slices")
    simulated = document.get("simulated")
    return EvaluationDocument(
        content_hash=hashlib.sha256(content).hexdigest(),
        bundle_version=_text(document, "bundle_version"),
        model_hash=_text(document, "model_hash"),
        champion_version=_text(document, "champion_version"),
        simulated=simulated if isinstance(simulated, bool) else None,
        data_until=zoned_time(document.get("data_until")),
        differences={percent: _interval(mixed, f"difference_at_{percent}") for percent in (1, 5)},
        calibration_slope=_interval(gates, "calibration_slope"),
        worst_ratio=_number(slices, "worst_ratio"),
        chance_ratio=_number(slices, "chance_ratio"),
    )


def zoned_time(value: object) -> datetime | None:
    """Return a time that a document writes down with its zone; None: it is none."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if time is None or time.tzinfo is None else time


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and value else None


def _number(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)


def _interval(document: Mapping[str, Any], name: str) -> Interval | None:
    table = _table(document, name)
    value, low, high = (_number(table, part) for part in ("value", "low", "high"))
    if value is None or low is None or high is None or not low <= high:
        return None
    return Interval(value, low, high)
