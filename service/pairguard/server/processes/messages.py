"""What a worker tells its supervisor, a line of JSON each, over a pipe.

Owns the lines. It must not know who writes or reads them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

BEAT: Final = b"\n"
"""An empty line: calls are being worked on."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A worker serves.

    Attributes:
        bundle_version: Of the bundle that it loaded.
        policy_version: Of its policy.
        has_harm_model: Whether the bundle has one.
        remarks: Lines to say of them: promises of the policy, a challenger.
        metrics_address: Where it serves its figures to the supervisor, on loopback; empty: nowhere.
    """

    bundle_version: str
    policy_version: str
    has_harm_model: bool
    metrics_address: str
    remarks: tuple[str, ...] = ()


def encode(message: Serving) -> bytes:
    """Return the line of a message."""
    return json.dumps(asdict(message)).encode("utf-8") + b"\n"


def decode(line: bytes) -> Serving | None:
    """Return what a line says; None: it is a beat, or nothing that is known here."""
    try:
        fields: Any = json.loads(line)
        return Serving(**fields | {"remarks": tuple(fields.get("remarks", ()))})
    except (ValueError, TypeError, AttributeError):
        return None
