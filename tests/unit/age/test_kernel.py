"""The compiled kernel agrees with the plain one, and refuses what is no plan."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pairguard.age import _compiled_kernel as compiled
from pairguard.age import kernel, plain_kernel
from pairguard.age.batch import AgeCase, assess_ages
from pairguard.age.evidence import AgeEvidence, CheckResult, SelfDeclared
from pairguard.age.fusion import in_company, rows_of_one
from pairguard.age.fusion_plan import AttackMixture, Factors, FusionPlan
from pairguard.age.likelihood import item_likelihoods
from pairguard.age.parameters import AGE_COUNT, Array
from pairguard.age.posterior import assess_age
from pairguard.age.tables import AgeTables
from tests.domain import (
    NOW,
    TABLES,
    captured_items,
    default_tables_document,
    document_check,
    live,
)

TOLERANCE = 1e-12
WEIGHTS = TABLES.fusion_weights
PLAIN_TABLES = AgeTables.from_mapping(default_tables_document())
"""With memory of its own: what one kernel fused is not the other's."""


def told_to_fuse(
    evidence: Sequence[AgeEvidence],
) -> tuple[FusionPlan, list[Array], list[Array]] | None:
    """What ``fuse`` takes of some evidence; None: it says nothing."""
    items = item_likelihoods(TABLES, evidence, now=NOW)
    sessions = [item.observation.capture_session for item in evidence]
    told, company, sitting = in_company(TABLES, items, sessions)
    if not told:
        return None
    plan = company.plan(sitting)
    return plan, *rows_of_one(plan, told)


def test_the_compiled_kernel_counts_where_pairguard_is_developed() -> None:
    assert kernel.COMPILED


@given(st.lists(captured_items, min_size=1, max_size=8))
def test_both_kernels_fuse_alike(evidence: list[AgeEvidence]) -> None:
    told = told_to_fuse(evidence)
    if told is None:
        return
    plan, relative, alone = told

    likelihood, summary = kernel.fuse(plan, WEIGHTS, relative, alone)
    plain_likelihood, plain_summary = plain_kernel.fuse(plan, WEIGHTS, relative, alone)

    np.testing.assert_allclose(likelihood, plain_likelihood, rtol=TOLERANCE, atol=0.0)
    np.testing.assert_allclose(summary, plain_summary, rtol=TOLERANCE, atol=0.0)
    found, running = kernel.posteriors(TABLES.prior("", ""), likelihood)
    plain, plain_running = plain_kernel.posteriors(TABLES.prior("", ""), plain_likelihood)
    np.testing.assert_allclose(found, plain, rtol=10 * TOLERANCE, atol=0.0)
    np.testing.assert_allclose(running, plain_running, rtol=10 * TOLERANCE, atol=0.0)


@given(st.lists(captured_items, min_size=1, max_size=6), st.integers(1, 40))
def test_many_have_the_bits_of_one(evidence: list[AgeEvidence], count: int) -> None:
    told = told_to_fuse(evidence)
    if told is None:
        return
    plan, relative, alone = told
    factors = np.linspace(0.5, 1.0, count)[:, np.newaxis]
    stacked = [row * factors for row in relative], [row * factors for row in alone]
    many = kernel.fuse(plan, WEIGHTS, *stacked)

    for person, factor in enumerate(factors):
        one = kernel.fuse(
            plan, WEIGHTS, [r * factor for r in relative], [r * factor for r in alone]
        )
        assert one[0].tobytes() == many[0][person].tobytes()
        assert one[1].tobytes() == many[1][person].tobytes()


@given(st.lists(st.integers(-3, 40), max_size=60), st.lists(st.floats(allow_nan=True), max_size=3))
def test_numbers_at_random_are_no_plan(program: list[int], shares: list[float]) -> None:
    with pytest.raises(ValueError, match=r"plan|expected"):
        _fuse_by(np.array(program, dtype=np.int64), np.array(shares), np.empty(9))


@pytest.mark.parametrize("wrong", [-1, 2**32, 2**63 - 1, -(2**63)])
def test_every_number_of_a_plan_is_checked(wrong: int) -> None:
    plan = _of_everything()
    for place in range(len(plan.program)):
        program = plan.program.copy()
        program[place] = wrong
        with pytest.raises(ValueError, match="plan"):
            _fuse_by(program, plan.shares, np.empty(plan.summary_size))


