"""The drift reference of a fit.

Owns which people it is taken from: a sample of the training part. It must not know who will be
compared with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pairguard.drift.reference import DriftReference
from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard_training.drift.cells import variables_of
from pairguard_training.drift.looking import look, look_at_vendors
from pairguard_training.drift.sampling import Sampler
from pairguard_training.splitting import Part, Split
from pairguard_training.tables.reading import Tables

MOST_PARTICIPANTS: Final = 3_000
MOST_PAIRS: Final = 2_000
"""That a reference is taken from; more would make a fit longer and the noise little smaller."""

MOST_OF_VENDORS: Final = 30_000
"""People whose evidence is looked at for what providers say: few have any that is not old."""


def drift_reference(
    tables: Tables, model: RiskModel, policy: Policy, *, split: Split, seed: int
) -> DriftReference:
    """Return what the training part looks like to the finished model; with nobody there, all."""
    training = split.of_snapshots(tables.snapshots).are(Part.TRAIN)
    among = training if training.any() else None
    return reference_of(Sampler(tables, seed=seed, among=among), tables, model, policy)


def reference_of(
    sampler: Sampler,
    tables: Tables,
    model: RiskModel,
    policy: Policy,
    *,
    most_participants: int = MOST_PARTICIPANTS,
    most_pairs: int = MOST_PAIRS,
) -> DriftReference:
    """Return what the people of a sampler look like."""
    sample = sampler.sample(most_participants=most_participants, most_pairs=most_pairs)
    seen = replace(
        look(tables, sample, model, policy, title="reference for drift"),
        vendors=look_at_vendors(tables, sampler.people(most=MOST_OF_VENDORS)),
    )
    return DriftReference(
        variables=variables_of(model.catalogue, seen),
        participants=len(seen.participants),
        pairs=len(seen.pairs),
        effective=sample.effective,
        policy_version=policy.version,
    )
