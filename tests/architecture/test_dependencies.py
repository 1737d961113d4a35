"""The locks: complete, hashed, and free of any host or machine path."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
BASE = PROJECT["project"]["dependencies"]

LOCKS = {
    "build": GROUPS["build"],
    "dev": BASE + EXTRAS["server"] + EXTRAS["training"] + GROUPS["dev"],
    "server": BASE + EXTRAS["server"],
}


def pins(text: str) -> dict[str, list[tuple[str, list[str]]]]:
    """Return each package's locked versions (one a range of Pythons) with their hashes."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for block in re.findall(r"^(?![ #])(?:.*\\\n)*.*$", text, flags=re.MULTILINE):
        if block:
            requirement = Requirement(block.partition(" \\\n")[0])
            (specifier,) = requirement.specifier
            assert specifier.operator == "=="
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", block)
            found.setdefault(canonicalize_name(requirement.name), []).append(
                (specifier.version, hashes)
            )
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host_and_no_path(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()

    assert not re.search(r"https?:|file:|@ |--index|--find-links|(?<![\w.])/", text)


@pytest.mark.parametrize("name", LOCKS)
def test_each_pin_is_hashed(name: str) -> None:
    locked = pins((ROOT / "requirements" / f"{name}.txt").read_text())

    assert locked
    assert [n for n, versions in locked.items() if not all(hashes for _, hashes in versions)] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_the_project_asks_for(name: str) -> None:
    locked = pins((ROOT / "requirements" / f"{name}.txt").read_text())

    for wanted in map(Requirement, LOCKS[name]):
        versions = [version for version, _ in locked.get(canonicalize_name(wanted.name), [])]
        assert versions, wanted
        assert all(wanted.specifier.contains(version) for version in versions), (wanted, versions)


def test_the_image_has_no_training_library_and_no_tool() -> None:
    locked = pins((ROOT / "requirements" / "server.txt").read_text())

    unwanted = {"mypy", "narwhals", "pandas", "pip", "polars", "pyarrow", "pytest"}
    unwanted |= {"scikit-learn", "scipy", "setuptools", "uv"}
    assert not unwanted & set(locked)


def test_shared_packages_have_one_version_in_all_locks() -> None:
    versions: dict[str, set[tuple[str, ...]]] = {}
    for name in LOCKS:
        for package, found in pins((ROOT / "requirements" / f"{name}.txt").read_text()).items():
            versions.setdefault(package, set()).add(tuple(sorted(version for version, _ in found)))

    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("package", "pattern"),
    [
        ("grpcio", r"^GRPC_GENERATED_VERSION = '([\d.]+)'"),
        ("protobuf", r"^# Protobuf Python Version: ([\d.]+)"),
    ],
)
def test_no_release_older_than_the_generated_code_is_admitted(package: str, pattern: str) -> None:
    generated = {
        version
        for path in (ROOT / "service" / "pairguard" / "v1").glob("*.py")
        for version in re.findall(pattern, path.read_text(), flags=re.MULTILINE)
    }
    (requirement,) = (r for r in map(Requirement, BASE) if r.name == package)
    (floor,) = (s.version for s in requirement.specifier if s.operator == ">=")

    assert generated
    assert {version for version in generated if Version(version) > Version(floor)} == set()
