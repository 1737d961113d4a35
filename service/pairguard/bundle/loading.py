"""From a verified directory to a model that can serve.

Owns the order of verification and the composition of the parts. It must not know who asks for a
bundle, nor what happens when one is refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pairguard.age.tables import AgeTables
from pairguard.bundle.arrays import Array, read_arrays
from pairguard.bundle.directory import BundleFiles, locate_bundle, read_bundle_files
from pairguard.bundle.documents import read_json, read_toml
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
from pairguard.bundle.signature import PublicKeys
from pairguard.errors import BundleRefused, InvalidInput
from pairguard.risk.behaviour import BehaviourAgeModel
from pairguard.risk.calibration import Calibration
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.danger import Dangers
from pairguard.risk.features import PairFeatures
from pairguard.risk.harm import HarmModel
from pairguard.risk.model import RiskModel
from pairguard.risk.trees import TreeModel

PARITY_ROWS = 256
"""Rows of each model whose raw scores a bundle carries."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle, ready to serve.

    Attributes:
        version: ``<date of creation>-<12 hexadecimal digits>``, made from the manifest's bytes.
        model: The models and tables, composed.
        manifest: What the bundle says about itself.
        certificate: What the bundle promises at which threshold; empty: nothing.
        reference: Distributions of the training data, for drift.
        load_seconds: How long reading, verifying and composing took.
    """

    version: str
    model: RiskModel
    manifest: Manifest
    certificate: Mapping[str, Any]
    reference: Mapping[str, Any]
    load_seconds: float


def load_bundle(path: Path, *, public_keys: PublicKeys | None = None) -> Bundle:
    """Load a bundle and verify all of it before anything is used.

    In this order: the manifest, its format version first; the set of files; their hashes; the
    signature, where one is wanted; then each file, the catalogue's schema hash, the sizes of the
    models, and the raw scores that both ways of calling a model must reproduce bit for bit.

    Args:
        path: The directory of one version, or a root whose ``current`` names one.
        public_keys: Whose signature it must have; None: a signature is neither wanted nor looked
            at.

    Raises:
        BundleRefused: With the reason, and the first file that is at fault.
    """
    start = time.perf_counter()
    files = read_bundle_files(locate_bundle(path))
    if public_keys is not None:
        public_keys.verify(files)
    model = compose_model(files)
    return Bundle(
        version=files.version,
        model=model,
        manifest=files.manifest,
        certificate=read_json(files.contents[CERTIFICATE], CERTIFICATE),
        reference=read_json(files.contents[REFERENCE], REFERENCE),
        load_seconds=time.perf_counter() - start,
    )


def compose_model(files: BundleFiles) -> RiskModel:
    """Build the model from verified files.

    Raises:
        BundleRefused: A file makes no sense or does not fit the others.
    """
    contents = files.contents
    with _part(SIGNALS):
        catalogue = SignalCatalogue.from_mapping(read_toml(contents[SIGNALS], SIGNALS))
        schema_hash = catalogue.schema_hash()
    if schema_hash != files.manifest.schema_hash:
        raise BundleRefused(
            f"{SIGNALS} has the schema hash {schema_hash}, the models were made for "
            f"{files.manifest.schema_hash}",
            reason="BUNDLE_SCHEMA_MISMATCH",
        )
    with _part(AGE_TABLES):
        tables = AgeTables.from_mapping(read_json(contents[AGE_TABLES], AGE_TABLES))
    parity = read_arrays(contents[PARITY], PARITY)
    calibration = read_json(contents[CALIBRATION], CALIBRATION)
    behaviour = _behaviour(catalogue, contents, parity, calibration)
    harm = _harm(catalogue, contents, parity, calibration)
    if parity or calibration:
        left = ", ".join(repr(name) for name in sorted([*parity, *calibration]))
        raise BundleRefused(f"{PARITY} or {CALIBRATION}: unknown {left}", reason="BUNDLE_INVALID")
    return RiskModel(tables, catalogue, behaviour, harm)


def _behaviour(
    catalogue: SignalCatalogue,
    contents: Mapping[str, bytes],
    parity: dict[str, Array],
    calibration: dict[str, Any],
) -> BehaviourAgeModel | None:
    parameters = _parameters(calibration, "behaviour", AGE_MODEL, contents)
    if parameters is None:
        return None
    trees = _trees(contents[AGE_MODEL], AGE_MODEL, parity, "age")
    with _part(CALIBRATION):
        behaviour = BehaviourAgeModel.from_mapping(parameters, trees)
        if not set(behaviour.columns) <= set(catalogue.age_columns):
            raise ValueError("the behaviour age model reads what it may not see")
    return behaviour


def _harm(
    catalogue: SignalCatalogue,
    contents: Mapping[str, bytes],
    parity: dict[str, Array],
    calibration: dict[str, Any],
) -> HarmModel | None:
    parameters = _parameters(calibration, "harm", HARM_MODEL, contents)
    if parameters is None:
        if DANGERS in contents:
            raise BundleRefused(
                f"{DANGERS} is there, and no {HARM_MODEL} that would read it",
                reason="BUNDLE_INVALID",
            )
        return None
    trees = _trees(contents[HARM_MODEL], HARM_MODEL, parity, "harm")
    features = PairFeatures(catalogue, _dangers(catalogue, contents))
    with _part(HARM_MODEL):
        constraints = "monotone_constraints=" + " ".join(map(str, features.monotone_constraints))
        if constraints not in contents[HARM_MODEL].decode("utf-8").splitlines():
            raise ValueError("was not trained with the monotone constraints of the catalogue")
    with _part(CALIBRATION):
        return HarmModel(trees, features, Calibration.from_mapping(parameters))


def _dangers(catalogue: SignalCatalogue, contents: Mapping[str, bytes]) -> Dangers | None:
    """Return what weighs a person's signals; None: the harm model was trained without."""
    if DANGERS not in contents:
        return None
    with _part(DANGERS):
        return Dangers.from_mapping(read_json(contents[DANGERS], DANGERS), catalogue.number_columns)