@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        (4, 4),  # the first step makes an item
        (4, 8),  # or what stands for ones
        (5, 9),  # from what is beyond
        (5, 7),  # from a group that is made later
        (4, 6),  # from a group that is made by nobody
        (10, 6),  # and so group 7 is made by nobody
        (14, 8),  # a likelihood holds what stands for ones
    ],
)
def test_a_place_just_outside_is_refused(number: int, wrong: int) -> None:
    plan = _of_everything()
    assert plan.program[:7].tolist() == [5, 3, 1, 3, 5, 0, 1]
    program = plan.program.copy()
    program[number] = wrong

    with pytest.raises(ValueError, match="plan"):
        _fuse_by(program, plan.shares, np.empty(plan.summary_size))


@given(st.data(), st.integers(-2, 12))
def test_a_plan_with_a_wrong_number_writes_nowhere_else(data: st.DataObject, wrong: int) -> None:
    plan = _of_everything()
    program = plan.program.copy()
    program[data.draw(st.integers(0, len(program) - 1))] = wrong
    guarded = np.full(plan.summary_size + 2, 7.0)

    with suppress(ValueError):
        _fuse_by(program, plan.shares, guarded[1:-1])

    assert guarded[0] == guarded[-1] == 7.0


def test_one_number_too_few_or_too_many_is_no_plan() -> None:
    plan = _of_everything()
    summary = np.empty(plan.summary_size)
    for program in (plan.program[:-1].copy(), np.append(plan.program, 0)):
        with pytest.raises(ValueError, match="plan"):
            _fuse_by(program, plan.shares, summary)
    for shares in (plan.shares[:-1].copy(), np.append(plan.shares, 0.5)):
        with pytest.raises(ValueError, match="plan"):
            _fuse_by(plan.program, shares, summary)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_both_kernels_fuse_everything_alike(count: int, seed: int, single: bool) -> None:
    draw = np.random.default_rng(seed)
    plan, shape = _of_everything(), (AGE_COUNT,) if single else (count, AGE_COUNT)
    relative = [draw.uniform(0.0, 1.0, shape) for _ in range(plan.items)]
    relative[2][..., -1] = 3.0  # a group's best age may be the last
    alone = [draw.uniform(0.0, 1.0, shape) for _ in range(plan.items)]
    prior = draw.uniform(0.0, 1.0, shape)

    found = kernel.fuse(plan, WEIGHTS, relative, alone)
    plain = plain_kernel.fuse(plan, WEIGHTS, relative, alone)
    posteriors = kernel.posteriors(prior, found[0])
    plain_posteriors = plain_kernel.posteriors(prior, plain[0])

    for ours, theirs in zip((*found, *posteriors), (*plain, *plain_posteriors), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=10 * TOLERANCE, atol=0.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_taken_for_none(bad: float) -> None:
    plan, ones = _of_everything(), np.ones(AGE_COUNT)
    for place in (0, 1, 2, 3):
        relative = [np.ones(AGE_COUNT) for _ in range(plan.items)]
        relative[place][40] = bad
        for module in (kernel, plain_kernel):
            with np.errstate(all="ignore"):
                likelihood, _ = module.fuse(plan, WEIGHTS, relative, [ones] * plan.items)
            with np.errstate(all="ignore"), pytest.raises(FloatingPointError):
                module.posteriors(ones, likelihood)


_WITH_STUB = """
import importlib.abc, importlib.util, sys

class Stub(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "pairguard.age._compiled_kernel":
            return importlib.util.spec_from_file_location(name, sys.argv[1])

sys.meta_path.insert(0, Stub())
from pairguard.age import kernel
print(kernel.COMPILED)
"""


@pytest.mark.parametrize(
    ("library", "counts"),
    [("raise ImportError", "False"), ("LAYOUT = 0", "False"), ("LAYOUT = 1", "True")],
)
def test_a_library_counts_where_it_is_there_and_of_this_layout(
    tmp_path: Path, library: str, counts: str
) -> None:
    stub = tmp_path / "stub.py"
    stub.write_text(library, encoding="utf-8")
    said = subprocess.run(
        [sys.executable, "-c", _WITH_STUB, stub], check=True, capture_output=True, text=True
    )
    assert said.stdout.strip() == counts


@given(st.lists(st.lists(captured_items, max_size=6), min_size=1, max_size=5), st.integers(1, 3))
def test_numpy_alone_assesses_many_as_one_and_as_the_compiled_kernel(
    people: list[list[AgeEvidence]], copies: int
) -> None:
    prior = TABLES.prior("", "")
    cases = [AgeCase(prior, evidence, NOW) for evidence in people] * copies
    compiled_ones = [assess_age(TABLES, prior=prior, evidence=each, now=NOW) for each in people]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kernel, "COMPILED", False)
        many = assess_ages(PLAIN_TABLES, cases)
        ones = [assess_age(PLAIN_TABLES, prior=prior, evidence=each, now=NOW) for each in people]

    for place, assessed in enumerate(many):
        one, theirs = ones[place % len(people)], compiled_ones[place % len(people)]
        assert assessed.probabilities.tobytes() == one.probabilities.tobytes()
        assert assessed.cumulative.tobytes() == one.cumulative.tobytes()
        assert assessed.conflict == one.conflict == theirs.conflict
        np.testing.assert_allclose(
            one.probabilities, theirs.probabilities, rtol=100 * TOLERANCE, atol=0.0
        )


