"""What a replay found, as JSON for programs; null for what cannot be told.

Owns the names in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from pairguard.bundle.documents import canonical_json
from pairguard_training.replaying.journal_source import ShadowCounts
from pairguard_training.replaying.result import Replay
from pairguard_training.replaying.result_text import POOL_IGNORED

_DIGITS: Final = 6
_BY_TWO: Final = ("transitions", "reasons")


def replay_json(
    found: Replay,
    *,
    about: Mapping[str, Any],
    left_out: Mapping[str, int],
    shadow: ShadowCounts,
) -> bytes:
    """Return the whole replay.

    Args:
        found: What was found.
        about: What was replayed: versions, where the decisions are from.
        left_out: Records that cannot be replayed, by why.
        shadow: What challengers would have decided.
    """
    document = _plain(asdict(found))
    for name in _BY_TWO:
        document[name] = [
            {"before": before, "after": after, "count": count}
            for (before, after), count in getattr(found, name).items()
        ]
    document["ignored"] = POOL_IGNORED
    document["left_out"] = dict(sorted(left_out.items()))
    document["shadow"] = [
        {
            "bundle_version": bundle,
            "policy_version": policy,
            "decision": answered,
            "challenger_decision": challenger,
            "count": count,
        }
        for (bundle, policy, answered, challenger), count in sorted(shadow.transitions.items())
    ]
    return canonical_json({**about, **document})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else " -> ".join(key): _plain(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
