"""The default tables reproduce the published figures they were set from."""

from __future__ import annotations

import numpy as np
import pytest

from pairguard_training.published_figures import PUBLISHED_FIGURES, PublishedFigure
from tests.domain import TABLES


@pytest.mark.parametrize("figure", PUBLISHED_FIGURES, ids=lambda figure: figure.what)
def test_a_published_figure_comes_out_of_the_tables(figure: PublishedFigure) -> None:
    assert figure.of_tables(TABLES) == pytest.approx(figure.published, abs=figure.tolerance)


def test_vendor_selfies_are_kinder_than_the_independent_test() -> None:
    ages = [13, 14, 15, 16, 17]
    selfie, independent = (
        TABLES.face_models[preset].probability_at_least(21)[ages].mean()
        for preset in ("vendor_selfie", "independent")
    )
    assert selfie < independent / 3


def test_each_column_of_the_declaration_table_is_a_distribution() -> None:
    assert TABLES.declaration.table.sum(axis=0) == pytest.approx(np.ones(101))
