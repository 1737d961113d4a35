"""Wrong inputs on our own parsers, in this process.

Owns the counting: what was read, what was refused, what was neither. It must not know what a parser
reads.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from tests.fuzz.messages import message_mutations
from tests.fuzz.mutation import alternately, mutations
from tests.fuzz.targets import Target

_MOST_SHOWN = 3


@dataclass
class Found:
    """What became of the inputs of one target.

    Attributes:
        accepted: Inputs that were read.
        refused: Inputs that were refused as they may be.
        mistakes: Inputs that raised something else, the first few with how.
    """

    accepted: int = 0
    refused: int = 0
    mistakes: int = 0
    shown: list[str] = field(default_factory=list)


def run_parsers(targets: Mapping[str, Target], inputs: int, *, seed: int) -> dict[str, Found]:
    """Give each parser its share of so many inputs; the same seed gives the same ones."""
    share = max(inputs // len(targets), 1)
    return {
        name: run_target(target, share, seed=seed + place)
        for place, (name, target) in enumerate(targets.items())
    }


def run_target(target: Target, inputs: int, *, seed: int) -> Found:
    """Give one parser its right inputs and so many wrong ones."""
    found = Found()
    for content in target.right:
        # A seed that is refused would have everything stop at the first check.
        target.read(content)
    wrong = mutations(target.right, seed=seed)
    if target.message is not None:
        wrong = alternately(wrong, message_mutations(target.message, seed=seed))
    for content in islice(wrong, inputs):
        try:
            target.read(content)
        except target.refusals:
            found.refused += 1
        except Exception:  # noqa: BLE001 - that is what is looked for
            found.mistakes += 1
            if len(found.shown) < _MOST_SHOWN:
                last = traceback.format_exc().strip().splitlines()[-3:]
                found.shown.append(f"{content[:200]!r}: {' | '.join(map(str.strip, last))}")
        else:
            found.accepted += 1
    return found
