"""A bundle for the processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.bundle.example import example


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle") / "whole"
    example().write(directory)
    return directory