def test_rows_of_other_lengths_are_refused() -> None:
    plan, relative, alone = _two_items()
    mixture, line = plan.mixture, WEIGHTS.under.size
    told = (plan.program, plan.shares, mixture.honest, mixture.attacked, WEIGHTS.packed, line)
    likelihood, summary = np.empty(AGE_COUNT), np.empty(plan.summary_size)

    for rows in (relative[:1], [*relative, relative[0]], [relative[0], relative[1][:-1].copy()]):
        with pytest.raises(ValueError, match="expected"):
            compiled.fuse(*told, rows, alone, likelihood, summary)
    with pytest.raises(ValueError, match="expected"):
        compiled.fuse(*told, relative, alone, likelihood, summary[:-1].copy())
    with pytest.raises(ValueError, match="101 ages"):
        compiled.fuse(*told, relative, alone, likelihood[:-1].copy(), summary)


def test_a_product_that_is_not_finite_is_refused() -> None:
    ones = np.ones(AGE_COUNT)
    for likelihood in (np.zeros(AGE_COUNT), ones * np.nan, ones * np.inf):
        for module in (kernel, plain_kernel):
            with pytest.raises(FloatingPointError):
                module.posteriors(ones, likelihood)


def test_without_a_compiler_numpy_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, relative, alone = _two_items()
    compiled_likelihood, _ = kernel.fuse(plan, WEIGHTS, relative, alone)
    monkeypatch.setattr(kernel, "COMPILED", False)

    likelihood, _ = kernel.fuse(plan, WEIGHTS, relative, alone)

    assert likelihood.tobytes() == plain_kernel.fuse(plan, WEIGHTS, relative, alone)[0].tobytes()
    np.testing.assert_allclose(likelihood, compiled_likelihood, rtol=TOLERANCE)


def _of_everything() -> FusionPlan:
    """Return a plan with all that a plan can have, of five items and three groups."""
    ages = np.linspace(0.0, 1.0, AGE_COUNT)
    attack = np.stack([0.1 + 0.2 * ages, 0.3 - 0.2 * ages, np.full(AGE_COUNT, 0.05)])
    posing = np.where(ages > 0.18, 0.02, 0.0) * np.ones((3, 1))
    apart = Factors((0,), (5, 6), 0.4, 7)
    return FusionPlan(
        items=5,
        tempered=(),
        products=((5, 0, 1), (6, 2, 3), (7, 5, 6)),
        mixture=AttackMixture.from_rates(attack, posing),
        first_whole=1,
        all=apart,
        borrowed=Factors((2, 6)),
        live=Factors((1,), (5, 6), 0.7, 7),
        unusable=(4,),
        alone=frozenset({0, 1, 2, 4}),
    )


def _fuse_by(program: NDArray[np.int64], shares: Array, summary: Array) -> None:
    """Have the compiled kernel fuse five items and three groups by some numbers."""
    plan, row = _of_everything(), np.ones(AGE_COUNT)
    rows = [row] * plan.items
    mixture, line = plan.mixture, WEIGHTS.under.size
    out = np.empty(AGE_COUNT)
    compiled.fuse(
        program, shares, mixture.honest, mixture.attacked, WEIGHTS.packed, line, rows, rows, out,
        summary,
    )  # fmt: skip


def _two_items() -> tuple[FusionPlan, list[Array], list[Array]]:
    told = told_to_fuse([live(SelfDeclared(19.0)), document_check(CheckResult.OVER)])
    assert told is not None
    return told
