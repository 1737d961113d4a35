"""What an import costs, seen in a fresh interpreter."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TRAINING_LIBRARIES = {"lightgbm", "pandas", "polars", "pyarrow", "scipy", "sklearn", "tqdm"}


def loaded_by(statement: str, directory: Path) -> set[str]:
    """Return the top-level modules that are loaded after `statement`, away from the source tree."""
    program = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_the_client_loads_no_numerical_library(tmp_path: Path) -> None:
    loaded = loaded_by("import pairguard.client", tmp_path)

    assert {"pairguard", "grpc"} <= loaded
    assert not loaded & (TRAINING_LIBRARIES | {"numpy", "prometheus_client", "pairguard_training"})


def test_the_server_loads_no_training_library(tmp_path: Path) -> None:
    loaded = loaded_by("import pairguard.server.__main__, pairguard.server.running", tmp_path)

    assert {"pairguard", "grpc", "numpy"} <= loaded
    assert not loaded & (TRAINING_LIBRARIES | {"pairguard_training"})


def test_the_supervisor_loads_neither_transport_nor_model(tmp_path: Path) -> None:
    loaded = loaded_by(
        "import pairguard.server.__main__, pairguard.server.processes.supervisor", tmp_path
    )

    assert {"pairguard", "prometheus_client"} <= loaded
    assert not loaded & (TRAINING_LIBRARIES | {"grpc", "google", "numpy"})


@pytest.mark.parametrize("package", ["age", "risk", "policy"])
def test_the_domain_loads_no_transport(tmp_path: Path, package: str) -> None:
    loaded = loaded_by(f"import pairguard.{package}", tmp_path)

    assert not loaded & (TRAINING_LIBRARIES | {"google", "grpc", "prometheus_client", "sqlite3"})


def test_training_loads_no_transport(tmp_path: Path) -> None:
    loaded = loaded_by(
        "from pairguard_training.__main__ import COMMANDS, _command\n"
        "for module, _ in COMMANDS.values(): _command(module)",
        tmp_path,
    )

    assert "lightgbm" in loaded
    assert not loaded & {"grpc", "prometheus_client"}


@pytest.mark.parametrize("folder", ["service", "training"])
def test_the_source_folders_are_no_packages(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists()
    program = f"from importlib.util import find_spec; assert find_spec('{folder}') is None"
    subprocess.run([sys.executable, "-P", "-c", program], check=True, timeout=60)
    assert find_spec(f"pairguard.{folder}") is None
