"""The compiled kernel agrees with the plain one, and refuses what is no plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.age import _compiled_kernel as compiled
from pairguard.age import kernel, plain_kernel
from pairguard.age.evidence import AgeEvidence, CheckResult, SelfDeclared
from pairguard.age.fusion import in_company
from pairguard.age.fusion_plan import FusionPlan
from pairguard.age.item import ItemLikelihood
from pairguard.age.likelihood import item_likelihoods
from pairguard.age.parameters import AGE_COUNT, Array
from tests.domain import NOW, TABLES, captured_items, document_check, live

TOLERANCE = 1e-12
WEIGHTS = TABLES.fusion_weights


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
    copies = dict(plan.tempered)
    relative = [_relative(item, copies.get(place)) for place, item in enumerate(told)]
    return plan, relative, [item.row for item in told]


def _relative(item: ItemLikelihood, copies: int | None) -> Array:
    return item.relative if copies is None else item.tempered(copies)


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


@given(
    st.lists(st.integers(-3, 40), max_size=60),
    st.lists(st.floats(allow_nan=True), max_size=3),
    st.integers(-2, 200),
)
def test_numbers_that_are_no_plan_are_refused(
    program: list[int], shares: list[float], line: int
) -> None:
    row = np.ones(AGE_COUNT)
    with pytest.raises(ValueError, match=r"plan|expected"):
        compiled.fuse(
            np.array(program, dtype=np.int64),
            np.array(shares),
            np.ones((1, AGE_COUNT)),
            np.ones((1, 2, AGE_COUNT)),
            WEIGHTS.packed,
            line,
            [row, row],
            [row, row],
            np.empty(AGE_COUNT),
            np.empty(9),  # which no plan of these rates tells so much of
        )


@given(st.data(), st.integers(-2, 1_000))
def test_a_plan_with_a_wrong_number_writes_nowhere_else(data: st.DataObject, wrong: int) -> None:
    plan, relative, alone = _two_items()
    program = plan.program.copy()
    program[data.draw(st.integers(0, len(program) - 1))] = wrong
    mixture, size = plan.mixture, plan.summary_size
    guarded = np.full(AGE_COUNT + size + 2, 7.0)
    likelihood, summary = guarded[1 : AGE_COUNT + 1], guarded[AGE_COUNT + 1 : -1]

    try:
        compiled.fuse(
            program,
            plan.shares,
            mixture.honest,
            mixture.attacked,
            WEIGHTS.packed,
            WEIGHTS.under.size,
            relative,
            alone,
            likelihood,
            summary,
        )
    except ValueError:
        assert (guarded == 7.0).all()
    assert guarded[0] == guarded[-1] == 7.0


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


def _two_items() -> tuple[FusionPlan, list[Array], list[Array]]:
    told = told_to_fuse([live(SelfDeclared(19.0)), document_check(CheckResult.OVER)])
    assert told is not None
    return told
