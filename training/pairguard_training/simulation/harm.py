"""What happens when a simulated pair meets: harm, reports, reviews, and their delays.

Owns the rates of harm by class, of reporting and of false reports, with the exact probabilities
that follow from them. Most harm is never reported, least by children; some reports are false, and
some participants are targets of many false ones. All rates are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairguard_training.simulation.encounters import Encounters
from pairguard_training.simulation.oracle import CLASSES
from pairguard_training.simulation.population import Population
from pairguard_training.simulation.states import Array, Index, Mask

# P(harm done by the row to the column | they meet), in the order of ``CLASSES``: social minor and
# adult, rude minor and adult, predatory, posing. The predatory leave adults alone.
_HARM = np.array(
    [
        [0.0010, 0.0005, 0.0010, 0.0005, 0.0005, 0.0005],
        [0.0060, 0.0010, 0.0060, 0.0010, 0.0010, 0.0040],
        [0.0400, 0.0250, 0.0400, 0.0250, 0.0200, 0.0300],
        [0.0550, 0.0400, 0.0550, 0.0400, 0.0300, 0.0500],
        [0.4500, 0.0250, 0.4500, 0.0250, 0.0100, 0.2000],
        [0.5000, 0.0150, 0.5000, 0.0150, 0.0100, 0.1500],
    ]
)
_MODALITY = np.array([1.15, 0.8, 1.0])  # video, text, audio
_REPORTED = np.array([0.26, 0.40, 0.26, 0.30, 0.10, 0.05])  # by the class of who was harmed
_FALSE_REPORT = 0.0006
_TARGETS = 0.002  # share of participants whom false reports are organised against
_TARGETED = 0.15
_REVIEWED = 0.55
VERDICTS = ("UPHELD", "CLEARED", "INCONCLUSIVE")
_VERDICTS_TRUE = (0.82, 0.10, 0.08)
_VERDICTS_FALSE = (0.06, 0.78, 0.16)
CATEGORIES = ("CHILD_SEXUAL_EXPLOITATION", "SEXUAL_CONDUCT", "HARASSMENT", "SEXTORTION", "OTHER")
_CATEGORIES_MIXED = (0.45, 0.25, 0.1, 0.15, 0.05)
_CATEGORIES_OTHER = (0.0, 0.5, 0.35, 0.05, 0.1)
_REPORT_DELAY_DAYS = 1.2
_REVIEW_DELAY_DAYS = 2.5
_CHAT_SECONDS, _SKIP_SECONDS = 90.0, 8.0


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What happened in each proposed pair (p,); index 0: second harms first, 1: the reverse.

    Attributes:
        harmed: (p, 2) whether that side does harm if they meet.
        reported: (p, 2) whether that side is reported if they meet.
        targeted: (n,) participants against whom false reports are organised.
        reviewed: (p, 2) whether the report is reviewed.
        verdict: (p, 2) index into ``VERDICTS``.
        category: (p, 2) index into ``CATEGORIES``.
        report_delay_days: (p, 2) from the end of the chat to the receipt of the report.
        review_delay_days: (p, 2) from the report to the verdict.
        duration_seconds: (p,) length of the chat.
    """

    harmed: Mask
    reported: Mask
    targeted: Mask
    reviewed: Mask
    verdict: Index
    category: Index
    report_delay_days: Array
    review_delay_days: Array
    duration_seconds: Array


@dataclass(frozen=True, slots=True)
class Rates:
    """Exact probabilities of a pair's classes and modality, by (modality, class, class).

    Attributes:
        harm: That either does harm to the other.
        label: That harm is reported, by either, and upheld where it was reviewed; true or false,
            and however late. This is what ``harm_probability`` estimates.
    """

    harm: Array
    label: Array


def rates() -> Rates:
    """Return the probabilities that follow from the rates above."""
    harm = np.clip(_HARM[None] * _MODALITY[:, None, None], 0.0, 0.95)
    false = (1 - _TARGETS) * _FALSE_REPORT + _TARGETS * _TARGETED
    upheld_true = 1 - _REVIEWED * (1 - _VERDICTS_TRUE[0])
    upheld_false = 1 - _REVIEWED * (1 - _VERDICTS_FALSE[0])
    label = harm * _REPORTED[None, None, :] * upheld_true + (1 - harm) * false * upheld_false
    return Rates(
        1 - (1 - harm) * (1 - harm.swapaxes(1, 2)), 1 - (1 - label) * (1 - label.swapaxes(1, 2))
    )


def draw_outcomes(
    population: Population,
    encounters: Encounters,
    true_class: Index,
    rng: np.random.Generator,
) -> Outcomes:
    """Draw what would happen in every proposed pair, also in those that never meet.

    Args:
        population: The participants.
        encounters: The proposed pairs.
        true_class: (m,) class of each session.
        rng: Source of randomness.
    """
    count = len(encounters.first)
    classes = np.stack([true_class[encounters.first], true_class[encounters.second]], axis=1)
    sides = np.stack(
        [population.owner[encounters.first], population.owner[encounters.second]], axis=1
    )
    doer, other = classes[:, ::-1], classes
    modality = encounters.modality[:, None]
    harm = np.clip(_HARM[doer, other] * _MODALITY[modality], 0.0, 0.95)
    harmed = rng.random((count, 2)) < harm
    targeted = rng.random(len(population.state)) < _TARGETS
    false = np.where(targeted[sides[:, ::-1]], _TARGETED, _FALSE_REPORT)
    reported = rng.random((count, 2)) < np.where(harmed, _REPORTED[other], false)
    verdicts = np.where(harmed[..., None], np.cumsum(_VERDICTS_TRUE), np.cumsum(_VERDICTS_FALSE))
    verdict = (verdicts < rng.random((count, 2, 1))).sum(axis=2)
    minor = (other == 0) | (other == 2)
    of_child = minor & ~((doer == 0) | (doer == 2))
    categories = np.where(
        of_child[..., None], np.cumsum(_CATEGORIES_MIXED), np.cumsum(_CATEGORIES_OTHER)
    )
    category = (categories < rng.random((count, 2, 1))).sum(axis=2)
    leaves = ((doer >= CLASSES.index("predatory")) & ~minor).any(axis=1)
    median = np.where(leaves, _SKIP_SECONDS, _CHAT_SECONDS)
    return Outcomes(
        harmed=harmed,
        reported=reported,
        targeted=targeted,
        reviewed=rng.random((count, 2)) < _REVIEWED,
        verdict=np.minimum(verdict, len(VERDICTS) - 1),
        category=np.minimum(category, len(CATEGORIES) - 1),
        report_delay_days=rng.exponential(_REPORT_DELAY_DAYS, (count, 2)),
        review_delay_days=rng.exponential(_REVIEW_DELAY_DAYS, (count, 2)),
        duration_seconds=median * np.exp(rng.standard_normal(count)),
    )
