"""How far the simulated face estimators err: bias and scale by age, for each of two providers.

Owns the choice of the error model. It must not know who is estimated nor what an attack shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pairguard.age.face import FaceErrorCurves
from pairguard.age.parameters import AGE_GRID
from pairguard.bundle.defaults import default_age_tables
from pairguard_training.simulation.states import Array, Index, interpolate

Curve = tuple[tuple[float, float], ...]

PLATFORM = "platform"
PRESETS: Mapping[str, str] = {"independent": "independent", "vendor-selfie": "vendor_selfie"}
"""Names that a run is asked for by, and the presets of the age tables that they mean."""
FACE_ERRORS = (PLATFORM, *PRESETS)


@dataclass(frozen=True, slots=True)
class FaceErrors:
    """Bias and scale of the two providers; a t distribution with 4 degrees of freedom has the rest.

    Attributes:
        bias: (age, years) points of each provider.
        scale: The same of the scale of the t distribution.
    """

    bias: tuple[Curve, Curve]
    scale: tuple[Curve, Curve]

    def at(self, age: Array, provider: Index) -> tuple[Array, Array]:
        """Return bias and scale in years at true ages; the arguments broadcast."""
        bias, scale = (
            np.where(provider == 0, interpolate(age, first), interpolate(age, second))
            for first, second in (self.bias, self.scale)
        )
        return bias, scale


# At 13-16 the first follows the best quartile (+1.4) and the second the median (+3.2) of
# independent tests (NIST FATE AEV, July 2026); other ages are assumed.
_OF_PLATFORM = FaceErrors(
    bias=(
        ((8, 0.9), (12, 1.3), (14.5, 1.4), (17, 1.3), (20, 1.0), (30, 0.1), (45, -0.6), (75, -2.0)),
        ((8, 1.8), (12, 2.9), (14.5, 3.2), (17, 2.8), (20, 2.2), (30, 0.3), (45, -0.6), (75, -2.5)),
    ),
    scale=(
        ((8, 1.4), (14.5, 1.7), (17, 1.9), (20, 2.1), (30, 2.6), (75, 4.5)),
        ((8, 1.7), (14.5, 2.1), (17, 2.2), (20, 2.5), (30, 3.2), (75, 5.5)),
    ),
)


def face_errors(name: str) -> FaceErrors:
    """Return an error model by its name in ``FACE_ERRORS``; a preset is that of both providers.

    Frames of one capture are drawn from a symmetric t: of a preset with a skew, which the tables
    may have, the mean of both scales is taken.

    Raises:
        ValueError: There is none of this name.
        TypeError: The preset is no curve.
    """
    if name == PLATFORM:
        return _OF_PLATFORM
    if name not in PRESETS:
        raise ValueError(f"face errors are {name!r}; they should be one of {FACE_ERRORS}")
    model = default_age_tables().face_models[PRESETS[name]]
    if not isinstance(model, FaceErrorCurves):
        raise TypeError(f"the preset {PRESETS[name]!r} has no curves to draw from")
    middle = AGE_GRID + 0.5  # where the tables' years of age stand
    bias, scale = (
        tuple(zip(middle.tolist(), years.tolist(), strict=True))
        for years in (
            model.centre_years - middle,
            (model.scale_below_years + model.scale_above_years) / 2.0,
        )
    )
    return FaceErrors((bias, bias), (scale, scale))
