"""A valid bundle on disk for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.bundle.example import example


@pytest.fixture
def bundle_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "bundle"
    example().write(directory)
    return directory
