from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.admin.deployment import Deployment


@pytest.fixture
def deployment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Deployment:
    return Deployment(tmp_path, capsys)
