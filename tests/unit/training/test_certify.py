"""A certificate: who counts, what it says, when it is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairguard.bundle.defaults import default_age_tables, default_catalogue, default_policy_text
from pairguard.bundle.loading import load_bundle
from pairguard.bundle.manifest import CERTIFICATE as CERTIFICATE_FILE
from pairguard.policy.certificate import ACROSS, ALL, ELSEWHERE, parse_certificate
from pairguard.policy.certified_lines import certified_policy
from pairguard.policy.promises import Promise, PromiseKind
from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard_training.__main__ import EXIT_REFUSED, main
from pairguard_training.certification.certifying import KeptPromise, certify
from pairguard_training.certification.coverage import (
    BEST_SEED,
    CERTIFICATE,
    CONFORMAL,
    QUANTILE,
    REUSED,
    measure_coverage,
)
from pairguard_training.certification.register import REGISTER
from pairguard_training.certification.simulated_population import Population, mixed_probability
from pairguard_training.certification.verified_people import (
    Array,
    Holdout,
    Index,
    VerifiedPeople,
    held_out_people,
)
from pairguard_training.simulation.platform import simulate
from pairguard_training.splitting import Part, split_tables
from pairguard_training.tables.reading import Tables, read_tables
from tests.domain import default_policy_document, merged
from tests.unit.policy.certificates import ASKED
from tests.unit.training.small_world import default_policy
from tests.unit.training.tables_of_rows import DAY_0, Rows, snapshot, tables_of_rows

MODEL = RiskModel(default_age_tables(), default_catalogue(), None, None)
MIXED = Promise(PromiseKind.MIXED_PAIRS_ALLOWED, 0.05, 0.95)


def people(
    minors: int, adults: int, *, regions: Sequence[str] = (ALL,), **changes: Any
) -> VerifiedPeople:
    """Return people whose pair score is that of the minor: its place among the minors."""
    count = minors + adults
    ages = np.array([16.0] * minors + [30.0] * adults)
    place = np.arange(count, dtype=np.float64)
    score = (place % max(minors, 1) + 1.0) / (max(minors, 1) + 1.0)

    def of_the_minor(first: Index, _second: Index) -> Array:
        return score[first]

    values: dict[str, Any] = {
        "ids": [f"p{each:05d}" for each in range(count)],
        "strata": np.array([regions[each % len(regions)] for each in range(count)]),
        "adult_ages": np.full(count, 18),
        "youngest": ages,
        "oldest": ages,
        "sampling": np.ones(count),
        "adult_gate": score,
        "minor_gate": score,
        "pair_scores": of_the_minor,
    }
    return VerifiedPeople(**(values | changes))


def found(kept: KeptPromise) -> dict[str, tuple[int, int, float | None]]:
    return {each.stratum: (each.n, each.k, each.threshold) for each in kept.strata}


def test_of_598_mixed_pairs_without_a_miss_half_a_percent_can_be_promised() -> None:
    promise = Promise(PromiseKind.MIXED_PAIRS_ALLOWED, 0.005, 0.95)
    few = certify(people(597, 2_000), promise, regions=(), holdout_hash="h").strata[0]
    enough = certify(people(598, 2_000), promise, regions=(), holdout_hash="h").strata[0]

    assert (few.n, few.k, few.threshold, few.needed) == (597, -1, None, 598)
    assert (enough.n, enough.k, enough.needed) == (598, 0, 598)
    assert enough.threshold == 0.0016  # below 1 / 599, the smallest score


@pytest.mark.parametrize(
    ("kind", "n"),
    [
        (PromiseKind.MIXED_PAIRS_ALLOWED, 400),
        (PromiseKind.MINORS_ADMITTED, 400),
        (PromiseKind.ADULTS_ADMITTED, 900),
    ],
)
def test_each_kind_counts_its_own(kind: PromiseKind, n: int) -> None:
    kept = certify(people(400, 900), Promise(kind, 0.05, 0.95), regions=(), holdout_hash="h")

    assert kept.strata[0].n == n
    threshold = kept.strata[0].threshold
    assert threshold is not None
    counted = (np.arange(n) % 400 + 1) / 401
    assert (counted <= threshold).sum() <= kept.strata[0].k


def test_delta_is_split_over_strata_and_pairs_across_are_one_of_them() -> None:
    everybody = people(1_200, 3_000, regions=("US", "GB", ELSEWHERE))
    kept = certify(everybody, MIXED, regions=("US", "GB"), holdout_hash="h")

    assert {each.stratum for each in kept.strata} == {"US", "GB", ELSEWHERE, ACROSS}
    assert [each.delta for each in kept.strata] == pytest.approx([0.05 / 4] * 4)
    counts = {name: n for name, (n, _, _) in found(kept).items()}
    assert counts["US"] == counts["GB"] == counts[ELSEWHERE] == 400
    assert counts[ACROSS] == pytest.approx(800, abs=80)


def test_what_is_left_of_delta_is_what_is_spent() -> None:
    everybody = people(400, 900)
    whole, half = (
        certify(everybody, MIXED, regions=(), holdout_hash="h", delta_share=share).strata[0]
        for share in (1.0, 2.0**-11)
    )
    assert half.delta == pytest.approx(whole.delta * 2.0**-11)
    assert half.k < whole.k
    assert half.needed is not None
    assert whole.needed is not None
    assert half.needed > whole.needed


def test_a_label_error_makes_the_number_stricter_or_impossible() -> None:
    everybody = people(400, 900)
    kinds = (PromiseKind.MIXED_PAIRS_ALLOWED, PromiseKind.MINORS_ADMITTED)
    for kind, error in zip(kinds, (1 - 0.99**2, 0.01), strict=True):
        promise = Promise(kind, 0.05, 0.95)
        kept = certify(everybody, promise, regions=(), holdout_hash="h", label_error=0.01)
        exact = certify(everybody, promise, regions=(), holdout_hash="h")
        assert kept.label_error == pytest.approx(error)
        assert kept.alpha * (1 - error) + error == pytest.approx(0.05)
        assert kept.strata[0].k < exact.strata[0].k
        none = certify(everybody, promise, regions=(), holdout_hash="h", label_error=0.06)
        assert none.strata[0].threshold is None
        assert "err" in none.strata[0].problem


def test_people_of_two_adult_ages_are_told_apart_or_refused() -> None:
    ages = np.where(np.arange(1_300) % 2 == 0, 18, 19)
    both = people(400, 900, regions=("KR", ELSEWHERE), adult_ages=ages)
    kept = certify(both, MIXED, regions=("KR",), holdout_hash="h")
    together = certify(
        people(400, 900, adult_ages=ages), MIXED, regions=(), holdout_hash="h"
    ).strata[0]

    assert "18, 19" in together.problem
    assert together.threshold is None
    assert {each.stratum: each.adult_ages for each in kept.strata} == {
        "KR": (18,),
        ELSEWHERE: (19,),
        ACROSS: (18, 19),
    }
    assert all(number is not None for _, _, number in found(kept).values())


def pairs_across(
    youngest: Sequence[float], adult_ages: Sequence[int], strata: Sequence[str], *, seeds: int
) -> Counter[tuple[int, int]]:
    """Return how often each pair across is counted, over certifications of other seeds."""
    counted: Counter[tuple[int, int]] = Counter()

    def scores(first: Index, second: Index) -> Array:
        taken = [*first.tolist(), *second.tolist()]
        assert len(taken) == len(set(taken))  # nobody is in two pairs
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            counted[min(a, b), max(a, b)] += 1
        return np.ones(first.size)

    ages = np.array(youngest)
    everybody = people(
        len(ages),
        0,
        strata=np.array(strata),
        adult_ages=np.array(adult_ages),
        youngest=ages,
        oldest=ages,
        pair_scores=scores,
    )
    for seed in range(seeds):
        certify(everybody, MIXED, regions={"US", "GB", "KR"}, holdout_hash=str(seed))
    # Pairs of one region are of its own stratum.
    return Counter({(a, b): times for (a, b), times in counted.items() if strata[a] != strata[b]})


def mixed_across(
    youngest: Sequence[float], adult_ages: Sequence[int], strata: Sequence[str]
) -> set[tuple[int, int]]:
    """Return the pairs of two strata that are mixed under either one's adult age."""
    return {
        (a, b)
        for a, b in combinations(range(len(youngest)), 2)
        if strata[a] != strata[b]
        and any(
            min(youngest[a], youngest[b]) < line <= max(youngest[a], youngest[b])
            for line in (adult_ages[a], adult_ages[b])
        )
    }


