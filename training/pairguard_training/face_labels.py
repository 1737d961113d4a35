"""Facial estimates of people whose age is established, by provider.

Owns which estimates may teach an error model, with what weight, and whose face each may be instead.
It must not know what is learned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from pairguard.age.evidence import Binding, FacialAgeEstimate, Liveness
from pairguard.age.tables import AgeTables
from pairguard_training.verified_evidence import (
    VerifiedItem,
    others_statements,
    shared_weights,
)

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_Capture = tuple[Liveness, bool]


@dataclass(frozen=True, slots=True)
class FaceRows:
    """Estimates of one provider; a person's weigh together what the person stands for.

    Attributes:
        participants: (n,) whose they are.
        estimates: (n,) years, in tenths.
        ages: (n,) whole years of age at the estimate, 0-100.
        weights: (n,) how many participants the row stands for.
        captures: (n,) index into the two next: how the estimate was taken.
        own: (kinds, 101) probability by true age that the face is the person's own.
        others: (kinds, 101, 101) M, so that ``f @ M`` is the likelihood f with who else it may be.
        newest: Day of the newest estimate, ISO 8601; "": not told.
    """

    participants: NDArray[np.str_]
    estimates: Array
    ages: Index
    weights: Array
    captures: Index
    own: Array
    others: Array
    newest: str

    def where(self, mask: NDArray[np.bool_]) -> FaceRows:
        """Return the rows of a mask."""
        return replace(
            self,
            participants=self.participants[mask],
            estimates=self.estimates[mask],
            ages=self.ages[mask],
            weights=self.weights[mask],
            captures=self.captures[mask],
        )

    @property
    def people(self) -> int:
        """Number of people."""
        return int(np.unique(self.participants).size)


def face_rows(tables: AgeTables, items: Sequence[VerifiedItem]) -> Mapping[str, FaceRows]:
    """Return the estimates of labelled people by provider in lower case; "": it is not told.

    Estimates whose liveness test failed teach nothing: nobody's face may be the person's.

    Args:
        tables: Rates of attack.
        items: What people of known age had shown.
    """
    groups: dict[str, list[tuple[VerifiedItem, FacialAgeEstimate]]] = defaultdict(list)
    for item in items:
        observation = item.evidence.observation
        if isinstance(observation, FacialAgeEstimate) and observation.liveness != Liveness.FAILED:
            groups[item.evidence.provider.lower()].append((item, observation))
    return {
        # In an order of their content: sums of floats depend on theirs.
        provider: _rows(tables, sorted(groups[provider], key=_order))
        for provider in sorted(groups)
    }


def _order(entry: tuple[VerifiedItem, FacialAgeEstimate]) -> tuple[str, float, float, str]:
    item, estimate = entry
    evidence = item.evidence
    observed = -1.0 if evidence.observed_time is None else evidence.observed_time
    return item.participant, observed, estimate.mean_years, evidence.evidence_id


def _rows(
    tables: AgeTables, estimates: Sequence[tuple[VerifiedItem, FacialAgeEstimate]]
) -> FaceRows:
    captures = [_capture(item, estimate) for item, estimate in estimates]
    kinds = sorted(set(captures))
    people = [item.participant for item, _ in estimates]
    own, others = zip(*(_whose(tables, kind) for kind in kinds), strict=True)
    times = [
        item.evidence.observed_time
        for item, _ in estimates
        if item.evidence.observed_time is not None
    ]
    return FaceRows(
        participants=np.array(people, dtype=np.str_),
        estimates=np.array([round(estimate.mean_years, 1) for _, estimate in estimates]),
        ages=np.array([int(item.age_years) for item, _ in estimates], dtype=np.intp),
        weights=shared_weights(people, [item.weight for item, _ in estimates]),
        captures=np.array([kinds.index(capture) for capture in captures], dtype=np.intp),
        own=np.stack(own),
        others=np.stack(others),
        newest=datetime.fromtimestamp(max(times), UTC).date().isoformat() if times else "",
    )


def _capture(item: VerifiedItem, estimate: FacialAgeEstimate) -> _Capture:
    # Whom a liveness test did not find alive, nobody is bound to.
    live = item.evidence.binding is Binding.LIVE_PERSON
    return estimate.liveness, live and estimate.liveness is not Liveness.UNDETERMINED


def _whose(tables: AgeTables, capture: _Capture) -> tuple[Array, Array]:
    """Return (101,) how often the face is the person's own, and (101, 101) who else says what."""
    liveness, live = capture
    attack = tables.face_attack[liveness]
    own = 1.0 - attack - tables.posing["capture"]
    if not live:
        own = own * (1.0 - tables.borrowed_account)
    return own, others_statements(tables, attack=attack, attack_group="capture", live=live)
