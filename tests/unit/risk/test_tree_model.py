from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard.errors import BundleRefused
from pairguard.risk.trees import TreeModel
from tests.unit.risk.trained import booster, expected_scores, mixed_rows, text_of

OBJECTIVES = ["regression", "binary", "multiclass"]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_single_rows_and_batches_have_the_bits_of_lightgbm(objective: str) -> None:
    model = booster(objective)
    rows = mixed_rows(400, seed=9)
    rows[0] = np.nan
    rows[1, 3] = 77.0  # a category that training never saw
    expected = expected_scores(model, rows)
    trees = TreeModel(text_of(model))
    assert (trees.num_features, trees.num_outputs) == (6, expected.shape[1])
    assert trees.raw_scores(rows).tobytes() == expected.tobytes()
    singly = np.stack([trees.raw_score(row) for row in rows])
    assert singly.tobytes() == expected.tobytes()


def test_four_threads_at_once_have_the_same_bits() -> None:
    model = booster("multiclass")
    rows = mixed_rows(300, seed=10)
    expected = expected_scores(model, rows)
    trees = TreeModel(text_of(model))

    def score(worker: int) -> bool:
        same = True
        for _ in range(5):
            if worker % 2:
                same &= trees.raw_scores(rows).tobytes() == expected.tobytes()
            else:
                singly = np.stack([trees.raw_score(row) for row in rows])
                same &= singly.tobytes() == expected.tobytes()
        return same

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(score, range(4)))


def test_model_is_freed_when_the_last_thread_lets_go() -> None:
    trees = TreeModel(text_of(booster("binary")))
    native = weakref.ref(trees._booster)
    row = mixed_rows(1, seed=1)[0]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(trees.raw_score, [row] * 8))
        trees.raw_score(row)
        del trees
        gc.collect()
    gc.collect()
    assert native() is None


def test_rows_of_another_shape_are_refused() -> None:
    trees = TreeModel(text_of(booster("binary")))
    for wrong in (np.zeros(5), np.zeros(1), np.zeros((1, 6)), np.zeros(7)):
        with pytest.raises(ValueError, match="shape"):
            trees.raw_score(wrong)
    for wrong in (np.zeros((2, 5)), np.zeros(6)):
        with pytest.raises(ValueError, match="features"):
            trees.raw_scores(wrong)
    assert trees.raw_scores(np.zeros((0, 6))).shape == (0, 1)


def test_rows_of_other_layout_and_type_score_the_same() -> None:
    trees = TreeModel(text_of(booster("regression")))
    rows = mixed_rows(50, seed=11)
    rows[:, 3] = np.nan_to_num(rows[:, 3])
    expected = trees.raw_scores(rows)
    assert (trees.raw_scores(np.asfortranarray(rows)) == expected).all()
    assert (trees.raw_scores(np.repeat(rows, 2, axis=0)[::2]) == expected).all()
    assert (trees.raw_score(np.asfortranarray(rows)[3]) == expected[3]).all()


def test_missing_value_never_reads_as_zero_once_it_follows_the_majority() -> None:
    model = booster("regression")
    trees = TreeModel(text_of(model))
    assert trees.forest.zero_for_missing == {5}
    rows = mixed_rows(200, seed=12)
    followed = trees.with_missing_as_majority()
    assert followed.forest.zero_for_missing == frozenset()
    assert followed.with_missing_as_majority() is followed
    assert followed.raw_scores(rows).tobytes() == trees.raw_scores(rows).tobytes()
    unknown, zero = rows.copy(), rows.copy()
    unknown[:, 5], zero[:, 5] = np.nan, 0.0
    assert trees.raw_scores(unknown).tobytes() == trees.raw_scores(zero).tobytes()
    assert (followed.raw_scores(unknown) != followed.raw_scores(zero)).any()


@pytest.mark.parametrize(
    "text", ["", "tree", "tree\n", "not a model", '{"tree": 1}', "tree\nversion=v4\n", "tree\n\0"]
)
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(BundleRefused) as refused:
        TreeModel(text)
    assert refused.value.reason == "BUNDLE_INVALID"


@given(st.floats(min_value=0.0, max_value=1.0, exclude_max=True))
def test_text_cut_off_anywhere_is_refused(share: float) -> None:
    text = text_of(booster("binary"))
    whole = text.index("end of parameters")
    with pytest.raises(BundleRefused):
        TreeModel(text[: int(share * whole)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version=v4", "version=v9"),
        ("num_class=1", "num_class=2"),
        ("max_feature_idx=5", "max_feature_idx=2"),
        ("objective=binary", "objective="),
        ("num_leaves=8", "num_leaves=9"),
        ("split_feature=", "split_feature=9"),
        ("left_child=", "left_child=-"),
        ("leaf_value=", "leaf_value=x"),
        ("leaf_weight=", "leaf_weight=1 "),
        ("is_linear=0", "is_linear=1"),
        ("shrinkage=1", "shrinkage=nan"),
        ("Tree=1\n", "Tree=7\n"),
        ("cat_threshold=", "cat_threshold=-"),
    ],
)
def test_altered_text_is_refused_although_its_sizes_add_up(old: str, new: str) -> None:
    text = text_of(booster("binary"))
    assert old in text
    with pytest.raises(BundleRefused):
        TreeModel(_with_right_sizes(text.replace(old, new, 1)))


def _with_right_sizes(text: str) -> str:
    head, _, rest = text.partition("\ntree_sizes=")
    body = rest[rest.index("Tree=") : rest.index("end of trees")]
    blocks = ["Tree=" + block for block in body.split("Tree=")[1:]]
    sizes = " ".join(str(len(block)) for block in blocks)
    return f"{head}\ntree_sizes={sizes}\n\n{body}{rest[rest.index('end of trees') :]}"


def test_sizes_helper_leaves_a_good_text_good() -> None:
    text = text_of(booster("binary"))
    rows = mixed_rows(20, seed=3)
    again = TreeModel(_with_right_sizes(text)).raw_scores(rows)
    assert again.tobytes() == TreeModel(text).raw_scores(rows).tobytes()


def test_scoring_imports_no_lightgbm_package() -> None:
    program = (
        "import sys, numpy\n"
        "from pairguard.risk.trees import TreeModel\n"
        "model = TreeModel(sys.stdin.read())\n"
        "model.raw_score(numpy.zeros(6))\n"
        "heavy = {'lightgbm', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)\n"
        "sys.exit(1 if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=text_of(booster("binary")), text=True, check=False
    )
    assert done.returncode == 0
