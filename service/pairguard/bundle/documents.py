"""Bytes and the documents in them: strict reading, canonical writing.

Owns the two text formats of a bundle. It must not know what any document means.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from pairguard.errors import BundleRefused


def canonical_json(value: object) -> bytes:
    """Write a value as JSON, the same bytes for equal values on any machine.

    Keys are sorted, separators and indentation fixed, everything outside ASCII escaped, one
    newline at the end.

    Raises:
        ValueError: A number is not finite; write null for what is not known.
        TypeError: Something is no JSON value.
    """
    text = json.dumps(
        value, sort_keys=True, indent=1, separators=(",", ": "), ensure_ascii=True, allow_nan=False
    )
    return text.encode("ascii") + b"\n"


def read_json(content: bytes, name: str, *, reason: str = "BUNDLE_INVALID") -> dict[str, Any]:
    """Read a JSON object, refusing what two readers could take differently.

    Raises:
        BundleRefused: With ``reason`` where it is not UTF-8, not JSON, not an object, nested too
            deeply, or holds a key twice or a number that is not finite.
    """
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant
        )
    except (ValueError, RecursionError) as error:
        raise BundleRefused(f"{name} is not readable JSON: {error}", reason=reason) from error
    if not isinstance(value, dict):
        raise BundleRefused(f"{name} must hold one JSON object", reason=reason)
    return value


def read_toml(content: bytes, name: str) -> Mapping[str, Any]:
    """Read a TOML document.

    Raises:
        BundleRefused: With reason ``BUNDLE_INVALID`` where it is not UTF-8 or not TOML.
    """
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BundleRefused(
            f"{name} is not readable TOML: {error}", reason="BUNDLE_INVALID"
        ) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
