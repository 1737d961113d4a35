"""The exact bound, who is drawn and matched, and what is remembered of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv
from scipy.stats import binom

from pairguard.age.admission import Admission, admission
from pairguard.age.evidence import AgeEvidence, CheckResult, FacialAgeEstimate, Liveness
from pairguard.errors import ConfigurationRefused
from pairguard.policy.regions import Policy
from pairguard_training.certification.bounds import (
    bound_with_unverified,
    fewest,
    measured_rate,
    most_misses,
    threshold_below,
)
from pairguard_training.certification.matching import accepted, derived_seed, matched
from pairguard_training.certification.register import Register, Use
from pairguard_training.certification.verified_people import adult_gate, minor_gate
from tests.domain import (
    assessed,
    default_policy_document,
    document_check,
    evidence_lists,
    live,
    merged,
    verified,
)

shares = st.floats(0.001, 0.5)


@pytest.mark.parametrize(
    ("alpha", "delta", "n"),
    [(0.005, 0.05, 598), (0.001, 0.05, 2995), (0.05, 0.05, 59), (0.02, 0.05, 149), (0.5, 0.5, 1)],
)
def test_the_fewest_people_for_a_rate_without_a_miss(alpha: float, delta: float, n: int) -> None:
    assert fewest(alpha, delta) == n
    assert most_misses(n, alpha, delta) == 0
    assert most_misses(n - 1, alpha, delta) == -1


@given(n=st.integers(0, 3_000), alpha=shares, delta=shares)
def test_the_misses_are_the_most_that_the_beta_quantile_allows(
    n: int, alpha: float, delta: float
) -> None:
    k = most_misses(n, alpha, delta)

    assert -1 <= k < max(n, 1)
    if k >= 0:
        assert betaincinv(k + 1, n - k, 1 - delta) <= alpha * (1 + 1e-9)
    if k + 1 < n:
        assert betaincinv(k + 2, n - k - 1, 1 - delta) >= alpha * (1 - 1e-9)


@given(n=st.integers(1, 2_000), alpha=shares, delta=shares)
def test_more_people_a_laxer_rate_or_less_confidence_never_allow_fewer_misses(
    n: int, alpha: float, delta: float
) -> None:
    k = most_misses(n, alpha, delta)

    assert most_misses(n + 1, alpha, delta) >= k
    assert most_misses(n, min(alpha * 1.1, 0.99), delta) >= k
    assert most_misses(n, alpha, min(delta * 1.1, 0.99)) >= k


def test_a_delta_close_to_nothing_loses_no_digits() -> None:
    n, alpha, delta = 20_000, 0.01, 1e-14

    k = most_misses(n, alpha, delta)
    assert 0 < k < 200
    assert binom.cdf(k, n, alpha) <= delta < binom.cdf(k + 1, n, alpha)


scores = st.lists(
    st.one_of(st.floats(1e-9, 1), st.sampled_from([0.02, 0.1, 0.5, 1.0, 1e-9])),
    min_size=1,
    max_size=60,
)


@given(values=scores, data=st.data())
def test_at_most_so_many_scores_lie_at_or_below_the_threshold_with_any_ties(
    values: list[float], data: st.DataObject
) -> None:
    misses = data.draw(st.integers(0, len(values) - 1))
    number = threshold_below(np.array(values), misses)

    assert 0.0 <= number < 1.0
    assert sum(value <= number for value in values) <= misses
    # Not far below: two digits of the score in question.
    wanted = sorted(values)[misses]
    assert number >= wanted * 0.89 or wanted <= 2e-9
    assert float(f"{number:.1e}") == number


def test_what_is_no_number_is_a_miss_at_any_threshold() -> None:
    assert threshold_below(np.array([0.3, float("nan"), 0.4]), 0) == 0.0
    assert threshold_below(np.array([0.3, float("nan"), 0.4]), 1) == 0.29


def test_a_label_error_is_part_of_the_bound() -> None:
    alpha = measured_rate(0.02, 0.005)

    assert alpha * (1 - 0.005) + 0.005 == pytest.approx(0.02)
    assert measured_rate(0.02, 0.03) < 0
    assert bound_with_unverified(0.02, 0.1, 1.0) == pytest.approx(0.118)
    assert bound_with_unverified(0.02, 0.0, 1.0) == 0.02


# ---- draws ------------------------------------------------------------------------------------


@given(ids=st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=30), data=st.data())
@settings(max_examples=50)
def test_nobody_is_in_two_pairs_and_no_order_of_rows_matters(
    ids: list[str], data: st.DataObject
) -> None:
    sides = data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    order = data.draw(st.permutations(range(len(ids))))
    seed = derived_seed("some hash", "pairs")

    def pairs(names: list[str], minors: list[bool]) -> set[tuple[str, str]]:
        mask = np.array(minors, dtype=np.bool_)
        first, second = matched(names, np.flatnonzero(mask), np.flatnonzero(~mask), seed=seed)
        assert all(minors[place] for place in first)
        assert not any(minors[place] for place in second)
        return {(names[a], names[b]) for a, b in zip(first, second, strict=True)}

    found = pairs(ids, sides)
    assert len(found) == min(sum(sides), len(sides) - sum(sides))
    assert len({name for pair in found for name in pair}) == 2 * len(found)
    assert found == pairs([ids[place] for place in order], [sides[place] for place in order])


def test_everybody_is_as_likely_to_be_there_after_rejection_sampling() -> None:
    rng = np.random.default_rng(5)
    sampling = rng.choice([0.1, 0.2, 0.8], 40_000)
    verified = rng.random(40_000) < sampling
    ids = [f"p{place}" for place in np.flatnonzero(verified)]

    kept = accepted(ids, sampling[verified], seed=7)

    for chance in (0.1, 0.2, 0.8):
        group = kept[sampling[verified] == chance].sum() / (sampling == chance).sum()
        assert group == pytest.approx(0.1, abs=0.01)
    assert kept[sampling[verified] == 0.1].all()


def test_the_seed_follows_from_the_data_and_the_purpose() -> None:
    seeds = {derived_seed(data, kind) for data in ("a", "b") for kind in ("one", "two")}

    assert len(seeds) == 4
    assert seeds == {derived_seed(data, kind) for data in ("a", "b") for kind in ("one", "two")}
    assert all(0 <= seed < 1 << 63 for seed in seeds)


# ---- the register -----------------------------------------------------------------------------

PEOPLE = [f"p{place}" for place in range(20)]


def use(model: str = "m", asked: str = "x", numbers: int = 1, holdout: str = "h") -> Use:
    return Use(model, holdout, asked, numbers)


def test_people_are_used_once_and_then_cost_delta(tmp_path: Path) -> None:
    path = tmp_path / "register.json"
    with Register.opened(path) as register:
        first = register.allowance(PEOPLE, use())
        register.add(PEOPLE, use())
    with Register.opened(path) as register:
        again = register.allowance(PEOPLE, use())
        other_model = register.allowance(PEOPLE, use("n", numbers=3))
        other_promise = register.allowance(PEOPLE, use(asked="y"))
        other_labels = register.allowance(PEOPLE, use(holdout="g"))
        one_of_them = register.allowance([*PEOPLE[:1], "new"], use("n"))
        others = register.allowance(["new", "newer"], use("n"))
        register.add(PEOPLE, use("n", numbers=3))
        third = register.allowance(PEOPLE, use("o"))
        first_again = register.allowance(PEOPLE, use())

    assert first.delta_share == again.delta_share == others.delta_share == 1.0
    assert first_again == first
    for later in (other_model, other_promise, other_labels, one_of_them):
        assert (later.earlier, later.delta_share) == (1, 2.0**-11)
    assert (third.earlier, third.delta_share) == (2, 2.0 ** -(11 + 31))


def test_all_uses_of_some_people_together_stay_below_twice_delta(tmp_path: Path) -> None:
    """As many bundles as the earlier numbers can lead to, each with the delta that is left."""
    total = 0.0
    with Register.opened(tmp_path / "register.json") as register:
        ways = 1.0
        for turn in range(12):
            this = use(str(turn))
            total += ways * register.allowance(PEOPLE, this).delta_share
            register.add(PEOPLE, this)
            ways *= 2.0**10
    assert total < 2.0


def test_the_register_holds_no_id_and_forgets_nothing_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "register.json"

    def stopped() -> None:
        with Register.opened(path) as register:
            register.add(PEOPLE, use())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not path.exists()
    with Register.opened(path) as register:
        register.add(["somebody@example.org"], use())
    assert "somebody" not in path.read_text(encoding="utf-8")
    assert len(json.loads(path.read_text(encoding="utf-8"))["uses"]) == 1


@pytest.mark.parametrize("content", ["", "{}", '{"format_version": 1, "key": "zz", "uses": []}'])
def test_a_damaged_register_is_no_new_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "register.json").write_text(content, encoding="utf-8")
    with (
        pytest.raises(ConfigurationRefused, match="no register"),
        Register.opened(tmp_path / "register.json"),
    ):
        pass
    assert (tmp_path / "register.json").read_text(encoding="utf-8") == content


# ---- gates ------------------------------------------------------------------------------------


@given(evidence=evidence_lists, gate=st.floats(0, 0.2), adult_age=st.integers(18, 21))
@settings(max_examples=150)
def test_nobody_is_admitted_below_the_lowest_gate_that_is_counted(
    evidence: list[AgeEvidence], gate: float, adult_age: int
) -> None:
    """Else a certificate would count fewer misses than there are."""
    lines = Policy.from_mapping(
        merged(
            default_policy_document(),
            {
                "default": {
                    "adult_age": adult_age,
                    "gates": {
                        "adults_max_probability_minor": gate,
                        "adults_max_probability_minor_by_evidence": 0.3,
                        "minors_max_probability_adult": gate,
                        "barred_min_probability": 0.99,
                    },
                }
            },
        )
    ).default
    age = assessed(*evidence)
    pool = admission(age, lines)

    if pool is Admission.ADULTS:
        assert adult_gate(age, adult_age) <= gate
    if pool is Admission.MINORS:
        assert minor_gate(age, adult_age) <= gate


def test_the_lowest_gate_is_exact_where_nothing_else_stands_in_the_way() -> None:
    adult = assessed(document_check(CheckResult.OVER), live(FacialAgeEstimate(33, Liveness.PASSED)))
    minor = assessed(verified(15.0))

    assert adult_gate(adult, 18) == adult.probability_below(18) < 0.02
    assert minor_gate(minor, 18) == minor.probability_at_least(18) < 0.05
    assert minor_gate(adult, 18) == adult_gate(assessed(), 18) == minor_gate(assessed(), 18) == 1.0
