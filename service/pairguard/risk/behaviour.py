"""What behaviour and interests say about an age, as one likelihood over the age grid.

Owns the step from class scores over age bands to a smooth, bounded likelihood. It must not know
how the posterior combines it with other evidence, nor how the model was trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.parameters import AGE_COUNT, AGE_GRID
from pairguard.errors import BundleRefused
from pairguard.risk.trees import TreeModel

Array = NDArray[np.float64]

CLIP_NATS = 4.0
"""Most that behaviour may move the log-likelihood of a band from that of the whole population."""

_KEYS = ("columns", "band_edges", "band_centres", "log_prior", "temperature", "clip_nats")


class BehaviourAgeModel:
    """A classifier over age bands, read as a likelihood.

    With p the classifier's probabilities and q those of its training population, band k gets
    ``temperature * (log p_k - log q_k)``: Bayes' rule solved for the likelihood, relative to the
    population's. It is clipped, then interpolated between the bands' centres, so that the line
    between minors and adults is a slope and not a step. Adding a constant to all scores changes
    nothing.
    """

    def __init__(
        self,
        trees: TreeModel,
        *,
        columns: Sequence[int],
        band_edges: Sequence[int],
        log_prior: Sequence[float] | Array,
        temperature: float,
        clip_nats: float = CLIP_NATS,
        band_centres: Sequence[float] | None = None,
    ) -> None:
        """Bind a classifier to its parameters.

        Args:
            trees: One raw score per band.
            columns: Indices into the catalogue's vector, in the order of the model's features.
            band_edges: Lowest age of each band in years, the first 0.
            log_prior: Log of each band's share in training; normalised here.
            temperature: Factor > 0 on the log-likelihood; below 1 where the model is too sure.
            clip_nats: Bound on the log-likelihood of a band, > 0.
            band_centres: Age in years that each band's likelihood stands for, inside its band;
                None: midpoints, and for the last band its edge plus half the band before it.

        Raises:
            BundleRefused: With reason ``BUNDLE_INVALID`` where the parts do not fit together.
        """
        self.columns = tuple(columns)
        self.band_edges = tuple(band_edges)
        centres = _midpoints(self.band_edges) if band_centres is None else tuple(band_centres)
        self.band_centres = centres
        self.temperature = float(temperature)
        self.clip_nats = float(clip_nats)
        self.log_prior: Array = np.array(log_prior, dtype=np.float64)
        problems = self._problems(trees)
        if problems:
            raise BundleRefused(
                f"behaviour age model: {'; '.join(problems)}", reason="BUNDLE_INVALID"
            )
        self.log_prior = self.log_prior - np.logaddexp.reduce(self.log_prior)
        self._trees = trees.with_missing_as_majority()
        self._picked = np.array(self.columns, dtype=np.intp)
        place = np.interp(AGE_GRID + 0.5, centres, np.arange(len(centres), dtype=np.float64))
        self._left = np.minimum(place.astype(np.intp), len(centres) - 2)
        self._weight = place - self._left

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], trees: TreeModel) -> BehaviourAgeModel:
        """Read the parameters, the constructor's keyword arguments by their names.

        Raises:
            BundleRefused: Where one is missing, unknown or does not fit.
        """
        wrong = sorted(set(mapping).symmetric_difference(_KEYS) - {"band_centres", "clip_nats"})
        if wrong:
            raise BundleRefused(
                f"behaviour age model: missing or unknown {', '.join(wrong)}",
                reason="BUNDLE_INVALID",
            )
        try:
            return cls(trees, **mapping)
        except (TypeError, ValueError) as error:
            raise BundleRefused(f"behaviour age model: {error}", reason="BUNDLE_INVALID") from error

    def to_mapping(self) -> dict[str, Any]:
        """Return the parameters that ``from_mapping`` reads."""
        return {
            "columns": list(self.columns),
            "band_edges": list(self.band_edges),
            "band_centres": list(self.band_centres),
            "log_prior": self.log_prior.tolist(),
            "temperature": self.temperature,
            "clip_nats": self.clip_nats,
        }

    def log_likelihood(self, values: Array) -> Array | None:
        """Return the log-likelihood of one participant's behaviour at each age.

        Args:
            values: The catalogue's vector; NaN: unknown.

        Returns:
            Shape ``(101,)``, within +-clip_nats; None where every input is unknown, which says
            nothing about the age.
        """
        row = values[self._picked]
        if math.isnan(np.fmax.reduce(row)):  # the greatest of those that are known
            return None
        return self._over_ages(self._trees.raw_score(row))

    def log_likelihoods(self, values: Array) -> Array:
        """Return the log-likelihoods of many participants, the same bits as one by one.

        Args:
            values: Shape ``(n, columns of the catalogue)``.

        Returns:
            Shape ``(n, 101)``; zeros where every input is unknown.
        """
        rows = values[:, self._picked]
        likelihoods = self._over_ages(self._trees.raw_scores(rows))
        likelihoods[np.isnan(rows).all(axis=1)] = 0.0
        return likelihoods

    def _over_ages(self, scores: Array) -> Array:
        # Element-wise, and summed band after band: one participant and a batch agree to the bit.
        shifted = scores - np.maximum.reduce(scores, axis=-1, keepdims=True)
        total = np.ascontiguousarray(np.exp(shifted).cumsum(axis=-1)[..., -1:])
        ratio = shifted - np.log(total)
        ratio -= self.log_prior
        ratio *= self.temperature
        np.maximum(ratio, -self.clip_nats, out=ratio)
        np.minimum(ratio, self.clip_nats, out=ratio)
        rise = ratio[..., 1:] - ratio[..., :-1]  # from each band's centre to the next one's
        over_ages: Array = rise.take(self._left, axis=-1)
        over_ages *= self._weight
        over_ages += ratio.take(self._left, axis=-1)
        return over_ages

    def _problems(self, trees: TreeModel) -> list[str]:
        bands = len(self.band_edges)
        bounds = [*self.band_edges, math.inf]
        centred = len(self.band_centres) == bands and all(
            low <= centre < high
            for low, centre, high in zip(bounds, self.band_centres, bounds[1:], strict=False)
        )
        checks = [
            (bands < 2 or bounds[0] != 0, "band_edges must begin at 0 and part two bands"),
            (any(low >= high for low, high in pairwise(bounds)), "band_edges must rise"),
            (
                max(self.band_edges, default=0) >= AGE_COUNT,
                f"band_edges must lie below {AGE_COUNT}",
            ),
            (not centred, "band_centres must lie in their bands"),
            (self.log_prior.shape != (bands,), "log_prior must have one number a band"),
            (not np.isfinite(self.log_prior).all(), "log_prior must be finite"),
            (not 0.0 < self.temperature < math.inf, "temperature must be above 0"),
            (not 0.0 < self.clip_nats < math.inf, "clip_nats must be above 0"),
            (min(self.columns, default=-1) < 0, "columns must be indices"),
            (len(set(self.columns)) != len(self.columns), "columns must differ"),
            (trees.num_features != len(self.columns), "the trees have another number of features"),
            (trees.num_outputs != bands, "the trees have another number of bands"),
        ]
        return [text for wrong, text in checks if wrong]


def _midpoints(edges: Sequence[int]) -> tuple[float, ...]:
    if len(edges) < 2:
        return ()
    inner = [(low + high) / 2 for low, high in pairwise(edges)]
    return (*inner, edges[-1] + (edges[-1] - edges[-2]) / 2)
