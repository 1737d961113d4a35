"""One fresh store of each kind for every test of the suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pairguard.store.ports import HoldStore
from tests.contract.store.adapters import HARNESSES, Harness


@pytest.fixture(params=sorted(HARNESSES))
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return HARNESSES[request.param](tmp_path)


@pytest.fixture
def store(harness: Harness) -> Iterator[HoldStore]:
    opened = harness.open()
    yield opened
    opened.close()
