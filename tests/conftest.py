"""Settings of the whole suite, and what is fitted once for all tests that look at a fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from pairguard_training.bundle_build import write_fit
from pairguard_training.fitting import Fit
from pairguard_training.harm_labels import newest_time
from pairguard_training.tables.reading import Tables
from tests.unit.training.small_world import fit_directory, write_small_world

# An example that takes long is no failure: the suite runs on machines that do other things too.
settings.register_profile("pairguard", deadline=None)
settings.load_profile("pairguard")


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated platform on which harm can be learned: folder of its tables."""
    return write_small_world(tmp_path_factory.mktemp("world") / "tables")


@pytest.fixture(scope="session")
def small_fit(small_world: Path) -> tuple[Tables, Fit]:
    """The small world and what was fitted to it."""
    return fit_directory(small_world)


@pytest.fixture(scope="session")
def small_bundle(small_fit: tuple[Tables, Fit], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of that fit."""
    tables, fit = small_fit
    directory = tmp_path_factory.mktemp("bundle") / "fitted"
    write_fit(directory, fit, created=newest_time(tables), data_hash=tables.data_hash, seed=1)
    return directory
