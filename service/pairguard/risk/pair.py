"""From two participants to one pair risk: the one way, for serving and for training.

Owns the composition of the parts. The parts of persons are composed, not learned from pairs:
``minor_adult_probability`` follows from the two posteriors alone. It must not know thresholds
(``pairguard.policy``) nor where the models come from (``pairguard.bundle``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from pairguard.age.belief import PROBABILITY_FLOOR
from pairguard.age.parameters import Array
from pairguard.age.posterior import AgeAssessment, assess_age
from pairguard.age.tables import AgeTables
from pairguard.risk.behaviour import BehaviourAgeModel
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import MemberVector
from pairguard.risk.harm import HarmModel
from pairguard.risk.participant import Participant


@dataclass(frozen=True, slots=True)
class ParticipantAssessment:
    """What is believed about one participant before any partner is looked at.

    Attributes:
        age: The age posterior.
        values: Catalogue vector; NaN: unknown.
        unknown_names: Signals, attributes and interests that were sent and not used, sorted.
        behaviour_known: Whether behaviour or interests said anything about the age.
        history_known: Whether the service's own counts of this participant could be read.
    """

    age: AgeAssessment
    values: Array
    unknown_names: tuple[str, ...]
    behaviour_known: bool
    history_known: bool


@dataclass(frozen=True, slots=True)
class PairRisk:
    """The risk of one proposed pair; swapping the two changes no bit.

    Attributes:
        minor_adult_probability: P(one is under and one at or over an adult age that counts).
        harm_probability: P(harm report within the window | the pair meets); None: no model.
        risk_score: 1 - (1 - minor_adult)(1 - harm), in [0, 1]; without harm its first part.
    """

    minor_adult_probability: float
    harm_probability: float | None
    risk_score: float

    def with_harm_floor(self, floor: float) -> PairRisk:
        """Return the same risk with a harm part of at least ``floor``."""
        if self.harm_probability is None or self.harm_probability >= floor:
            return self
        return pair_risk(self.minor_adult_probability, floor)


def pair_risk(minor_adult_probability: float, harm_probability: float | None) -> PairRisk:
    """Combine the two parts into one risk; what is no number counts as its worst."""
    if not isfinite(minor_adult_probability):
        minor_adult_probability = 1.0
    if harm_probability is not None and not isfinite(harm_probability):
        harm_probability = None
    if harm_probability is None:
        return PairRisk(minor_adult_probability, None, minor_adult_probability)
    score = 1.0 - (1.0 - minor_adult_probability) * (1.0 - harm_probability)
    # Rounding must not put the score below either part.
    score = max(score, minor_adult_probability, harm_probability)
    return PairRisk(minor_adult_probability, harm_probability, score)


def minor_adult_probability(a: AgeAssessment, b: AgeAssessment, adult_ages: Iterable[int]) -> float:
    """Return P(the pair is mixed under any of the adult ages), within [1e-9, 1 - 1e-9].

    The ages between two neighbouring adult ages form a cell; the pair is mixed if its two cells
    differ. With one adult age this is p_a (1 - p_b) + p_b (1 - p_a).
    """
    ages = sorted(adult_ages)
    if len(ages) == 1:
        p_a, p_b = a.probability_below(ages[0]), b.probability_below(ages[0])
        probability = p_a * (1.0 - p_b) + p_b * (1.0 - p_a)
    else:
        cells_a, cells_b = _cells(a, ages), _cells(b, ages)
        probability = 0.0
        for low in range(len(cells_a)):
            for high in range(low + 1, len(cells_a)):
                probability += cells_a[low] * cells_b[high] + cells_b[low] * cells_a[high]
    return min(max(probability, PROBABILITY_FLOOR), 1.0 - PROBABILITY_FLOOR)


def _cells(assessment: AgeAssessment, ages: list[int]) -> list[float]:
    edges = [0.0, *(assessment.probability_below(age) for age in ages), 1.0]
    return [max(high - low, 0.0) for low, high in pairwise(edges)]


class RiskModel:
    """Everything a bundle holds that turns participants into risks.

    Args:
        tables: Parameters of the age posterior.
        catalogue: The signals that are known.
        behaviour: The learned age row; None: the platform had no verified people to learn from.
        harm: The harm model; None: there were no outcomes to learn from.
    """

    def __init__(
        self,
        tables: AgeTables,
        catalogue: SignalCatalogue,
        behaviour: BehaviourAgeModel | None,
        harm: HarmModel | None,
    ) -> None:
        self.tables = tables
        self.catalogue = catalogue
        self.behaviour = behaviour
        self.harm = harm
        self._silent: dict[int, ParticipantAssessment] = {}

    def assess_participant(self, participant: Participant, now: float) -> ParticipantAssessment:
        """Assess one participant at a time in seconds since 1970."""
        if (
            participant.age_evidence
            or participant.signals
            or participant.attributes
            or participant.interests
            or participant.history
        ):
            return self._assess(participant, now)
        # Nothing was said, so the prior tells all, at any time. Priors are few, and live as long
        # as the tables.
        key = id(self.tables.prior(participant.region, participant.entry_path))
        assessed = self._silent.get(key)
        if assessed is None:
            assessed = self._assess(participant, now)
            assessed.values.setflags(write=False)
            self._silent[key] = assessed
        return assessed

    def _assess(self, participant: Participant, now: float) -> ParticipantAssessment:
        vector = self.catalogue.vector(participant)
        behaviour_log = (
            None if self.behaviour is None else self.behaviour.log_likelihood(vector.values)
        )
        age = assess_age(
            self.tables,
            prior=self.tables.prior(
                participant.region,
                participant.entry_path,
                location_hidden=participant.location_hidden,
            ),
            evidence=participant.age_evidence,
            behaviour_log=behaviour_log,
            now=now,
            tampered_capture=participant.tampered_capture,
            device_since=participant.device_since(now),
        )
        return ParticipantAssessment(
            age=age,
            values=vector.values,
            unknown_names=vector.unknown_names,
            behaviour_known=behaviour_log is not None,
            history_known=bool(participant.history),
        )

    def assess_pair(
        self, a: ParticipantAssessment, b: ParticipantAssessment, adult_ages: frozenset[int]
    ) -> PairRisk:
        """Assess a pair of assessed participants under every adult age that counts."""
        minor_adult = minor_adult_probability(a.age, b.age, adult_ages)
        if self.harm is None:
            return pair_risk(minor_adult, None)
        adult_age = max(adult_ages)
        harm = self.harm.probability(
            MemberVector(a.age.probability_below(adult_age), a.values),
            MemberVector(b.age.probability_below(adult_age), b.values),
            minor_adult_probability=minor_adult,
        )
        return pair_risk(minor_adult, harm)
