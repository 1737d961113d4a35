"""Reading of what a vendor sent: what is there, of which kind, and where it is not.

Owns the refusals: each names the path of the field, and none repeats what a field held unless it
looks like a word of a vendor's, so that no birth date ends in a log. It must not know any vendor.

A field that is absent and one that is null are the same: not told. Nothing is converted: text that
spells a number or a boolean is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, TypedDict, TypeVar

_T = TypeVar("_T")

MOST_YEARS = 120
# A name such as TIER_E or org.iso.18013.5.1, and nothing with a year or a long number in it.
_WORD = re.compile(r"(?!.*(?:19|20)[0-9]{2})(?!.*[0-9]{6})[A-Za-z][A-Za-z0-9_./:-]{0,39}")


class PayloadDetails(TypedDict, total=False):
    """What a caller adds to any payload; see ``AgeEvidence``.

    Attributes:
        evidence_id: The caller's opaque id of the payload. Where one payload makes several items,
            the later ones get ``/2``, ``/3`` behind it.
        expire_time: When the result loses its force.
    """

    evidence_id: str
    expire_time: datetime | None


def refuse(path: str, why: str) -> NoReturn:
    """Raise ``ValueError`` for the field at ``path``."""
    raise ValueError(f"{path}: {why}")


def shown(text: str) -> str:
    """Return text as an error may repeat it: a question mark for what could be personal."""
    return text if _WORD.fullmatch(text) else "?"


@dataclass(frozen=True, slots=True)
class Payload:
    """An object in what a vendor sent.

    Attributes:
        fields: Its fields.
        path: Where it is; empty: it is the whole.
    """

    fields: Mapping[str, object]
    path: str = ""

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Return whether a field is told."""
        return self.fields.get(name) is not None

    def require(self, name: str) -> object:
        """Return a field of any kind; refuses its absence."""
        value = self.fields.get(name)
        if value is None:
            refuse(self.at(name), "is missing")
        return value

    def require_one_of(self, *names: str) -> None:
        """Refuse an object that has fields, but none of these, told or null: it is another's."""
        if self.fields and not any(name in self.fields for name in names):
            refuse(self.path or names[0], f"none of {', '.join(names)} is there")

    def object(self, name: str) -> Payload | None:
        """Return an object; None: not told."""
        value = self.fields.get(name)
        if value is None:
            return None
        return Payload(_mapping(self.at(name), value), self.at(name))

    def require_object(self, name: str) -> Payload:
        """Return an object; refuses its absence."""
        value = self.object(name)
        return refuse(self.at(name), "is missing") if value is None else value

    def objects(self, name: str) -> tuple[Payload, ...]:
        """Return a list of objects; empty: not told."""
        value = self.fields.get(name)
        if value is None:
            return ()
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            refuse(self.at(name), "must be a list")
        paths = (f"{self.at(name)}[{index}]" for index in range(len(value)))
        return tuple(
            Payload(_mapping(path, item), path) for path, item in zip(paths, value, strict=True)
        )

    def text(self, name: str) -> str | None:
        """Return text; None: not told."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            refuse(self.at(name), "must be text")
        return value

    def word(self, name: str, known: Mapping[str, _T]) -> _T | None:
        """Return what a word stands for; None: not told. A word that is not known is refused."""
        value = self.text(name)
        if value is None:
            return None
        if value not in known:
            refuse(self.at(name), f"the word {shown(value)} is not known")
        return known[value]

    def require_word(self, name: str, known: Mapping[str, _T]) -> _T:
        """Return what a word stands for; refuses its absence."""
        self.require(name)
        value = self.word(name, known)
        return refuse(self.at(name), "is missing") if value is None else value

    def flag(self, name: str) -> bool | None:
        """Return a boolean; None: not told."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, bool):
            refuse(self.at(name), "must be true or false")
        return value

    def number(self, name: str, *, least: float, most: float) -> float | None:
        """Return a finite number from ``least`` to ``most``; None: not told."""
        value = self.fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            refuse(self.at(name), "must be a number")
        if not least <= value <= most:  # false for NaN, too
            refuse(self.at(name), f"must be from {least:g} to {most:g}")
        return float(value)

    def years(self, name: str) -> int | None:
        """Return an age in whole years, 0-120; None: not told."""
        return self.whole(name, 0, MOST_YEARS)

    def whole(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number from ``least`` to ``most``; None: not told."""
        value = self.fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            refuse(self.at(name), "must be a whole number")
        if not least <= value <= most:
            refuse(self.at(name), f"must be from {least} to {most}")
        return value


def read_payload(payload: object) -> Payload:
    """Return a reader of a vendor's payload; raises ``TypeError`` for what is no dict."""
    if not isinstance(payload, Mapping):
        raise TypeError(f"a payload must be a dict, not {type(payload).__name__}")
    return Payload(_mapping("payload", payload))


def _mapping(path: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        refuse(path, "must be an object")
    if not all(isinstance(name, str) for name in value):
        refuse(path, "must have text as names")
    return value