SOMEBODY = st.tuples(
    st.sampled_from([12.0, 17.5, 18.0, 18.5, 19.0, 20.5, 30.0]),
    st.sampled_from([("US", 18), ("GB", 18), ("KR", 19), (ELSEWHERE, 21)]),
)


@given(members=st.lists(SOMEBODY, min_size=2, max_size=6))
@settings(max_examples=20)
def test_every_pair_across_that_is_mixed_under_either_adult_age_counts_and_no_other(
    members: list[tuple[float, tuple[str, int]]],
) -> None:
    youngest = [age for age, _ in members]
    strata = [name for _, (name, _) in members]
    adult_ages = [line for _, (_, line) in members]

    found = pairs_across(youngest, adult_ages, strata, seeds=90)
    assert set(found) == mixed_across(youngest, adult_ages, strata)


def test_a_minor_with_one_who_is_an_adult_in_most_regions_counts_beside_a_region_of_19() -> None:
    """Each mixed pair is as likely as any other, so that the bound is one of their rate."""
    youngest = [17.2, 18.5, 18.5, 18.5, 25.0, 30.0]
    strata = ["US", "GB", "GB", "KR", "KR", "GB"]
    adult_ages = [18, 18, 18, 19, 19, 18]

    found = pairs_across(youngest, adult_ages, strata, seeds=1_500)
    assert set(found) == {(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 4), (2, 4), (3, 5)}
    assert all(times / 1_500 == pytest.approx(1 / 5, abs=0.045) for times in found.values())


