"""What is wrong with a request, all of it at once.

Owns the collection of violations and the words of the common ones. It must not know any message.
"""

from __future__ import annotations

from pairguard.errors import FieldViolation, InvalidInput

REQUIRED = "is required"
NOT_FINITE = "must be a finite number"
UNKNOWN_ENUM_NUMBER = "must be a number of the enum that this service knows"

_NAME_CHARACTERS = 64


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


def entry(field: str, name: str) -> str:
    """Return the path of one entry of a map; a long name is cut, and nothing in it can mislead."""
    return f'{field}["{ascii(name[:_NAME_CHARACTERS])[1:-1]}"]'
