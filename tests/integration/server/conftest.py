"""Bundles for servers: one with both models, one with none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server.running_server import Running, lenient_policy, serving
from tests.unit.bundle.example import example, example_without_models


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle") / "whole"
    example().write(directory)
    return directory


@pytest.fixture(scope="session")
def bundle_without_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle") / "without-models"
    example_without_models().write(directory)
    return directory


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that several tests share, under a policy that allows checked adults."""
    with serving(bundle, tmp_path_factory.mktemp("server"), policy=lenient_policy()) as running:
        yield running
