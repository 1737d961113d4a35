"""Raw scores of a LightGBM model, through the C library in LightGBM's wheel.

Owns the native model and its life: it is freed when the last thread that may use it lets go. It
must not know what the rows or the scores mean.

The library is called directly because importing the Python package costs a second where
scikit-learn is installed, and because LightGBM's prepared single-row call is twice as fast.
API: https://lightgbm.readthedocs.io/en/stable/C-API.html
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.errors import BundleRefused, ConfigurationRefused
from pairguard.risk.forest import Forest, read_forest, send_missing_to_majority

Array = NDArray[np.float64]

_FLOAT64 = 1
_RAW_SCORE = 1
_ROW_MAJOR = 1
_ALL_TREES = (0, -1)  # first iteration, number of iterations
_PARAMETERS = b"num_threads=1"
_LIBRARY_NAMES = (
    "lib/lib_lightgbm.so",
    "lib/lib_lightgbm.dylib",
    "bin/lib_lightgbm.dll",
    "lib/lib_lightgbm.dll",
)


class TreeModel:
    """A LightGBM model that any thread may use.

    Single rows keep the interpreter lock, which is cheaper than handing it over for some twenty
    microseconds; batches release it. Both give the same bits, those of LightGBM's own
    ``Booster.predict(raw_score=True)``.

    Attributes:
        forest: The model's trees, as read and checked.
        num_features: Length of a row.
        num_outputs: Raw scores per row.
    """

    def __init__(self, model_text: str) -> None:
        """Load a model text.

        Raises:
            BundleRefused: With reason ``BUNDLE_INVALID`` where the text is no usable model.
            ConfigurationRefused: Where LightGBM's library is not installed.
        """
        self.forest: Forest = read_forest(model_text)
        self.num_features = self.forest.num_features
        self.num_outputs = self.forest.num_outputs
        self._text = model_text
        self._booster = _Booster(model_text, self.forest)
        self._threads = threading.local()

    def raw_score(self, row: Array) -> Array:
        """Return the raw scores of one row.

        Args:
            row: Shape ``(num_features,)``; NaN: missing.

        Returns:
            Shape ``(num_outputs,)``.

        Raises:
            ValueError: Where the row has another shape.
        """
        try:
            predictor: _RowPredictor = self._threads.predictor
        except AttributeError:
            predictor = self._threads.predictor = _RowPredictor(self._booster)
        return predictor.raw_score(row)

    def raw_scores(self, matrix: Array) -> Array:
        """Return the raw scores of many rows, with the interpreter lock released.

        Args:
            matrix: Shape ``(n, num_features)``; NaN: missing.

        Returns:
            Shape ``(n, num_outputs)``.

        Raises:
            ValueError: Where the rows have another length.
        """
        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.num_features:
            raise ValueError(f"rows of {self.num_features} features wanted, got {rows.shape}")
        return self._booster.raw_scores(rows)

    def with_missing_as_majority(self) -> TreeModel:
        """Return a model that never reads a missing value as 0.

        LightGBM does so at splits on features that were never missing in training; there the
        majority of the training rows is followed instead. The model itself where it has none.
        """
        if not self.forest.zero_for_missing:
            return self
        return TreeModel(send_missing_to_majority(self._text))


class _Booster:
    """The native model. Row predictors hold it, so it outlives every one of them."""

    def __init__(self, text: str, forest: Forest) -> None:
        self.handle = ctypes.c_void_p()
        self.num_features = forest.num_features
        self.num_outputs = forest.num_outputs
        iterations = ctypes.c_int()
        library = _released()
        _check(
            library.LGBM_BoosterLoadModelFromString(
                text.encode(), ctypes.byref(iterations), ctypes.byref(self.handle)
            ),
            "loaded",
        )
        _free_with(self, library.LGBM_BoosterFree, self.handle)
        features, classes = ctypes.c_int(), ctypes.c_int()
        _check(library.LGBM_BoosterGetNumFeature(self.handle, ctypes.byref(features)), "asked")
        _check(library.LGBM_BoosterGetNumClasses(self.handle, ctypes.byref(classes)), "asked")
        found = (features.value, classes.value, iterations.value)
        if found != (self.num_features, self.num_outputs, len(forest.trees) // self.num_outputs):
            raise BundleRefused("LightGBM reads the model differently", reason="BUNDLE_INVALID")

    def raw_scores(self, rows: Array) -> Array:
        scores = np.empty((rows.shape[0], self.num_outputs), dtype=np.float64)
        if not rows.shape[0]:
            return scores
        written = ctypes.c_int64()
        _check(
            _released().LGBM_BoosterPredictForMat(
                self.handle,
                ctypes.c_void_p(rows.ctypes.data),
                _FLOAT64,
                rows.shape[0],
                rows.shape[1],
                _ROW_MAJOR,
                _RAW_SCORE,
                *_ALL_TREES,
                _PARAMETERS,
                ctypes.byref(written),
                ctypes.c_void_p(scores.ctypes.data),
            ),
            "evaluated",
        )
        return scores


class _RowPredictor:
    """One thread's prepared call, with the buffers that the library reads and writes."""

    __slots__ = ("__weakref__", "_arguments", "_booster", "_call", "_output", "_row", "_shape")

    def __init__(self, booster: _Booster) -> None:
        self._booster = booster
        self._row = np.empty(booster.num_features, dtype=np.float64)
        self._output = np.empty(booster.num_outputs, dtype=np.float64)
        self._shape = self._row.shape
        configuration = ctypes.c_void_p()
        library = _released()
        _check(
            library.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster.handle,
                _RAW_SCORE,
                *_ALL_TREES,
                _FLOAT64,
                booster.num_features,
                _PARAMETERS,
                ctypes.byref(configuration),
            ),
            "prepared",
        )
        _free_with(self, library.LGBM_FastConfigFree, configuration)
        self._call = _held().LGBM_BoosterPredictForMatSingleRowFast
        self._arguments = (
            configuration,
            ctypes.c_void_p(self._row.ctypes.data),
            ctypes.pointer(ctypes.c_int64()),
            ctypes.c_void_p(self._output.ctypes.data),
        )

    def raw_score(self, row: Array) -> Array:
        if row.shape != self._shape:
            raise ValueError(f"a row of shape {self._shape} wanted, got {row.shape}")
        self._row[:] = row
        if self._call(*self._arguments):
            _check(1, "evaluated")
        return self._output.copy()


@functools.cache
def _path() -> str:
    specification = importlib.util.find_spec("lightgbm")  # finds, does not import
    for directory in (specification and specification.submodule_search_locations) or ():
        for name in _LIBRARY_NAMES:
            try:
                ctypes.CDLL(f"{directory}/{name}")
            except OSError:
                continue
            return f"{directory}/{name}"
    raise ConfigurationRefused(["LightGBM's library cannot be loaded: install pairguard[server]"])


@functools.cache
def _released() -> ctypes.CDLL:
    """Return the library whose calls release the interpreter lock."""
    library = ctypes.CDLL(_path())
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library


@functools.cache
def _held() -> ctypes.PyDLL:
    """Return the library whose calls keep the interpreter lock."""
    return ctypes.PyDLL(_path())


def _free_with(owner: object, free: Callable[[Any], Any], handle: ctypes.c_void_p) -> None:
    # Not at interpreter exit: other threads may still be inside the library then.
    weakref.finalize(owner, free, handle).atexit = False


def _check(status: int, done: str) -> None:
    if status:
        message = _released().LGBM_GetLastError().decode(errors="replace")
        raise BundleRefused(f"tree model cannot be {done}: {message}", reason="BUNDLE_INVALID")
