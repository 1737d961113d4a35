"""The first judgements of a new generation, made before any caller waits for one.

Owns made-up participants who go the way of a call: what is computed at first use is computed here.
It must not know who serves. Nothing of it is counted or kept of anybody. A generation that cannot
judge even these fails here, and not in a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

import numpy as np

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.policy.judgement import Judge
from pairguard.policy.pool_judgement import PoolJudgement, PoolMember
from pairguard.policy.state import NOTHING_KEPT, StoredState
from pairguard.risk.participant import Participant
from pairguard.risk.signal import SignalKind, SignalSource

_DAY_SECONDS: Final = 86_400.0
_AGES_YEARS: Final = (14.0, 17.0, 19.0, 30.0)


def warm_up(judge: Judge, *, now: float) -> None:
    """Judge a few made-up pairs, one by one and as a pool.

    Args:
        judge: What is to serve.
        now: Seconds since 1970.
    """
    people = list(_people(judge, now))
    for place, participant in enumerate(people):
        other = people[place - 1]
        judge.judge_pair(participant, other, now=now, state=StoredState())
    members = [PoolMember(participant, NOTHING_KEPT) for participant in people]
    pool = PoolJudgement.of(judge, members, now=now, acquaintances={})
    first, second = np.triu_indices(len(people), 1)
    pool.pairs(first, second)


def _people(judge: Judge, now: float) -> Iterator[Participant]:
    """Make somebody of each region, age and kind of evidence, who has signals, and nobody known."""
    yield Participant("unknown")
    signals = {
        each.name: 1.0
        for each in judge.model.catalogue.signals
        if each.source is SignalSource.REQUEST and each.kind is SignalKind.NUMBER
    }
    regions = ("", *list(judge.policy.regions)[:3])
    for region, years in product(regions, _AGES_YEARS):
        observations = (
            SelfDeclared(age_years=years),
            FacialAgeEstimate(years, Liveness.PASSED),
            AgeCheck(CheckMethod.CREDIT_CARD, 18.0, CheckResult.OVER),
            VerifiedAge(VerificationMethod.ID_DOCUMENT, years),
        )
        for count in range(1, len(observations) + 1):
            evidence = tuple(
                AgeEvidence(each, observed_time=now - _DAY_SECONDS, binding=Binding.ACCOUNT)
                for each in observations[:count]
            )
            yield Participant(f"{region}-{years}-{count}", (), evidence, signals, region=region)
