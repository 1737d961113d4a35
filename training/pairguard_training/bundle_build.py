"""The files of a bundle, made from a fit.

Owns what goes into each file. It must not know how files reach the disk (``pairguard.bundle``)
nor how anything was fitted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pairguard.bundle.arrays import write_arrays
from pairguard.bundle.documents import canonical_json
from pairguard.bundle.loading import PARITY_ROWS
from pairguard.bundle.manifest import (
    AGE_MODEL,
    AGE_TABLES,
    CALIBRATION,
    CERTIFICATE,
    DANGERS,
    HARM_MODEL,
    PARITY,
    REFERENCE,
    SIGNALS,
    Manifest,
)
from pairguard.bundle.writing import write_bundle
from pairguard_training.boosting import raw_scores
from pairguard_training.fitting import Fit
from pairguard_training.reference import reference_document

Array = NDArray[np.float64]


def bundle_files(fit: Fit) -> dict[str, bytes]:
    """Return the content of every file but the manifest."""
    model = fit.model
    files = {
        SIGNALS: model.catalogue.to_toml().encode("utf-8"),
        AGE_TABLES: canonical_json(model.tables.document),
        CERTIFICATE: canonical_json(
            {
                "certified": False,
                "reason": (
                    "No certificate: no miss rate was measured on people kept aside for it. The "
                    "thresholds of the policy rest on the models alone."
                ),
            }
        ),
        REFERENCE: canonical_json(reference_document(model.catalogue, fit.reference)),
    }
    calibration: dict[str, Any] = {"behaviour": None, "harm": None}
    parity: dict[str, Array] = {}
    if model.behaviour is not None and fit.behaviour is not None:
        files[AGE_MODEL] = fit.behaviour.text.encode("utf-8")
        calibration["behaviour"] = model.behaviour.to_mapping()
        parity |= _parity("age", fit.behaviour.booster, fit.behaviour.rows)
    if model.harm is not None and fit.harm is not None:
        files[HARM_MODEL] = fit.harm.text.encode("utf-8")
        calibration["harm"] = model.harm.calibration.to_mapping()
        if model.harm.features.dangers is not None:
            files[DANGERS] = canonical_json(model.harm.features.dangers.to_mapping())
        parity |= _parity("harm", fit.harm.booster, fit.harm.rows)
    files[CALIBRATION] = canonical_json(calibration)
    files[PARITY] = write_arrays(parity)
    return files


def write_fit(
    directory: Path, fit: Fit, *, created: datetime, data_hash: str, seed: int
) -> Manifest:
    """Write a fit as a bundle.

    Args:
        directory: Where it is to be; nothing may be there yet.
        fit: What to write.
        created: The time that the bundle bears.
        data_hash: sha256 of the training data.
        seed: Seed of the fit.

    Raises:
        BundleRefused: Something is there already, or does not fit the format.
    """
    return write_bundle(
        directory,
        bundle_files(fit),
        created=created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        schema_hash=fit.model.catalogue.schema_hash(),
        data_hash=data_hash,
        seeds={"fit": seed},
        metrics=fit.metrics,
        notes=fit.notes,
    )


def _parity(prefix: str, booster: lightgbm.Booster, rows: Array) -> dict[str, Array]:
    """Return rows spread over those that the model was trained on, with LightGBM's own scores."""
    chosen = np.arange(PARITY_ROWS) * rows.shape[0] // PARITY_ROWS
    if rows.shape[0] < PARITY_ROWS:
        chosen = np.arange(PARITY_ROWS) % rows.shape[0]
    picked = np.ascontiguousarray(rows[chosen])
    return {f"{prefix}_rows": picked, f"{prefix}_raw": raw_scores(booster, picked)}
