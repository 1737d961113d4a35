"""From two participants to one pair risk: the one way, for serving and for training.

Owns what is believed about a participant before any partner is looked at, and for how long that is
kept. It must not know thresholds (``pairguard.policy``) nor where the models come from
(``pairguard.bundle``).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from pairguard.age.batch import AgeCase, assess_ages
from pairguard.age.moment import unchanged_during
from pairguard.age.parameters import Array
from pairguard.age.posterior import AgeAssessment, assess_age
from pairguard.age.recent import Recent
from pairguard.age.tables import AgeTables
from pairguard.risk.behaviour import BehaviourAgeModel
from pairguard.risk.catalogue import CatalogueVector, SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard.risk.harm import HarmModel
from pairguard.risk.members import MemberVector, ReadyVector
from pairguard.risk.pair import PairRisk, minor_adult_probability, pair_risk
from pairguard.risk.participant import Participant

_KEPT_BYTES: Final = 12_000_000
"""What ``_size_bytes`` says of all that is kept; that is half as much again as it comes to."""
_KEPT_SECONDS: Final = 600.0
_FEWEST_TOGETHER: Final = 8
_MOST_KEPT_TOGETHER: Final = 200
"""About half of all that are kept."""


@dataclass(frozen=True, slots=True)
class ParticipantAssessment:
    """What is believed about one participant before any partner is looked at.

    Attributes:
        age: The age posterior.
        values: Catalogue vector; NaN: unknown.
        unknown_names: Signals, attributes and interests that were sent and not used, sorted.
        behaviour_known: Whether behaviour or interests said anything about the age.
        history_known: Whether the service's own counts of this participant could be read.
        ready: The same values as the harm model wants them; None: there is none.
    """

    age: AgeAssessment
    values: Array
    unknown_names: tuple[str, ...]
    behaviour_known: bool
    history_known: bool
    ready: ReadyVector | None = None


@dataclass(slots=True)
class _Kept:
    """An assessment without history, and what was found out about it since.

    Attributes:
        assessed: The assessment.
        made_time: When it was made.
        during: Between which times it is what a new one would be; None: nobody has asked yet.
        later: The last history that it was asked for with, and what came of that.
    """

    assessed: ParticipantAssessment
    made_time: float
    during: tuple[float, float] | None = None
    later: tuple[Mapping[str, float], ParticipantAssessment] | None = None

    def holds(self, participant: Participant, now: float) -> bool:
        """Return whether it is what a new assessment of the same content would be now."""
        if self.during is None:
            self.during = assessed_alike_during(participant, self.made_time)
        first, last = self.during
        return first <= now <= last


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
        self._recent: Recent[_Kept] = Recent(most_bytes=_KEPT_BYTES, unused_seconds=_KEPT_SECONDS)
        # What of history the age depends on: nothing, unless the model was trained on some of it.
        self._history_seen = () if behaviour is None else catalogue.history_among(behaviour.columns)

    @property
    def pair_features(self) -> PairFeatures:
        """What the harm model reads of a pair; where there is none, what the catalogue makes."""
        return PairFeatures(self.catalogue) if self.harm is None else self.harm.features

    def assess_participant(self, participant: Participant, now: float) -> ParticipantAssessment:
        """Assess one participant at a time in seconds since 1970.

        Whoever is proposed again says the same again: what was made of it is kept for some minutes
        by its content, and for as long as no item of evidence comes to another whole week. Nothing
        is kept that a new computation would not give, to the bit. Arrays of the result are shared.

        What is kept is what was sent of the age and the session, no id of a participant, at most
        12 MB in all, and some ten minutes after it was last asked for (``pairguard.age.recent``).
        """
        found = self._kept_assessment(participant, now)
        return self._assessed_anew(participant, now) if found is None else found

    def assess_participants(
        self, participants: Sequence[Participant], now: float | Sequence[float]
    ) -> list[ParticipantAssessment]:
        """Assess many participants, the same bits as one by one.

        Who is kept is taken from there. Of the others the posteriors are computed together; they
        are kept only where they are few, so that a large pool does not drive out everybody else.

        Args:
            participants: Whom.
            now: When, in seconds since 1970; or the time of each, as where records are judged.
        """
        times = [now] * len(participants) if isinstance(now, int | float) else now
        found = [
            self._kept_assessment(each, time)
            for each, time in zip(participants, times, strict=True)
        ]
        missing = [place for place, each in enumerate(found) if each is None]
        if len(missing) < _FEWEST_TOGETHER:
            return [
                self._assessed_anew(participant, time) if each is None else each
                for participant, time, each in zip(participants, times, found, strict=True)
            ]
        anew = self._assess_together(
            [participants[place] for place in missing], [times[place] for place in missing]
        )
        for place, assessed in zip(missing, anew, strict=True):
            participant = participants[place]
            if len(missing) <= _MOST_KEPT_TOGETHER:
                self._keep(participant, assessed, times[place])
            if participant.history:
                assessed = self._with_history(assessed, participant.history)  # noqa: PLW2901
            found[place] = assessed
        return [each for each in found if each is not None]

    def _kept_assessment(
        self, participant: Participant, now: float
    ) -> ParticipantAssessment | None:
        """Return what was made of the same content before, if it still holds."""
        history = participant.history
        if not self._says_something(participant):
            # Nothing was said, so the prior tells all, at any time. Priors are few, and live as
            # long as the tables.
            prior = id(self.tables.prior(participant.region, participant.entry_path))
            assessed = self._silent.get(prior)
            if assessed is None:
                assessed = self._silent[prior] = self._assess(participant, now)
            return self._with_history(assessed, history) if history else assessed
        kept = self._recent.get(self._content(participant), now=now)
        if kept is None or not kept.holds(participant, now):
            return None
        return self._later(kept, history)

    def _assessed_anew(self, participant: Participant, now: float) -> ParticipantAssessment:
        kept = self._keep(participant, self._assess(participant, now), now)
        return self._later(kept, participant.history)

    def _says_something(self, participant: Participant) -> bool:
        return bool(
            participant.age_evidence
            or participant.signals
            or participant.attributes
            or participant.interests
            or (participant.history and self._history_seen)
        )

    def _keep(self, participant: Participant, assessed: ParticipantAssessment, now: float) -> _Kept:
        kept = _Kept(assessed, now)
        size = _size_bytes(participant, assessed.age)
        self._recent.keep(self._content(participant), kept, size_bytes=size, now=now)
        return kept

    def _later(self, kept: _Kept, history: Mapping[str, float] | None) -> ParticipantAssessment:
        """Return a kept assessment with the service's own counts."""
        if not history:
            return kept.assessed
        later = kept.later  # read once: another thread may write it
        if later is None or later[0] != history:
            kept.later = later = dict(history), self._with_history(kept.assessed, history)
        return later[1]

    def _content(self, participant: Participant) -> Hashable:
        """Return all that the assessment depends on, but for the time and unseen history."""
        history = participant.history if self._history_seen else None
        return (
            participant.age_evidence,
            frozenset(participant.signals.items()),  # a message's maps have no order
            frozenset(participant.attributes.items()),
            participant.interests,
            participant.region,
            participant.entry_path,
            tuple([history.get(name) for name in self._history_seen]) if history else None,
        )

    def _assess(self, participant: Participant, now: float) -> ParticipantAssessment:
        """Return the assessment without the service's own counts among its values."""
        vector = self.catalogue.request_vector(participant)
        behaviour_log = None
        if self.behaviour is not None:
            values = vector.values
            if self._history_seen and participant.history:
                values = self.catalogue.with_history(values, participant.history)
            behaviour_log = self.behaviour.log_likelihood(values)
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
        return self._without_history(vector, age, behaviour_known=behaviour_log is not None)

    def _assess_together(
        self, participants: Sequence[Participant], times: Sequence[float]
    ) -> list[ParticipantAssessment]:
        """Return what ``_assess`` does of each at its time."""
        vectors = [self.catalogue.request_vector(each) for each in participants]
        behaviour_logs: list[Array | None] = [None] * len(vectors)
        if self.behaviour is not None:
            rows = [
                self.catalogue.with_history(vector.values, each.history)
                if self._history_seen and each.history
                else vector.values
                for vector, each in zip(vectors, participants, strict=True)
            ]
            logs, known = self.behaviour.known_log_likelihoods(np.array(rows))
            behaviour_logs = [
                log if is_known else None for log, is_known in zip(logs, known, strict=True)
            ]
        ages = assess_ages(
            self.tables,
            [
                AgeCase(
                    self.tables.prior(
                        each.region, each.entry_path, location_hidden=each.location_hidden
                    ),
                    each.age_evidence,
                    time,
                    behaviour_log=behaviour_log,
                    tampered_capture=each.tampered_capture,
                    device_since=each.device_since(time),
                )
                for each, time, behaviour_log in zip(
                    participants, times, behaviour_logs, strict=True
                )
            ],
        )
        return [
            self._without_history(vector, age, behaviour_known=behaviour_log is not None)
            for vector, age, behaviour_log in zip(vectors, ages, behaviour_logs, strict=True)
        ]

    def _without_history(
        self, vector: CatalogueVector, age: AgeAssessment, *, behaviour_known: bool
    ) -> ParticipantAssessment:
        vector.values.setflags(write=False)
        return ParticipantAssessment(
            age=age,
            values=vector.values,
            unknown_names=vector.unknown_names,
            behaviour_known=behaviour_known,
            history_known=False,
            ready=None if self.harm is None else self.harm.features.ready(vector.values),
        )

    def _with_history(
        self, assessed: ParticipantAssessment, history: Mapping[str, float]
    ) -> ParticipantAssessment:
        values = self.catalogue.with_history(assessed.values, history)
        values.setflags(write=False)
        return ParticipantAssessment(
            age=assessed.age,
            values=values,
            unknown_names=assessed.unknown_names,
            behaviour_known=assessed.behaviour_known,
            history_known=True,
            ready=None if self.harm is None else self.harm.features.ready(values),
        )

    def assess_pair(
        self, a: ParticipantAssessment, b: ParticipantAssessment, adult_ages: frozenset[int]
    ) -> PairRisk:
        """Assess a pair of assessed participants under every adult age that counts."""
        minor_adult = minor_adult_probability(a.age, b.age, adult_ages)
        if self.harm is None:
            return pair_risk(minor_adult, None)
        adult_age = max(adult_ages)
        raw_score, harm = self.harm.scored(
            MemberVector(a.age.probability_below(adult_age), a.values, a.ready),
            MemberVector(b.age.probability_below(adult_age), b.values, b.ready),
            minor_adult_probability=minor_adult,
        )
        return pair_risk(minor_adult, harm, raw_score)


def assessed_alike_during(participant: Participant, made_time: float) -> tuple[float, float]:
    """Return a first and a last time between which an assessment is the same, to the bit.

    No moment of the participant's evidence changes between them.

    Args:
        participant: Who was assessed.
        made_time: When, seconds since 1970, which lies between the two; where that is too near to a
            change to tell, no time does.
    """
    device_since = participant.device_since(made_time)
    times = [
        unchanged_during(item, made_time, device_since=device_since)
        for item in participant.age_evidence
    ]
    first = max([first for first, _ in times], default=-inf)
    last = min([last for _, last in times], default=inf)
    return (first, last) if first <= made_time <= last else (inf, -inf)


def _size_bytes(participant: Participant, age: AgeAssessment) -> int:
    """Return what a kept assessment and its key take, on a 64-bit machine and rather too high.

    Five arrays of 101 numbers and four of the catalogue's, conclusions under a few lines; an item's
    own arrays, which are mostly shared with others; names and values of up to 128 bytes.
    """
    items = len(participant.age_evidence) * (1 + len(age.readings))
    named = len(participant.signals) + len(participant.attributes) + len(participant.interests)
    return 12_000 + 4_000 * items + 220 * named
