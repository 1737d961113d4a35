"""What each gate asks of a bundle, and that the unknown does not pass for the good."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.errors import ConfigurationRefused
from pairguard_training.publishing.evaluation_document import (
    EvaluationDocument,
    Interval,
    read_evaluation,
)
from pairguard_training.publishing.gates import GATES, Candidate, check_gates
from pairguard_training.publishing.limits import GateLimits, limits_of, read_limits

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LIMITS = read_limits(None)
CERTIFICATE = {
    "simulated": False,
    "certified": True,
    "model_hash": "b" * 64,
    "issue_time": "2026-04-01T00:00:00Z",
    "expire_time": "2026-07-01T00:00:00Z",
    "format_version": 1,
    "promises": [
        {
            "kind": "mixed_pairs_allowed",
            "max_rate": 0.02,
            "confidence": 0.95,
            "strata": [{"stratum": "all", "adult_ages": [18], "threshold": 0.05}],
        }
    ],
}
EVALUATION = EvaluationDocument(
    content_hash="e" * 64,
    bundle_version="new",
    model_hash=None,
    champion_version="old",
    simulated=False,
    data_until=datetime(2026, 4, 20, tzinfo=UTC),
    differences={1: Interval(-0.01, -0.03, 0.02), 5: Interval(0.0, -0.02, 0.03)},
    calibration_slope=Interval(1.02, 0.93, 1.11),
    worst_ratio=2.0,
    chance_ratio=1.8,
)
CANDIDATE = Candidate(
    version="new",
    model_hash="b" * 64,
    certificate=CERTIFICATE,
    champion_version="old",
    champion_model_hash="o" * 64,
    evaluation=EVALUATION,
)


def judged(**changes: Any) -> Candidate:
    return replace(CANDIDATE, evaluation=replace(EVALUATION, **changes))


def limits(**changes: float | bool) -> GateLimits:
    return GateLimits({**LIMITS.lines, **{k.replace("__", "."): v for k, v in changes.items()}})


def failed(candidate: Candidate, asked: GateLimits = LIMITS) -> list[str]:
    return [each.name for each in check_gates(candidate, asked, now=NOW) if not each.passed]


def told(candidate: Candidate, name: str) -> str:
    (result,) = [each for each in check_gates(candidate, LIMITS, now=NOW) if each.name == name]
    return result.told


def test_a_good_bundle_passes_every_gate() -> None:
    results = check_gates(CANDIDATE, LIMITS, now=NOW)
    assert [each.name for each in results] == list(GATES)
    assert failed(CANDIDATE) == []
    assert all(each.told for each in results)


def test_without_an_evaluation_everything_that_it_would_tell_fails() -> None:
    candidate = replace(CANDIDATE, evaluation=None)
    assert failed(candidate) == ["real_data", "evaluation", "mixed_pairs", "calibration", "slices"]


def test_a_first_bundle_has_nothing_to_be_compared_with_and_passes_the_others() -> None:
    first = replace(judged(champion_version=None), champion_version=None, champion_model_hash=None)
    assert failed(first) == []
    assert "nothing serves" in told(first, "mixed_pairs")
    unmeasured = replace(
        judged(champion_version=None, calibration_slope=None, simulated=True),
        champion_version=None,
    )
    assert failed(unmeasured) == ["real_data", "calibration"]


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"bundle_version": "other"}, False),
        ({"bundle_version": None}, False),
        ({"bundle_version": "uncertified", "model_hash": "b" * 64}, True),
        ({"bundle_version": "other", "model_hash": "c" * 64}, False),
        ({"champion_version": "older"}, False),
        ({"champion_version": None}, False),
    ],
)
def test_an_evaluation_is_of_this_bundle_beside_the_one_that_serves(
    changes: dict[str, Any], passes: bool
) -> None:
    assert ("evaluation" not in failed(judged(**changes))) is passes


@pytest.mark.parametrize(
    ("changes", "passes", "words"),
    [
        ({"data_until": NOW - timedelta(days=60)}, True, ""),
        ({"data_until": NOW - timedelta(days=60, seconds=1)}, False, "60.0 days ago"),
        ({"data_until": NOW - timedelta(days=400)}, False, "400.0 days ago"),
        ({"data_until": NOW + timedelta(days=1)}, True, ""),
        ({"data_until": NOW + timedelta(days=1, seconds=1)}, False, "in the future"),
        ({"data_until": datetime(9999, 1, 1, tzinfo=UTC)}, False, "in the future"),
        ({"data_until": None}, False, "of which time"),
        ({"data_until": None, "simulated": None}, False, "of which time"),
    ],
)
def test_an_evaluation_on_old_data_tells_nothing_of_today(
    changes: dict[str, Any], passes: bool, words: str
) -> None:
    candidate = judged(**changes)
    assert ("evaluation" not in failed(candidate)) is passes
    assert words in told(candidate, "evaluation")


def test_the_time_of_a_simulation_is_nobodys() -> None:
    assert "evaluation" not in failed(judged(data_until=None, simulated=True))


def test_an_evaluation_beside_somebody_is_none_where_nothing_serves() -> None:
    assert failed(replace(CANDIDATE, champion_version=None)) == ["evaluation"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_hash": "c" * 64}, "another model"),
        ({"model_hash": None}, "another model"),
        ({"expire_time": "2026-04-30T00:00:00Z"}, "expired"),
        ({"expire_time": "2026-05-03T00:00:00Z"}, "less than 7 days"),
        ({"expire_time": "2026-07-01T00:00:00"}, "until when"),
        ({"expire_time": "some day"}, "until when"),
        ({"expire_time": None}, "until when"),
        ({"issue_time": "2026-05-02T00:00:00Z"}, "not hold yet"),
        ({"issue_time": 7}, "not hold yet"),
        ({"format_version": 2}, "format_version"),
        ({"promises": []}, "promises"),
        ({"promises": [{"kind": "mixed_pairs_allowed"}]}, "max_rate"),
        ({"expire_time": "2028-07-01T00:00:00Z"}, "400 days"),
    ],
)
def test_a_certificate_that_does_not_fit_never_passes(changes: dict[str, Any], words: str) -> None:
    candidate = replace(CANDIDATE, certificate={**CERTIFICATE, **changes})
    assert failed(candidate) == ["certificate"]
    assert words in told(candidate, "certificate")


def test_a_certificate_that_no_server_reads_never_passes() -> None:
    for name in ("issue_time", "promises", "format_version"):
        without = {key: value for key, value in CERTIFICATE.items() if key != name}
        candidate = replace(CANDIDATE, certificate=without)
        assert failed(candidate) == ["certificate"]
        assert name in told(candidate, "certificate")


@pytest.mark.parametrize("simulated", [True, None, "no"])
def test_a_certificate_of_simulated_people_never_passes(simulated: object) -> None:
    candidate = replace(CANDIDATE, certificate={**CERTIFICATE, "simulated": simulated})
    assert failed(candidate) == ["certificate"]
    assert "simulated people" in told(candidate, "certificate")


@pytest.mark.parametrize("certificate", [{}, {"certified": False}, {"certified": "yes"}])
def test_no_certificate_passes_only_where_none_is_asked_for(certificate: dict[str, Any]) -> None:
    candidate = replace(CANDIDATE, certificate=certificate)
    assert failed(candidate) == []
    assert "promises no miss rate" in told(candidate, "certificate")
    assert failed(candidate, limits(certificate__required=True)) == ["certificate"]


@pytest.mark.parametrize("percent", [1, 5])
def test_the_upper_end_must_lie_below_the_margin(percent: int) -> None:
    margin = LIMITS.number(f"mixed_pairs.max_difference_at_{percent}")

    def with_upper(high: float) -> Candidate:
        return judged(differences={**EVALUATION.differences, percent: Interval(-0.2, -0.4, high)})

    assert failed(with_upper(margin - 1e-9)) == []
    assert failed(with_upper(margin)) == ["mixed_pairs"]
    missing = judged(differences={**EVALUATION.differences, percent: None})
    assert failed(missing) == ["mixed_pairs"]
    assert f"{percent} %" in told(missing, "mixed_pairs")


def test_the_same_models_need_no_comparison() -> None:
    same = replace(judged(differences={}), champion_model_hash=CANDIDATE.model_hash)
    assert failed(same) == []


@pytest.mark.parametrize(
    ("slope", "passes"),
    [
        (Interval(1.0, 0.95, 1.05), True),
        (Interval(0.7, 0.5, 0.9), True),
        (Interval(0.7, 0.5, 0.89), False),
        (Interval(1.3, 1.1, 1.5), True),
        (Interval(1.3, 1.11, 1.5), False),
        (Interval(3.0, 1.11, 9.0), False),
    ],
)
def test_the_interval_of_the_slope_reaches_into_the_range(
    slope: Interval | None, passes: bool
) -> None:
    for excused in (LIMITS, limits(calibration__may_be_unmeasured=True)):
        assert (failed(judged(calibration_slope=slope), excused) == []) is passes


UNTOLD = [None, Interval(1.0, 0.2, 3.0), Interval(1.0, 0.49, 1.2), Interval(1.0, 0.9, 2.1)]


@pytest.mark.parametrize("slope", UNTOLD)
def test_an_interval_that_tells_nothing_of_the_slope_does_not_pass_for_a_measured_one(
    slope: Interval | None,
) -> None:
    candidate = judged(calibration_slope=slope)
    assert failed(candidate) == ["calibration"]
    assert "could not be" in told(candidate, "calibration")
    assert failed(candidate, limits(calibration__may_be_unmeasured=True)) == []


@given(value=st.floats(0.01, 5), below=st.floats(0, 2), above=st.floats(0, 2), more=st.floats(0, 3))
def test_a_slope_passes_only_where_its_whole_interval_tells_something(
    value: float, below: float, above: float, more: float
) -> None:
    """Half as steep and twice as steep must both be excluded."""
    narrow = Interval(value, value - below, value + above)
    wide = Interval(value, value - below - more, value + above + more)
    low, high = LIMITS.number("calibration.told_from"), LIMITS.number("calibration.told_to")
    for interval in (narrow, wide):
        if failed(judged(calibration_slope=interval)) == []:
            assert low <= interval.low <= interval.high <= high


@pytest.mark.parametrize(
    ("worst", "chance", "passes"),
    [
        (1.8, 1.8, True),
        (2.7, 1.8, True),
        (2.8, 1.8, False),
        (None, None, True),
        (None, 1.8, False),
        (1.8, None, False),
        (1.8, 0.0, False),
        # Chance alone explains so much that nothing is told; what is beyond even that is told.
        (6.0, 5.5, True),
        (9.0, 5.5, False),
    ],
)
def test_groups_differ_by_little_more_than_chance(
    worst: float | None, chance: float | None, passes: bool
) -> None:
    assert (failed(judged(worst_ratio=worst, chance_ratio=chance)) == []) is passes


def test_groups_too_small_to_be_told_apart_do_not_pass_for_groups_that_are_alike() -> None:
    candidate = judged(worst_ratio=6.0, chance_ratio=5.5)
    assert "could not be compared" in told(candidate, "slices")
    assert failed(candidate, limits(slices__may_be_unmeasured=False)) == ["slices"]
    assert failed(judged(), limits(slices__may_be_unmeasured=False)) == []


def test_what_was_judged_on_a_simulation_is_not_for_people() -> None:
    assert failed(judged(simulated=True)) == ["real_data"]
    assert failed(judged(simulated=None)) == ["real_data"]
    assert failed(judged(simulated=True), limits(real_data__required=False)) == []


FIGURE = st.floats(-1, 5) | st.none()


@given(low=st.floats(-1, 1), width=st.floats(0, 1), more=st.floats(0, 1))
def test_a_worse_bundle_never_passes_where_a_better_one_fails(
    low: float, width: float, more: float
) -> None:
    def with_difference(by: float) -> Candidate:
        interval = Interval(low + by, low + by, low + width + by)
        return judged(differences={1: interval, 5: interval})

    assert len(failed(with_difference(0.0))) <= len(failed(with_difference(more)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_whatever_stands_in_a_document_is_a_figure_or_unknown(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    path = tmp_path_factory.mktemp("any") / "metrics.json"
    gates = {"mixed_pairs": content, "calibration_slope": content, "slices": content}
    plain = dict.fromkeys(("bundle_version", "simulated", "data_until"), content)
    document = {"gates": gates, **plain}
    path.write_text(json.dumps(document))
    try:
        found = read_evaluation(path)
    except ConfigurationRefused:
        return  # JSON knows no such number
    assert found.calibration_slope is None
    assert set(found.differences.values()) == {None}
    assert found.worst_ratio is None
    assert failed(replace(CANDIDATE, evaluation=found))


def test_the_document_of_an_evaluation_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    interval = {"value": 0.1, "low": 0.0, "high": 0.2}
    document: dict[str, Any] = {
        "bundle_version": "new",
        "champion_version": None,
        "simulated": True,
        "data_until": "2026-04-30T12:00:00+02:00",
        "gates": {
            "mixed_pairs": {"difference_at_1": interval, "difference_at_5": {"value": 0.1}},
            "calibration_slope": interval,
            "slices": {"worst_ratio": 2, "chance_ratio": None},
        },
    }
    path.write_text(json.dumps(document))
    found = read_evaluation(path)
    assert (found.bundle_version, found.champion_version, found.simulated) == ("new", None, True)
    assert found.data_until == datetime(2026, 4, 30, 10, tzinfo=UTC)
    assert found.differences == {1: Interval(0.1, 0.0, 0.2), 5: None}
    assert found.calibration_slope == Interval(0.1, 0.0, 0.2)
    assert (found.worst_ratio, found.chance_ratio) == (2.0, None)
    for content in (b"", b"[]", b"no json"):
        path.write_bytes(content)
        with pytest.raises(ConfigurationRefused):
            read_evaluation(path)
    with pytest.raises(ConfigurationRefused, match="cannot be read"):
        read_evaluation(tmp_path / "none.json")


def test_every_problem_of_the_limits_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused) as caught:
        limits_of(
            {
                "certificate": {"required": 1, "min_days_left": -1},
                "evaluation": {"max_data_age_days": 30},
                "mixed_pairs": {"max_difference_at_1": float("nan"), "max_difference_at_5": 0.1},
                "calibration": {
                    "min_slope": 0.9,
                    "max_slope": True,
                    "told_from": 0.5,
                    "told_to": 2.0,
                    "may_be_unmeasured": False,
                },
                "slices": {
                    "max_times_chance": 1.5,
                    "told_up_to": 5.0,
                    "may_be_unmeasured": False,
                    "ratio": 2,
                },
            }
        )
    lines = {problem.split(": ")[1] for problem in caught.value.problems}
    assert lines == {
        "real_data.required",
        "certificate.required",
        "certificate.min_days_left",
        "mixed_pairs.max_difference_at_1",
        "calibration.max_slope",
        "slices.ratio",
    }
    for content in ("certificate", "certificate = 3"):
        (tmp_path / "gates.toml").write_text(content)
        with pytest.raises(ConfigurationRefused):
            read_limits(tmp_path / "gates.toml")
    with pytest.raises(ConfigurationRefused, match="cannot be read"):
        read_limits(tmp_path / "none.toml")
