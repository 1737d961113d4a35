"""Evidence may be another person's, older or younger, at the rates that the tables state."""

from __future__ import annotations

import numpy as np
import pytest

from pairguard.age.evidence import FacialAgeEstimate, Liveness
from pairguard.age.fusion_plan import AttackMixture
from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard.age.tables import ATTACK_GROUPS, AgeTables
from tests.domain import TABLES, assessed, default_tables_document, live, merged, verified

LINE = TABLES.reference_age_years
WEIGHTS = TABLES.fusion_weights


def test_the_mixture_is_a_mixture() -> None:
    attack, posing = TABLES.face_attack[Liveness.PASSED], TABLES.posing["capture"]
    ones = AttackMixture.from_rates(attack, posing).rows(WEIGHTS, np.ones(AGE_COUNT))
    assert ones == pytest.approx(np.ones(AGE_COUNT))


def test_nobody_under_the_reference_age_poses_as_a_minor() -> None:
    for group in ATTACK_GROUPS:
        assert not TABLES.posing[group][:LINE].any()
        assert (TABLES.posing[group][LINE:] > 0.0).all()
    assert TABLES.posed_age[LINE:].sum() < 0.01


def test_an_adult_may_show_a_childs_face() -> None:
    child = np.where(np.abs(AGE_GRID - 13) <= 1, 1.0, 0.0)
    attack, posing = TABLES.face_attack[Liveness.PASSED], TABLES.posing["capture"]
    shown = AttackMixture.from_rates(attack, posing).rows(WEIGHTS, child)
    without = AttackMixture.from_rates(attack, 0.0 * posing).rows(WEIGHTS, child)
    assert (shown[LINE:] > without[LINE:]).all()
    assert shown[30] >= posing[30] * TABLES.posed_age[12:15].sum()


@pytest.mark.parametrize("years", [11, 13, 15])
def test_the_more_adults_pose_the_likelier_an_adult_is_behind_a_childs_face(years: float) -> None:
    item = live(FacialAgeEstimate(years, Liveness.PASSED))

    def probability_adult(rate: float) -> float:
        curve = {"values": [0, 0, rate, rate]}
        changes = {"posing_as_minor": {"rate": {"capture": curve}}}
        tables = AgeTables.from_mapping(merged(default_tables_document(), changes))
        return 1.0 - assessed(item, tables=tables).probability_below(LINE)

    found = [probability_adult(rate) for rate in (0.0, 0.005, 0.02, 0.04)]
    assert found == sorted(found)
    assert found[-1] > 1.5 * found[0]


def test_an_adult_who_is_verified_to_be_a_minor_stays_possible() -> None:
    posing = TABLES.posing["identity"][LINE:].min()
    prior = assessed().probability_below(LINE)
    odds_adult = (1.0 - prior) / prior
    assessment = assessed(verified(14))
    found = (1.0 - assessment.probability_below(LINE)) / assessment.probability_below(LINE)
    assert found > odds_adult * posing * TABLES.posed_age[14] * 0.5