def _parameters(
    calibration: dict[str, Any], key: str, file: str, contents: Mapping[str, bytes]
) -> Mapping[str, Any] | None:
    """Take a model's parameters out of the calibration; None: the bundle has no such model."""
    if key not in calibration:
        raise BundleRefused(
            f"{CALIBRATION}: {key} is missing; null says that there is no such model",
            reason="BUNDLE_INVALID",
        )
    parameters = calibration.pop(key)
    if (parameters is None) != (file not in contents) or not isinstance(parameters, dict | None):
        raise BundleRefused(
            f"{CALIBRATION}: {key} must be an object where there is a {file}, and null otherwise",
            reason="BUNDLE_INVALID",
        )
    return parameters


def _trees(content: bytes, file: str, parity: dict[str, Array], prefix: str) -> TreeModel:
    """Build a model and have it reproduce its raw scores, row by row and all at once."""
    with _part(file):
        trees = TreeModel(content.decode("utf-8"))
    rows, expected = parity.pop(f"{prefix}_rows", None), parity.pop(f"{prefix}_raw", None)
    shape = (PARITY_ROWS, trees.num_features)
    if rows is None or expected is None or rows.shape != shape:
        raise BundleRefused(
            f"{PARITY}: {prefix}_rows of shape {shape} and {prefix}_raw are wanted",
            reason="BUNDLE_INVALID",
        )
    together = trees.raw_scores(rows)
    singly = np.stack([trees.raw_score(row) for row in rows])
    if expected.ndim == 1:
        expected = expected[:, np.newaxis]
    if expected.shape != together.shape:
        raise BundleRefused(
            f"{PARITY}: {prefix}_raw must have shape {together.shape}", reason="BUNDLE_INVALID"
        )
    for scores, way in ((together, "together"), (singly, "singly")):
        # Bytes, so that neither NaN nor the sign of zero is overlooked.
        if scores.tobytes() != expected.tobytes():
            raise BundleRefused(
                f"{file} does not reproduce the raw scores of {PARITY} (rows scored {way}); they "
                "were made by another model or another version of LightGBM",
                reason="BUNDLE_PARITY_FAILED",
                metadata={"file": file},
            )
    return trees


@contextmanager
def _part(file: str) -> Iterator[None]:
    """Name the file at fault in whatever its content made go wrong."""
    try:
        yield
    except BundleRefused as error:
        raise BundleRefused(f"{file}: {error}", reason=error.reason) from error
    except (
        InvalidInput,
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise BundleRefused(f"{file}: {error}", reason="BUNDLE_INVALID") from error
