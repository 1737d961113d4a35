"""How large the simulated platforms are on which quality is measured.

Owns the sizes and the bounds that are to be kept. It must not know how anything is measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform to simulate.

    Attributes:
        participants: Participant ids.
        pairs: Proposed pairs.
        verified: Expected number of people with an age label; None: about one in five.
    """

    participants: int
    pairs: int
    verified: int | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is simulated.

    Attributes:
        mixed: To learn ages from; by the bound on mixed pairs allowed, as a multiple of the
            oracle's.
        mixed_judged: To judge ages on.
        harm: To learn harm from.
        harm_judged: To judge harm on.
        negatives: Share of the pairs without harm that are judged, each for 1 / share.
        resamples: Draws of the bootstrap.
    """

    mixed: tuple[tuple[float, Platform], ...]
    mixed_judged: Platform
    harm: Platform
    harm_judged: Platform
    negatives: float
    resamples: int


HARM_RECALL_BOUND = 0.55
"""Least recall at 1 % to be reached, as a share of the oracle's."""

SIZES = {
    "full": Sizes(
        mixed=((1.25, Platform(40_000, 48_000, 30_000)), (1.5, Platform(12_000, 16_000, 4_000))),
        mixed_judged=Platform(12_000, 20_000),
        harm=Platform(85_000, 335_000),
        harm_judged=Platform(45_000, 170_000),
        negatives=0.15,
        resamples=200,
    ),
    "small": Sizes(
        mixed=((1.25, Platform(1_500, 2_000, 1_200)),),
        mixed_judged=Platform(500, 800),
        harm=Platform(3_000, 24_000),
        harm_judged=Platform(1_000, 5_000),
        negatives=0.3,
        resamples=20,
    ),
}
"""By name; the small one shows that everything runs, and nothing else."""
