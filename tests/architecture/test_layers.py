"""The import contracts of pyproject.toml hold, and each of them can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages under `root`, by the configuration there."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=root,
        env=os.environ
        | {"PYTHONPATH": f"{root / 'service'}:{root / 'training'}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_import_contracts_hold() -> None:
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("service/pairguard/age", "import pairguard.policy", "One way only"),
        ("service/pairguard/store", "import pairguard.server", "One way only"),
        ("service/pairguard/client", "import pairguard.risk", "The client knows the contract"),
        ("service/pairguard/policy", "from os import environ", "The domain knows no wire"),
        ("service/pairguard/risk", "from google.protobuf import any_pb2", "The domain knows no"),
        ("service/pairguard/bundle", "import grpc", "Messages and metrics stop at the edge"),
        ("service/pairguard/server", "import lightgbm", "Serving pays for no training library"),
        ("training/pairguard_training", "import grpc.aio", "Training reaches no server"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(
    tmp_path: Path, module: str, statement: str, contract: str
) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "service", tmp_path / "service", ignore=ignore)
    shutil.copytree(ROOT / "training", tmp_path / "training", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / module / "intruder.py").write_text(f"{statement}\n")

    result = lint_imports(tmp_path)

    assert result.returncode != 0
    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    assert any(line.startswith(contract) for line in broken), result.stdout
