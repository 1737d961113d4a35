"""No evidence of one attack moves the log-odds further than the bound that the tables give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.age.belief import log_odds
from pairguard.age.bounds import group_bounds, source_bounds
from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    FacialAgeEstimate,
    PlatformAgeRange,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.parameters import AGE_COUNT, Array
from pairguard.age.posterior import AgeAssessment, assess_age
from tests.domain import NOW, TABLES, evidence_items, verified

LINE = TABLES.reference_age_years
SOURCE_BOUNDS = source_bounds(TABLES)
GROUP_BOUNDS = group_bounds(TABLES)
GROUPS = ("account", "capture", "identity", "review")


def group_of(item: AgeEvidence) -> str:
    match item.observation:
        case SelfDeclared() | PlatformAgeRange():
            return "account"
        case FacialAgeEstimate() | AgeCheck(method=CheckMethod.FACIAL_THRESHOLD):
            return "capture"
        case VerifiedAge(method=VerificationMethod.MODERATOR):
            return "review"
        case _:
            return "identity"


def items_of(group: str) -> st.SearchStrategy[list[AgeEvidence]]:
    chosen = evidence_items.filter(lambda item: group_of(item) == group)
    return st.lists(chosen, min_size=1, max_size=4)


@st.composite
def items_of_one_attack(draw: st.DrawFn) -> tuple[str, list[AgeEvidence]]:
    group = draw(st.sampled_from(GROUPS))
    return group, draw(items_of(group))


def odds(assessment: AgeAssessment) -> float:
    return log_odds(assessment.probability_below(LINE))


def assessed_under(prior: Array, items: list[AgeEvidence]) -> AgeAssessment:
    return assess_age(TABLES, prior=prior, evidence=items, now=NOW)


def mixed_bindings(items: list[AgeEvidence]) -> bool:
    """Return whether some hang on the account and others on the live person: two attacks."""
    return len({item.binding is Binding.LIVE_PERSON for item in items}) > 1


@given(items_of_one_attack())
def test_no_group_moves_the_default_prior_further_than_its_bound(
    drawn: tuple[str, list[AgeEvidence]],
) -> None:
    group, items = drawn
    if mixed_bindings(items):
        items = [item for item in items if item.binding is Binding.LIVE_PERSON]
    prior = TABLES.prior("", "")
    assessment = assessed_under(prior, items)
    moved = odds(assessment) - odds(assessed_under(prior, []))
    bound = GROUP_BOUNDS[group]
    assert -bound.alone_towards_adult_nats - 1e-9 <= moved
    # What is unusable can only lower an age and stands outside of the group, each by itself.
    unusable = sum(said is not None and not said.usable for said in assessment.items)
    assert moved <= bound.towards_minor_nats * unusable + (
        bound.towards_minor_nats if unusable else bound.alone_towards_minor_nats + 1e-9
    )


@given(items_of_one_attack(), st.integers(0, 2**32 - 1))
def test_no_group_moves_any_belief_further_than_its_bound(
    drawn: tuple[str, list[AgeEvidence]], seed: int
) -> None:
    group, items = drawn
    if mixed_bindings(items):
        items = [item for item in items if item.binding is Binding.LIVE_PERSON]
    belief = np.random.default_rng(seed).gamma(0.1, size=AGE_COUNT) + 1e-6
    belief /= belief.sum()
    assessment = assessed_under(belief, items)
    moved = odds(assessment) - odds(assessed_under(belief, []))
    bound = GROUP_BOUNDS[group]
    unusable = sum(said is not None and not said.usable for said in assessment.items)
    assert -bound.towards_adult_nats - 1e-9 <= moved
    assert moved <= bound.towards_minor_nats * (1 + unusable) + 1e-9


def test_the_bound_is_no_larger_than_it_must_be() -> None:
    bound = SOURCE_BOUNDS["verified_age ID_DOCUMENT, live person"]
    prior = TABLES.prior("", "")
    moved = odds(assessed_under(prior, [verified(45)])) - odds(assessed_under(prior, []))
    assert -moved == pytest.approx(bound.alone_towards_adult_nats, abs=1.5)


def test_what_hangs_on_an_account_alone_moves_less_than_one_live_check() -> None:
    account = SOURCE_BOUNDS["age_check ID_DOCUMENT, account"].alone_towards_adult_nats
    live = SOURCE_BOUNDS["age_check ID_DOCUMENT, live person"].alone_towards_adult_nats
    assert account < live / 1.5
