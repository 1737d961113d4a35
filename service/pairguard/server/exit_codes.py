"""How the server's processes end.

Owns the exit codes.
"""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
"""A signal ended it."""
EXIT_KILLED: Final = 1
"""A signal ended it, and a worker that did not end by itself in time was killed."""
EXIT_REFUSED: Final = 2
"""It could not begin, and standard error says all that is wrong."""
