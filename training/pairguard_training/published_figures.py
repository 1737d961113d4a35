"""What the age tables say of published figures: each beside the source that it was set from.

Owns the figures and how each is computed from tables. It must not know files; what is not published
is not here. The share of an estimator's results in a range is over true ages spread evenly, as the
tests that published it have them by design.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pairguard.age.evidence import CheckMethod
from pairguard.age.tables import AgeTables

NIST = "NIST FATE AEV, page of July 2026, 49 algorithms, visa photos"
NIST_APPLICATION = "NIST FATE AEV, page of July 2026, 49 algorithms, application photos"
YOTI = "Yoti developer documentation and white paper, own selfies"
OFCOM = "Ofcom / Yonder, Children's online user ages, October 2022, via press"
VERIFYMY = "AVPA white paper 2025 quoting VerifyMy: 828 of 847 addresses of under-18s right"

_ESTIMATES = np.arange(0.0, 121.0, 0.1)


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One figure.

    Attributes:
        what: What it is, in words.
        published: Its published value; a share, or years.
        tolerance: How far the tables may be from it, in its unit. Parameters are few and rounded,
            and several figures of one source contradict each other a little.
        source: Who published it.
        of_tables: Computes it from tables.
    """

    what: str
    published: float
    tolerance: float
    source: str
    of_tables: Callable[[AgeTables], float]


def _estimated(
    preset: str, ages: range, low: float, high: float | None
) -> Callable[[AgeTables], float]:
    """Return the share of estimates in [low, high) at true whole years; None: open."""

    def share(tables: AgeTables) -> float:
        model = tables.face_models[preset]
        above = model.probability_at_least(low)
        if high is not None:
            above = above - model.probability_at_least(high)
        return float(above[list(ages)].mean())

    return share


def _mean_absolute_error(preset: str, ages: range) -> Callable[[AgeTables], float]:
    """Return the mean absolute error in years at true whole years, each taken at its middle."""

    def error(tables: AgeTables) -> float:
        model = tables.face_models[preset]
        above = np.stack([model.probability_at_least(x) for x in _ESTIMATES])[:, list(ages)]
        middle = np.array(ages) + 0.5
        step = float(_ESTIMATES[1] - _ESTIMATES[0])
        too_old = np.where(_ESTIMATES[:, None] >= middle, above, 0.0)
        too_young = np.where(_ESTIMATES[:, None] < middle, 1.0 - above, 0.0)
        return float((too_old + too_young).sum(axis=0).mean() * step)

    return error


def _listed(ages: range, at_least: int) -> Callable[[AgeTables], float]:
    """Return the share of people of true whole years who declare at least an age."""

    def share(tables: AgeTables) -> float:
        listed = tables.declaration.range_likelihood(at_least, None)
        return float(listed[list(ages)].mean())

    return share


def _false_over(method: CheckMethod) -> Callable[[AgeTables], float]:
    return lambda tables: tables.checks[method].false_over


PUBLISHED_FIGURES: tuple[PublishedFigure, ...] = (
    PublishedFigure(
        "13-16 estimated 17-22, median algorithm",
        0.6025,
        0.05,
        NIST,
        _estimated("independent", range(13, 17), 17, 23),
    ),
    PublishedFigure(
        "13-16 estimated 17-22, best quartile",
        0.4252,
        0.05,
        NIST,
        _estimated("independent_best_quartile", range(13, 17), 17, 23),
    ),
    PublishedFigure(
        "17 estimated 25 or over, median algorithm",
        0.069,
        0.025,
        NIST_APPLICATION,
        _estimated("independent", range(17, 18), 25, None),
    ),
    PublishedFigure(
        "17 estimated 25 or over, best quartile",
        0.045,
        0.025,
        NIST_APPLICATION,
        _estimated("independent_best_quartile", range(17, 18), 25, None),
    ),
    PublishedFigure(
        "17-22 estimated 13-16, median algorithm",
        0.0257,
        0.05,
        NIST,
        _estimated("independent", range(17, 23), 13, 17),
    ),
    PublishedFigure(
        "mean absolute error at 13-16, years, median algorithm",
        3.44,
        0.5,
        NIST,
        _mean_absolute_error("independent", range(13, 17)),
    ),
    PublishedFigure(
        "13-17 estimated 21 or over, vendor's selfies",
        0.007,
        0.02,
        YOTI,
        _estimated("vendor_selfie", range(13, 18), 21, None),
    ),
    PublishedFigure(
        "mean absolute error at 13-17, years, vendor's selfies",
        1.35,
        0.25,
        YOTI,
        _mean_absolute_error("vendor_selfie", range(13, 18)),
    ),
    PublishedFigure("8-17 listed as 18 or over", 0.32, 0.03, OFCOM, _listed(range(8, 18), 18)),
    PublishedFigure("8-12 listed as 18 or over", 0.23, 0.03, OFCOM, _listed(range(8, 13), 18)),
    PublishedFigure("8-15 listed as 16 or over", 0.47, 0.08, OFCOM, _listed(range(8, 16), 16)),
    PublishedFigure("8-12 listed as 16 or over", 0.39, 0.08, OFCOM, _listed(range(8, 13), 16)),
    PublishedFigure(
        "under 18 taken as adults by e-mail address",
        0.0224,
        0.001,
        VERIFYMY,
        _false_over(CheckMethod.EMAIL),
    ),
)
