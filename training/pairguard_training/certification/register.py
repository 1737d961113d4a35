"""That people are used for one certificate, and what it costs to use them again.

Owns the register file and the correction of delta. It must not know how numbers are found.

A certificate tells something of the people it was measured on. Whoever fits, chooses or tries again
with that in mind has fitted to them, so the same people may certify one bundle with one set of
promises; saying that again says nothing new. For anything else delta shrinks, by the union bound:
earlier certificates could come out in at most 2^b ways (their numbers are rounded to a grid that
makes this small, ``bounds.MOST_THRESHOLDS``), so whatever somebody made of them is one of at most
2^b bundles, and delta / 2^b for each of these leaves delta for whichever it is. A further half for
each use keeps the chance that any certificate of these people is broken below 2 delta, so that
choosing among them later is covered too. This holds if nothing else of these people was looked at.

The register knows people by a keyed hash; the key stands in the file itself, which belongs beside
the tables and is as confidential as their ids.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pairguard.errors import ConfigurationRefused
from pairguard_training.certification.bounds import MOST_THRESHOLDS

REGISTER: Final = "certified-holdouts.json"
"""Name of the register in the folder that holds the folders of tables."""

_FORMAT = 1
_BITS_A_NUMBER = MOST_THRESHOLDS.bit_length() - 1
_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Use:
    """One certification.

    Attributes:
        model_hash: Which model.
        holdout_hash: On what is known of which people; seeds follow from it.
        asked: What was asked for, as text.
        numbers: How many numbers were found.
    """

    model_hash: str
    holdout_hash: str
    asked: str
    numbers: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be spent.

    Attributes:
        earlier: Other certifications of any of these people.
        delta_share: The part of delta that is left, in (0, 1].
    """

    earlier: int
    delta_share: float


class Register:
    """The uses of people so far, in a file; see ``opened``."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Register]:
        """Read the register, alone until it is left, and write what was added.

        Nothing is written where an error leaves it.

        Raises:
            ConfigurationRefused: There is a file and it is no register: what it knew is lost, and
                a new one would forget it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f".{path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            register = cls(_read(path))
            before = json.dumps(register._document)
            yield register
            text = json.dumps(register._document, indent=1, sort_keys=True)
            if json.dumps(register._document) != before or not path.exists():
                temporary = path.with_name(f".{path.name}.writing")
                temporary.write_text(text + "\n", encoding="utf-8")
                temporary.replace(path)

    def allowance(self, people: Sequence[str], use: Use) -> Allowance:
        """Return what is left for a use of people; the same use again has what it had."""
        known = set(self._hashed(people))
        bits = earlier = 0
        this = self._entry(people, use)
        for entry in self._document["uses"]:
            if entry == this:
                break  # what came later told nothing to this one
            if not known.isdisjoint(entry["people"]):
                earlier += 1
                bits += entry["numbers"] * _BITS_A_NUMBER
        return Allowance(earlier, 2.0 ** -(bits + earlier))

    def add(self, people: Sequence[str], use: Use) -> None:
        """Remember a use, once."""
        entry = self._entry(people, use)
        if entry not in self._document["uses"]:
            self._document["uses"].append(entry)

    def _entry(self, people: Sequence[str], use: Use) -> dict[str, Any]:
        return {
            "model_hash": use.model_hash,
            "holdout_hash": use.holdout_hash,
            "asked": use.asked,
            "numbers": use.numbers,
            "people": sorted(self._hashed(people)),
        }

    def _hashed(self, people: Sequence[str]) -> list[str]:
        key = bytes.fromhex(self._document["key"])
        return [
            hashlib.blake2b(
                person.encode("utf-8", "surrogatepass"), key=key, digest_size=_DIGEST_BYTES
            ).hexdigest()
            for person in people
        ]


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"format_version": _FORMAT, "key": secrets.token_hex(32), "uses": []}
    document: dict[str, Any] = {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        right = document["format_version"] == _FORMAT and all(
            isinstance(entry["people"], list)
            and isinstance(entry["numbers"], int)
            and {"model_hash", "holdout_hash", "asked"} <= entry.keys()
            for entry in document["uses"]
        )
        bytes.fromhex(document["key"])
    except (ValueError, KeyError, TypeError, AttributeError):
        right = False
    if not right:
        raise ConfigurationRefused(
            [f"{path} is no register of certified people; restore it, or name another --register"]
        )
    return document