def test_whoever_may_be_a_minor_counts_as_one_and_whoever_may_be_an_adult_too() -> None:
    """A label of 17 whole years, some months old."""
    unsure = people(
        400,
        900,
        youngest=np.array([17.4] * 400 + [30.0] * 900),
        oldest=np.array([18.39] * 400 + [30.0] * 900),
    )
    minors = certify(
        unsure, Promise(PromiseKind.MINORS_ADMITTED, 0.05, 0.95), regions=(), holdout_hash="h"
    )
    adults = certify(
        unsure, Promise(PromiseKind.ADULTS_ADMITTED, 0.05, 0.95), regions=(), holdout_hash="h"
    )
    assert minors.strata[0].n == 400
    assert adults.strata[0].n == 1_300


# ---- who counts -------------------------------------------------------------------------------


def holdout(tables: Tables, **options: Any) -> Holdout:
    return held_out_people(
        MODEL, tables, split_tables(tables, seed=1), policy=default_policy(), **options
    )


def labels(*names: str, **values: object) -> Rows:
    row = {"age_years": 17.0, "verified_time": DAY_0, "sampling_probability": 0.5}
    return [row | {"participant_id": name} | values for name in names]


def test_only_people_of_the_test_part_count(tmp_path: Path) -> None:
    names = [f"p{place}" for place in range(60)]
    tables = tables_of_rows(
        tmp_path,
        snapshots=[snapshot(name, region="GB") for name in names],
        age_labels=labels(*names),
    )
    parts = split_tables(tables, seed=1).parts

    assert set(holdout(tables).people.ids) == {n for n in names if parts[n] is Part.TEST}
    assert set(holdout(tables, unseen=True).people.ids) == set(names)


