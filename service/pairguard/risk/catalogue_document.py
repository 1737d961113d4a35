"""The signal catalogue as a document: reading with all problems at once, and writing.

Owns the keys and the checks of ``signals.toml`` (parsed elsewhere). It must not know where the
document is kept nor what the signals are used for.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from pairguard.errors import FieldViolation, InvalidInput
from pairguard.risk.signal import Direction, Signal, SignalKind, SignalSource

HISTORY_PREFIX = "history."
LONGEST_NAME = 128

_KEYS = frozenset(Signal.__slots__)
_Choice = TypeVar("_Choice", bound=StrEnum)


def read_catalogue(mapping: Mapping[str, Any]) -> tuple[tuple[Signal, ...], tuple[str, ...]]:
    """Read a parsed catalogue document.

    Args:
        mapping: ``signals`` (list of tables) and ``interests`` (list of tags), both optional.

    Returns:
        The signals and the interest tags, in the document's order.

    Raises:
        InvalidInput: With every problem found, each at its path in the document.
    """
    problems: list[FieldViolation] = []
    problems.extend(
        FieldViolation(str(key), "is not a key of the catalogue: signals and interests are")
        for key in mapping
        if key not in {"signals", "interests"}
    )
    entries = _list(mapping.get("signals", []), "signals", problems)
    signals = [_signal(entry, f"signals[{i}]", problems) for i, entry in enumerate(entries)]
    tags = _list(mapping.get("interests", []), "interests", problems)
    names = [(f"signals[{i}].name", signal.name) for i, signal in enumerate(signals)]
    _check_names([(f"interests[{i}]", tag) for i, tag in enumerate(tags)], problems)
    _check_names(names, problems)
    if problems:
        raise InvalidInput(problems, reason="CATALOGUE_INVALID")
    return tuple(signals), tuple(tags)


def write_mapping(signals: Sequence[Signal], interests: Sequence[str]) -> dict[str, Any]:
    """Return the document that ``read_catalogue`` reads; open bounds are left out."""
    return {"interests": list(interests), "signals": [_entry(signal) for signal in signals]}


def write_toml(signals: Sequence[Signal], interests: Sequence[str]) -> str:
    """Return the document as TOML text, in the given order."""
    lines = [f"interests = {_toml(list(interests))}"]
    for signal in signals:
        lines += ["", "[[signals]]"]
        lines += [f"{key} = {_toml(value)}" for key, value in _entry(signal).items()]
    return "\n".join(lines) + "\n"


def _entry(signal: Signal) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for key in Signal.__slots__:
        value = getattr(signal, key)
        if value is None or (key == "categories" and not value):
            continue
        entry[key] = list(value) if isinstance(value, tuple) else value
        if isinstance(value, StrEnum):
            entry[key] = value.value
    return entry


def _toml(value: Any) -> str:
    # JSON's strings, booleans, numbers and flat lists are TOML's too; control characters, where
    # the two differ, are refused when a catalogue is read.
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _list(value: Any, path: str, problems: list[FieldViolation]) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    problems.append(FieldViolation(path, "must be a list"))
    return []


def _signal(entry: Any, path: str, problems: list[FieldViolation]) -> Signal:
    def refuse(key: str, description: str) -> None:
        problems.append(FieldViolation(f"{path}.{key}", description))

    if not isinstance(entry, Mapping):
        problems.append(FieldViolation(path, "must be a table"))
        return Signal("", SignalKind.NUMBER)
    for key in entry:
        if key not in _KEYS:
            refuse(str(key), "is not a key of a signal")
    texts = {key: entry.get(key, "") for key in ("name", "unit", "window", "group")}
    for key, text in texts.items():
        if not isinstance(text, str):
            refuse(key, "must be text")
    kind = _choice(SignalKind, entry.get("kind"), f"{path}.kind", problems, SignalKind.NUMBER)
    direction = _choice(
        Direction, entry.get("direction", "none"), f"{path}.direction", problems, Direction.NONE
    )
    source = _choice(
        SignalSource,
        entry.get("source", "request"),
        f"{path}.source",
        problems,
        SignalSource.REQUEST,
    )
    flag = kind is SignalKind.FLAG
    signal = Signal(
        name=texts["name"],
        kind=kind,
        unit=texts["unit"],
        minimum=_bound(entry.get("minimum", 0.0 if flag else None), f"{path}.minimum", problems),
        maximum=_bound(entry.get("maximum", 1.0 if flag else None), f"{path}.maximum", problems),
        categories=tuple(_list(entry.get("categories", []), f"{path}.categories", problems)),
        direction=direction,
        source=source,
        window=texts["window"],
        age_input=entry.get("age_input", False) is True,
        group=texts["group"] or _default_group(kind, source),
    )
    if not isinstance(entry.get("age_input", False), bool):
        refuse("age_input", "must be true or false")
    _check_meaning(signal, path, problems)
    return signal


def _check_meaning(signal: Signal, path: str, problems: list[FieldViolation]) -> None:
    history = signal.source is SignalSource.HISTORY
    category = signal.kind is SignalKind.CATEGORY
    low, high = signal.minimum, signal.maximum
    crossed = low is not None and high is not None and low >= high
    named = str(signal.name).startswith(HISTORY_PREFIX)
    checks = [
        ("source", history != named, "history, and only history, is named history.*"),
        ("minimum", crossed, "must be below maximum"),
        ("kind", category and history, "history is counted: it has no categories"),
        ("categories", category == (not signal.categories), "belong to a category, and only there"),
        ("minimum", category and (low, high) != (None, None), "a category has no range"),
        (
            "direction",
            category and signal.direction is not Direction.NONE,
            "a category has no direction",
        ),
        (
            "age_input",
            history and signal.age_input and signal.direction is not Direction.NONE,
            "counts of reports and harm are no input of an age",
        ),
    ]
    problems.extend(FieldViolation(f"{path}.{key}", text) for key, wrong, text in checks if wrong)
    places = [(f"{path}.categories[{i}]", text) for i, text in enumerate(signal.categories)]
    _check_names(places, problems)


def _check_names(places: Sequence[tuple[str, Any]], problems: list[FieldViolation]) -> None:
    """Refuse names that are no text, empty, too long, unprintable or given twice."""
    seen: dict[str, str] = {}
    for path, name in places:
        if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
            problems.append(FieldViolation(path, f"must be 1 to {LONGEST_NAME} characters of text"))
        elif any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
            problems.append(FieldViolation(path, "holds a control character"))
        elif name in seen:
            problems.append(FieldViolation(path, f"repeats the name of {seen[name]}"))
        else:
            seen[name] = path


def _choice(
    choices: type[_Choice],
    value: Any,
    path: str,
    problems: list[FieldViolation],
    fallback: _Choice,
) -> _Choice:
    try:
        return choices(value.lower() if isinstance(value, str) else value)
    except ValueError:
        listed = ", ".join(choice.value for choice in choices)
        problems.append(FieldViolation(path, f"must be one of {listed}"))
        return fallback


def _bound(value: Any, path: str, problems: list[FieldViolation]) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        problems.append(FieldViolation(path, "must be a finite number"))
        return None
    return float(value)


def _default_group(kind: SignalKind, source: SignalSource) -> str:
    if source is SignalSource.HISTORY:
        return "history"
    return "attributes" if kind is SignalKind.CATEGORY else "signals"
