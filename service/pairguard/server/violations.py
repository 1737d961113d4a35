"""What is wrong with a request, all of it at once.

Owns the collection of violations and the words of the common ones. It must not know any message.

A request that is wrong as a whole raises. Where each item of a request is answered for itself, the
wrong ones are refused as values.
"""

from __future__ import annotations

from dataclasses import dataclass

from pairguard.errors import FieldViolation, InvalidInput

REQUIRED = "is required"
NOT_FINITE = "must be a finite number"
UNKNOWN_ENUM_NUMBER = "must be a number of the enum that this service knows"

FIELD_INVALID = "FIELD_INVALID"

_NAME_CHARACTERS = 64
# A thousand items that are wrong in every field must still fit into an answer.
_MAX_ITEM_VIOLATIONS = 10


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """An item of a request that is refused on its own.

    Attributes:
        reason: UPPER_SNAKE_CASE constant, such as ``FIELD_INVALID``.
        violations: What is wrong, by paths from the item on; the first ones, at least one.
    """

    reason: str
    violations: tuple[FieldViolation, ...]


class Violations:
    """The violations found in one request so far.

    Descriptions are constants: a value of the caller's is never part of one.
    """

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: list[FieldViolation] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._found)

    def add(self, field: str, description: str) -> None:
        """Remember one."""
        self._found.append(FieldViolation(field, description))

    def refuse_if_any(self) -> None:
        """Return if the request is right.

        Raises:
            InvalidInput: With every violation, in the order of the request.
        """
        if self._found:
            raise InvalidInput(self._found)

    def refused_item(self, reason: str = FIELD_INVALID) -> RefusedItem:
        """Return the refusal of the item that the violations are of; there must be some."""
        return RefusedItem(reason, tuple(self._found[:_MAX_ITEM_VIOLATIONS]))


def entry(field: str, name: str) -> str:
    """Return the path of one entry of a map; a long name is cut, and nothing in it can mislead."""
    return f'{field}["{ascii(name[:_NAME_CHARACTERS])[1:-1]}"]'