def test_households_count_once_and_hidden_places_not_at_all(tmp_path: Path) -> None:
    rows = [
        snapshot("a", region="GB", cluster_id="home"),
        snapshot("b", region="GB", cluster_id="home"),
        snapshot("c", region="GB") | {"signal.vpn": 1.0},
        snapshot("d", region=None),
        snapshot("e", region="US-CA"),
        snapshot("f", region="KR"),
    ]
    tables = tables_of_rows(tmp_path, snapshots=rows, age_labels=labels(*"abcdef"))
    counted = holdout(tables, unseen=True, regions=frozenset({"US"}))

    ids = set(counted.people.ids)
    assert len(ids & {"a", "b"}) == 1
    assert ids - {"a", "b"} == {"e", "f"}
    by_id = dict(zip(counted.people.ids, counted.people.strata.tolist(), strict=True))
    assert (by_id["e"], by_id["f"]) == ("US", ELSEWHERE)
    assert sorted(counted.people.adult_ages.tolist()) == [18, 18, 19]


def test_somebody_of_an_unknown_probability_is_left_out_where_others_have_one(
    tmp_path: Path,
) -> None:
    rows = [*labels("a"), *labels("b", sampling_probability=None)]
    tables = tables_of_rows(
        tmp_path / "some", snapshots=[snapshot(n, region="GB") for n in "ab"], age_labels=rows
    )
    nobody = tables_of_rows(
        tmp_path / "none",
        snapshots=[snapshot(n, region="GB") for n in "ab"],
        age_labels=labels("a", "b", sampling_probability=None),
    )

    assert holdout(tables, unseen=True).people.ids == ["a"]
    unknown = holdout(nobody, unseen=True)
    assert len(unknown.people.ids) == 2
    assert not unknown.sampling_known


def _check(name: str, when: datetime, **values: object) -> dict[str, object]:
    return {
        "snapshot_id": name,
        "kind": "age_check",
        "observed_time": when,
        "provider": "p",
        "binding": "LIVE_PERSON",
        "method": "ID_DOCUMENT",
        "threshold_years": 18.0,
        "result": "UNDER",
        "liveness": "PASSED",
        **values,
    }


def test_the_check_that_labelled_and_later_ones_are_not_scored(tmp_path: Path) -> None:
    """Else every labelled minor would be found out, and the certificate would be of the label."""
    later = DAY_0 + timedelta(days=20)
    rows = [snapshot(name, region="GB", observed_time=later) for name in ("told", "bare", "old")]
    evidence = [
        _check("told", DAY_0 + timedelta(days=10), evidence_id="label"),
        _check("told", DAY_0 + timedelta(days=15), evidence_id="after"),
        _check("old", DAY_0 - timedelta(days=15), evidence_id="before"),
    ]
    rows_of_labels = labels(
        "told", "bare", "old", verified_time=DAY_0 + timedelta(days=10), evidence_id="label"
    )
    counted = holdout(
        tables_of_rows(tmp_path, snapshots=rows, age_evidence=evidence, age_labels=rows_of_labels),
        unseen=True,
    ).people
    place = {name: index for index, name in enumerate(counted.ids)}

    def score(one: str, other: str) -> float:
        pair = np.array([place[one]]), np.array([place[other]])
        return float(counted.pair_scores(*pair)[0])

    assert score("told", "old") == score("bare", "old")
    assert score("told", "bare") != score("told", "old")
    assert counted.minor_gate[place["told"]] == 1.0
    assert counted.minor_gate[place["old"]] < 0.5
    assert counted.adult_gate[place["told"]] == 1.0  # nothing known opens no pool


