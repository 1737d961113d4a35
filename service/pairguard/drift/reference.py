"""What a bundle says the people looked like that it was trained on.

Owns the document under ``drift`` in ``reference.json`` and how much it is worth. It must not know
how it was sampled (``pairguard_training.drift``) nor what is compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pairguard.drift.groups import Unit
from pairguard.drift.variables import Variable

SECTION: Final = "drift"
FORMAT: Final = 1
"""Version of the section; a reader takes no other."""


@dataclass(frozen=True, slots=True)
class PerUnit:
    """One number for participants and one for pairs."""

    participants: float
    pairs: float

    def of(self, unit: Unit) -> float:
        """Return the number of one unit."""
        return self.participants if unit is Unit.PARTICIPANT else self.pairs


@dataclass(frozen=True, slots=True)
class DriftReference:
    """The counts that live traffic is compared with.

    Attributes:
        variables: What is counted.
        participants: Values of participants, each once a day.
        pairs: Values of pairs, no two of a day with a participant in common.
        effective: How many independent ones they are worth at the least.
        policy_version: The policy that judged the pairs.
    """

    variables: tuple[Variable, ...]
    participants: int
    pairs: int
    effective: PerUnit
    policy_version: str

    @property
    def worth(self) -> PerUnit:
        """What share of the values is independent at the least, up to 1."""
        return PerUnit(
            min(self.effective.participants / max(self.participants, 1), 1.0),
            min(self.effective.pairs / max(self.pairs, 1), 1.0),
        )

    def to_mapping(self) -> dict[str, Any]:
        """Return the section that ``from_document`` reads."""
        return {
            "format": FORMAT,
            "participants": self.participants,
            "pairs": self.pairs,
            "effective_participants": self.effective.participants,
            "effective_pairs": self.effective.pairs,
            "policy_version": self.policy_version,
            "variables": [variable.to_mapping() for variable in self.variables],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DriftReference | None:
        """Read ``reference.json``; None: it has no such section, as those of older bundles.

        Raises:
            ValueError: The section cannot be used; the message says why.
        """
        section = document.get(SECTION)
        if section is None:
            return None
        try:
            if section["format"] != FORMAT:
                raise ValueError(f"format {section['format']!r} is not {FORMAT}")  # noqa: TRY301
            variables = tuple([Variable.from_mapping(each) for each in section["variables"]])
            if len({(each.group, each.name) for each in variables}) != len(variables):
                raise ValueError("a variable stands there twice")  # noqa: TRY301
            return cls(
                variables=variables,
                participants=int(section["participants"]),
                pairs=int(section["pairs"]),
                effective=PerUnit(
                    float(section["effective_participants"]), float(section["effective_pairs"])
                ),
                policy_version=str(section["policy_version"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ValueError(f"{SECTION}: {type(error).__name__}: {error}") from error
