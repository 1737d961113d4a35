"""What a worker and its supervisor tell each other, a line of JSON each, over two pipes.

Owns the lines. It must not know who writes or reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

BEAT: Final = b"\n"
"""An empty line: calls are being worked on."""

MOVED: Final = "BUNDLE_MOVED"
"""Reason of a worker that finds another bundle in the directory than an earlier one did."""

_MOST_PROBLEMS: Final = 8
_MOST_CHARACTERS: Final = 160
"""Of what a worker tells of a refusal: a line that fits is written to a pipe whole or not at all,
however many threads write. The worker's own log has all of it."""


@dataclass(frozen=True, slots=True)
class Release:
    """A bundle and a policy as all workers are to load them.

    Attributes:
        number: Grows from release to release.
        bundle_path: The directory of the bundle; no link that could be turned meanwhile.
        bundle_mark: Differs whenever the bundle may be another.
        bundle_version: What the bundle must turn out to be; empty: nobody has loaded it yet.
        policy_text: The document; None: that of ``policy_file``.
        policy_file: Where it was read, or, without a text, is to be read; None: the package's own.
        policy_mark: Differs whenever the policy may be another.
        asked: Whether somebody asked for it, so that a challenger is loaded anew, too.
        stale: Whether what there is by now cannot be used, as others have found.
    """

    number: int
    bundle_path: str
    bundle_mark: str = ""
    bundle_version: str = ""
    policy_text: str | None = None
    policy_file: str | None = None
    policy_mark: str = ""
    asked: bool = False
    stale: bool = False


class OrderKind(StrEnum):
    """What a worker is to do."""

    PREPARE = "prepare"
    """Load a release: the first of a worker serves at once, later ones wait beside it."""
    SWITCH = "switch"
    """Let what was prepared serve."""
    DROP = "drop"
    """Forget what was prepared."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the supervisor tells a worker.

    Attributes:
        kind: What to do.
        number: Of the release that is meant.
        release: What to prepare.
        refused: Why a release is dropped that cannot be used; empty: it will be tried again.
    """

    kind: OrderKind
    number: int
    release: Release | None = None
    refused: str = ""


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


@dataclass(frozen=True, slots=True)
class Prepared:
    """A worker has tried a release.

    Attributes:
        number: Of the release.
        bundle_version: Of the bundle that it loaded; empty: it refuses.
        policy_version: Of its policy.
        reason: Why it refuses; empty: it does not.
        problems: The same for people.
    """

    number: int
    bundle_version: str = ""
    policy_version: str = ""
    reason: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Switched:
    """A release serves every call of a worker that begins from now on."""

    number: int


Message = Serving | Prepared | Switched
_KINDS: Final[Mapping[str, type[Message]]] = {
    each.__name__.lower(): each for each in (Serving, Prepared, Switched)
}
_TUPLES: Final = ("remarks", "problems")


def encode(message: Message) -> bytes:
    """Return the line of what a worker tells."""
    fields = asdict(message) | {"kind": type(message).__name__.lower()}
    if "problems" in fields:
        problems = fields["problems"][:_MOST_PROBLEMS]
        fields["problems"] = [each[:_MOST_CHARACTERS] for each in problems]
    return _line(fields)


def decode(line: bytes) -> Message | None:
    """Return what a worker's line says; None: it is a beat, or nothing that is known here."""
    try:
        fields: Any = json.loads(line)
        kind = _KINDS[fields.pop("kind")]
        given = {name: tuple(fields[name]) for name in _TUPLES if name in fields}
        return kind(**fields | given)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def encode_order(order: Order) -> bytes:
    """Return the line of what a supervisor tells."""
    return _line(asdict(order))


def decode_order(line: bytes) -> Order | None:
    """Return what a supervisor's line says; None: nothing that is known here."""
    try:
        fields: Any = json.loads(line)
        release = fields.pop("release", None)
        kind = OrderKind(fields.pop("kind"))
        return Order(kind, release=None if release is None else Release(**release), **fields)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode("utf-8") + b"\n"