def test_a_label_in_whole_years_leaves_the_birthday_open(tmp_path: Path) -> None:
    later = DAY_0 + timedelta(days=365.25 / 2)
    rows = [snapshot(name, region="GB", observed_time=later) for name in "abc"]
    given = [
        *labels("a", age_years=17.0),
        *labels("b", age_years=17.25),
        *labels("c", age_years=16.0, verified_time=None),
    ]
    counted = holdout(tables_of_rows(tmp_path, snapshots=rows, age_labels=given), unseen=True)
    people = counted.people

    assert people.youngest.tolist() == pytest.approx([17.5, 17.75, 16.0])
    assert people.oldest.tolist() == pytest.approx([18.5, 17.75, 17.0])
    assert people.may_be_minor.tolist() == [True, True, True]
    assert people.may_be_adult.tolist() == [True, False, False]


def test_the_hash_of_the_people_depends_on_no_order_of_rows(
    small_world: Path, tmp_path: Path
) -> None:
    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    for path in small_world.glob("*.parquet"):
        pl.read_parquet(path).sample(fraction=1.0, shuffle=True, seed=4).write_parquet(
            shuffled / path.name
        )
    one, other = (holdout(read_tables(path)) for path in (small_world, shuffled))

    assert one.content_hash == other.content_hash
    promises = [
        certify(each.people, MIXED, regions=(), holdout_hash=each.content_hash)
        for each in (one, other)
    ]
    assert promises[0] == promises[1]


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated platform of other people than the bundle has seen."""
    directory = tmp_path_factory.mktemp("others") / "tables"
    simulate(directory, participants=3_000, pairs=0, seed=8)
    return directory


# ---- the command ------------------------------------------------------------------------------


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    text = "\n".join(
        f"{line}\nmax_minor_adult_miss_rate = 0.4\nconfidence = 0.9"
        if line.startswith("[default.thresholds]")
        else line
        for line in default_policy_text().splitlines()
    )
    path.write_text(text, encoding="utf-8")
    return path


def test_a_bundle_is_certified_as_its_policy_asks_and_nothing_else_of_it_changes(
    small_world: Path, small_bundle: Path, tmp_path: Path, policy_file: Path
) -> None:
    register = str(tmp_path / "register.json")
    arguments = ["--tables", str(small_world), "--bundle", str(small_bundle)]
    arguments += ["--policy", str(policy_file), "--register", register]
    arguments += ["--max-minor-admitted-rate", "0.5", "--confidence", "0.8"]
    for name in ("one", "two"):  # the same again is no second use
        assert main(["certify", *arguments, "--out", str(tmp_path / name)]) == 0
    one, two = (load_bundle(tmp_path / name) for name in ("one", "two"))
    before = load_bundle(small_bundle)

    assert one.version == two.version != before.version
    assert one.manifest.model_hash == before.manifest.model_hash
    changed = {
        name
        for name, content in before.manifest.files.items()
        if one.manifest.files[name] != content
    }
    assert changed == {CERTIFICATE_FILE}
    certificate = parse_certificate(one.certificate)
    assert certificate.model_hash == before.manifest.model_hash
    assert {each.promise for each in certificate.promises} == {
        Promise(PromiseKind.MIXED_PAIRS_ALLOWED, 0.4, 0.9),
        Promise(PromiseKind.MINORS_ADMITTED, 0.5, 0.8),
    }
    for name in ("data_hash", "model_hash", "expire_time", "not_promised", "holdout"):
        assert one.certificate[name]
    (stratum,) = one.certificate["promises"][0]["strata"]
    for name in ("n", "k", "delta", "threshold", "adult_ages"):
        assert stratum[name] is not None
    assert one.certificate["data_hash"] == before.manifest.data_hash


def test_what_the_trainer_writes_keeps_the_promises_of_a_policy(
    others: Path, small_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rates = ["minor-adult-miss", "minor-admitted", "adult-admitted"]
    options = [part for rate in rates for part in (f"--max-{rate}-rate", "0.4")]
    arguments = [*of(others, small_bundle, tmp_path), *options, "--out", str(out)]
    assert main(["certify", *arguments]) == 0
    lines = {
        "thresholds": ASKED["thresholds"] | {"max_minor_adult_miss_rate": 0.4},
        "gates": ASKED["gates"] | {"max_minor_admitted_rate": 0.4, "max_adult_admitted_rate": 0.5},
    }
    policy = Policy.from_mapping(merged(default_policy_document(), {"default": lines}))
    certificate = parse_certificate(load_bundle(out).certificate)

    _, outcomes = certified_policy(policy, certificate, usable=True)

    kept = {(each.place, each.promise.kind): each.kept for each in outcomes}
    assert all(kept["default", kind] for kind in PromiseKind)
    assert not any(kept["KR", kind] for kind in PromiseKind)  # nobody of 19 was counted


def of(tables: Path, bundle: Path, directory: Path) -> list[str]:
    """Return the arguments for a bundle and people that it has not seen."""
    register = ["--register", str(directory / "register.json")]
    return ["--tables", str(tables), "--bundle", str(bundle), "--unseen", *register]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["certify", *arguments]) == EXIT_REFUSED
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_other_uses_of_the_same_people_are_refused_or_pay(
    others: Path, small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = of(others, small_bundle, tmp_path)
    first = [*same, "--max-minor-adult-miss-rate", "0.4"]
    assert main(["certify", *first, "--out", str(tmp_path / "first")]) == 0
    second = [*same, "--max-minor-adult-miss-rate", "0.45"]

    said = refused([*second, "--out", str(tmp_path / "second")], capsys)
    assert "--reuse" in said
    assert not (tmp_path / "second").exists()
    assert main(["certify", *second, "--reuse", "--out", str(tmp_path / "second")]) == 0

    def stratum(name: str) -> dict[str, Any]:
        document = json.loads((tmp_path / name / CERTIFICATE_FILE).read_bytes())
        found: dict[str, Any] = document["promises"][0]["strata"][0] | document["holdout"]
        return found

    assert (stratum("first")["earlier_certifications"], stratum("first")["delta_share"]) == (0, 1.0)
    assert stratum("second")["earlier_certifications"] == 1
    assert stratum("second")["delta_share"] == 2.0**-11
    assert stratum("second")["delta"] == pytest.approx(0.05 * 2.0**-11)


def test_too_few_people_are_told_how_many_would_suffice_and_are_not_used_up(
    small_world: Path, small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register = tmp_path / "register.json"
    said = refused(
        [
            "--tables",
            str(small_world),
            "--bundle",
            str(small_bundle),
            "--max-minor-adult-miss-rate",
            "0.001",
            "--max-minor-admitted-rate",
            "0.005",
            "--register",
            str(register),
            "--out",
            str(tmp_path / "out"),
        ],
        capsys,
    )

    assert "TOO_FEW_PEOPLE" in said
    assert "of the 2995 that would suffice" in said
    assert "of the 598 that would suffice" in said
    assert not (tmp_path / "out").exists()
    assert not register.exists() or not json.loads(register.read_bytes())["uses"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing is promised"),
        (["--max-minor-adult-miss-rate", "0.4", "--unseen"], "fitted to these very tables"),
        (["--max-minor-adult-miss-rate", "0.9"], "must lie from 1e-05 to 0.5"),
        (["--max-minor-adult-miss-rate", "0.4", "--stratum", "us"], "--stratum us"),
        (["--max-minor-adult-miss-rate", "0.4", "--valid-days", "999"], "--valid-days"),
        (["--max-minor-adult-miss-rate", "0.4", "--confidence", "0.3"], "--confidence"),
    ],
)
def test_a_wrong_argument_is_named(
    small_world: Path,
    small_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    options: list[str],
    words: str,
) -> None:
    arguments = ["--tables", str(small_world), "--bundle", str(small_bundle)]
    said = refused([*arguments, *options, "--out", str(tmp_path / "out")], capsys)

    assert words in said
    assert not (tmp_path / "out").exists()
    assert not (small_world.parent / REGISTER).exists()


def test_people_of_other_tables_must_be_said_to_be_unseen(
    others: Path, small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = of(others, small_bundle, tmp_path)
    arguments += ["--max-minor-adult-miss-rate", "0.4", "--out", str(tmp_path / "out")]

    said = refused([part for part in arguments if part != "--unseen"], capsys)
    assert "--unseen" in said
    assert not (tmp_path / "out").exists()
    assert main(["certify", *arguments]) == 0
    assert load_bundle(tmp_path / "out").certificate["holdout"]["unseen"] is True


# ---- recalibrations ---------------------------------------------------------------------------


def test_certificates_hold_as_often_as_they_say_and_quantiles_do_not() -> None:
    rng = np.random.default_rng(11)
    is_minor = rng.random(4_000) < 0.3
    minor = np.clip(rng.beta(2.0, 2.0, 4_000) * 0.6 + 0.4 * is_minor, 1e-9, 1 - 1e-9)
    population = Population(
        minor=minor,
        is_minor=is_minor,
        regions=rng.choice(np.array(["US", "GB", "FR"]), 4_000),
        sampling=np.where(minor > 0.5, 0.4, 0.2),
        adult_gate=minor,
        minor_gate=1.0 - minor,
    )
    found = {}
    for regions in (frozenset[str](), frozenset({"US"})):
        for each in measure_coverage(
            population.told_apart(regions) if regions else population,
            MIXED,
            recalibrations=60,
            people=900 if not regions else 2_000,
            regions=regions,
            seed=3,
            advance=lambda _: None,
        ):
            found[each.stratum, each.method] = each

    for stratum in (ALL, "US", ELSEWHERE, ACROSS, "any"):
        certificate = found[stratum, CERTIFICATE]
        assert certificate.broken.of == 60
        assert certificate.broken.count <= 9  # 1 in 1,000 by chance where 5 % are promised
        assert certificate.without == 0
    assert found[ALL, QUANTILE].broken.count >= 18
    assert found[ALL, BEST_SEED].broken.count >= 10


@pytest.mark.parametrize("number", [0.0, 0.02, 0.2, 0.5, 0.7, 1.0])
def test_the_truth_of_the_simulation_is_counted_over_all_pairs(number: float) -> None:
    rng = np.random.default_rng(2)
    minor, is_minor = rng.random(80), rng.random(80) < 0.4
    minor[:3] = 0.5
    regions = rng.choice(np.array(["US", ELSEWHERE]), 80)
    population = Population(minor, is_minor, regions, np.ones(80), minor, 1 - minor)
    young, old = np.flatnonzero(is_minor), np.flatnonzero(~is_minor)
    score = mixed_probability(minor[young][:, None], minor[old][None, :])
    apart = regions[young][:, None] != regions[old][None, :]
    us = (regions[young][:, None] == "US") & (regions[old][None, :] == "US")
    kind = PromiseKind.MIXED_PAIRS_ALLOWED

    assert population.rate(kind, ALL, number) == pytest.approx((score <= number).mean())
    for stratum, inside in ((ACROSS, apart), ("US", us)):
        expected = (score[inside] <= number).mean()
        assert population.rate(kind, stratum, number) == pytest.approx(expected)


def test_the_command_prints_every_way_beside_the_certificate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--participants", "1500", "--recalibrations", "4", "--people", "1500"]
    main(["certificate-coverage", *options, "--people-strata", "1500"])
    said = capsys.readouterr().out

    assert "SIMULATED, seed 1" in said
    for word in (CERTIFICATE, QUANTILE, CONFORMAL, REUSED, BEST_SEED, ACROSS, "any"):
        assert word in said
