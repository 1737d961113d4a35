"""The value of a policy: right where chance has shown it, unknown where it has not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from pairguard.age.admission import Admission
from pairguard.policy.decision import Decision, DecisionKind
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.policy.state import StoredState
from pairguard.risk.pair import pair_risk
from pairguard.risk.participant import Participant
from pairguard_training.replaying.deciding_again import DecidedAgain
from pairguard_training.replaying.logged import LoggedDecision, LoggedRisk
from pairguard_training.replaying.off_policy import OffPolicy, off_policy, off_policy_terms
from pairguard_training.replaying.outcomes import Outcomes
from pairguard_training.replaying.streamed_sums import StreamedSums

SHARE = 0.1
DAY = 86_400.0
ALLOW, REROUTE = DecisionKind.ALLOW, DecisionKind.REROUTE


def logged(number: int, kind: DecisionKind, chance: float | None, harm: float) -> LoggedDecision:
    people = (f"a{number % 700}", f"b{number % 690}")
    return LoggedDecision(
        decision_id=f"d{number}",
        time=0.0,
        a=Participant(people[0]),
        b=Participant(people[1]),
        people=people,
        state=StoredState(),
        state_recorded=True,
        kind=kind,
        reasons=(Reason(ReasonCode.ADULTS_MEET, Party.BOTH),),
        risk=LoggedRisk(0.01, harm, harm),
        minors=(0.01, 0.01),
        allow_probability=chance,
    )


def again(kind: DecisionKind) -> DecidedAgain:
    reason = ReasonCode.ADULTS_MEET if kind is ALLOW else ReasonCode.HARM_RISK
    pool = Admission.ADULTS
    decision = Decision(kind, (Reason(reason, Party.BOTH),), pair_risk(0.01, 0.01), pool, pool)
    return DecidedAgain(decision, frozenset(), (0.01, 0.01), is_certain=True)


def estimate(
    decisions: Iterator[tuple[LoggedDecision, DecidedAgain]],
    harmed: set[str],
    *,
    known_until: float | None = 30 * DAY,
    mixed: Mapping[str, bool] | None = None,
    draws: int = 100,
) -> OffPolicy:
    outcomes = Outcomes(dict.fromkeys(harmed, DAY), 14 * DAY, known_until, mixed or {})
    sums = StreamedSums(draws=draws, seed=1)
    pairs = [*decisions]
    terms = [off_policy_terms(one, other, outcomes) for one, other in pairs]
    names = {name for each in terms for name in each}
    columns = {name: np.array([each.get(name, 0.0) for each in terms]) for name in names}
    sums.add([one.people for one, _ in pairs], columns)
    return off_policy(sums, outcomes)


def world(
    seed: int, count: int, believed: float = 1.0
) -> tuple[list[tuple[LoggedDecision, DecidedAgain]], set[str], float, float]:
    """Return decisions, the harmed, and the true harm under the policy and with all allowed."""
    rng = np.random.default_rng(seed)
    chance = rng.choice([0.02, 0.3], count)
    harms = rng.random(count) < chance  # what would come of each if it met
    allowed = rng.random(count) >= SHARE
    found, harmed, under = [], set(), 0.0
    for number in range(count):
        kind = ALLOW if allowed[number] else REROUTE
        # The candidate stops most of what is dangerous, and some of the rest.
        stops = rng.random() < (0.8 if chance[number] > 0.1 else 0.2)
        under += 0.0 if stops else chance[number]
        if allowed[number] and harms[number]:
            harmed.add(f"d{number}")
        one = logged(number, kind, 1.0 - SHARE, believed * chance[number])
        found.append((one, again(REROUTE if stops else ALLOW)))
    return found, harmed, 1_000.0 * under / count, 1_000.0 * float(chance.mean())


@pytest.mark.parametrize("believed", [1.0, 0.0, 3.0])
def test_the_estimate_is_right_on_average_whatever_was_believed(believed: float) -> None:
    errors, covered = [], 0
    for seed in range(12):
        decisions, harmed, under, everything = world(seed, 1_500, believed)
        value = estimate(iter(decisions), harmed).value
        assert value is not None
        errors.append(value.harm.value - under)
        covered += value.harm.low <= under <= value.harm.high
        assert value.difference.value == pytest.approx(
            value.harm.value - value.harm_if_all_allowed.value
        )
        assert abs(value.harm_if_all_allowed.value - everything) < 60.0

    # Some 65 of 1,000 are harmed; the mean of twelve errs by a few.
    assert abs(float(np.mean(errors))) < 6.0
    assert covered >= 10


def test_the_effective_number_is_that_of_the_weights() -> None:
    decisions, harmed, _, _ = world(3, 1_500)
    found = estimate(iter(decisions), harmed)
    weighted = sum(one.kind is ALLOW and two.decision.kind is ALLOW for one, two in decisions)

    assert found.value is not None
    assert found.value.effective_decisions == pytest.approx(weighted)
    assert found.drawn == found.drawn_with_outcome == 1_500
    assert found.unknown == ""


def test_without_chance_the_value_is_unknown() -> None:
    fixed = ((logged(n, ALLOW, 1.0, 0.1), again(ALLOW)) for n in range(500))

    found = estimate(fixed, {"d1"})

    assert found.value is None
    assert "exploration.reroute_share" in found.unknown
    assert found.fixed == 500


def test_a_pair_that_could_not_be_allowed_has_no_place_in_it() -> None:
    decisions, harmed, _, _ = world(4, 1_500)
    forbidden = [(logged(9_000 + n, REROUTE, 0.0, 0.5), again(ALLOW)) for n in range(40)]

    alone = estimate(iter(decisions), harmed)
    together = estimate(iter([*decisions, *forbidden]), harmed)

    assert alone.value is not None
    assert together.value is not None
    assert together.value.harm.value == alone.value.harm.value
    assert together.sought == 40
    assert "40 forbidden pairs" in together.unknown


def test_an_unknown_chance_is_left_out() -> None:
    found = estimate(((logged(n, ALLOW, None, 0.1), again(ALLOW)) for n in range(10)), set())

    assert found.chance_unknown == 10
    assert found.drawn == 0


@pytest.mark.parametrize(
    ("known_until", "why"), [(None, "no outcome"), (13 * DAY, "window"), (14 * DAY, "")]
)
def test_an_open_window_tells_nothing(known_until: float | None, why: str) -> None:
    decisions, harmed, _, _ = world(5, 400)

    found = estimate(iter(decisions), harmed, known_until=known_until)

    assert (found.value is None) is bool(why)
    assert why in found.unknown


def test_too_few_effective_decisions_tell_nothing() -> None:
    decisions, harmed, _, _ = world(6, 60)

    found = estimate(iter(decisions), harmed)

    assert found.value is None
    assert "are needed" in found.unknown


def test_what_came_too_late_or_could_not_be_told_is_unknown() -> None:
    one = replace(logged(1, ALLOW, 0.9, 0.1), time=0.0)
    early = Outcomes({"d1": 14 * DAY}, 14 * DAY, 99 * DAY)
    late = Outcomes({"d1": 14 * DAY + 1.0}, 14 * DAY, 99 * DAY)

    assert early.of(one) is True
    assert late.of(one) is None
    assert Outcomes({}, 14 * DAY, 99 * DAY, untold={"d1"}).of(one) is None
    assert Outcomes({"d1": DAY}, 14 * DAY, 99 * DAY, untold={"d1"}).of(one) is True
    assert Outcomes({}, 14 * DAY, 99 * DAY).of(one) is False


def test_mixed_pairs_are_counted_where_ages_are_known() -> None:
    mixed = {f"d{n}": n % 4 == 0 for n in range(200)}
    decisions = (
        (logged(n, ALLOW, 1.0, 0.1), again(ALLOW if n % 2 == 0 else REROUTE)) for n in range(400)
    )

    found = estimate(decisions, set(), known_until=None, mixed=mixed)

    assert found.mixed_known == 200
    assert found.mixed_logged is not None
    assert found.mixed_allowed is not None
    assert found.mixed_logged.value == found.mixed_allowed.value == 250.0
