"""What is installed: everything the packages read, and nothing else."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from pathlib import Path
from types import MappingProxyType
from zipfile import ZipFile

import pytest

import hatch_build

ROOT = Path(__file__).parents[2]
PACKAGES = {"service": "pairguard", "training": "pairguard_training"}


KERNEL = "pairguard/age/_compiled_kernel.abi3.so"


def built(
    directory: Path,
    *,
    tree: Path = ROOT,
    target: str = "wheel",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Build the wheel of a tree, or its source distribution, without network."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", directory],
        cwd=tree,
        check=True,
        capture_output=True,
        timeout=60,
        env=os.environ | dict(environment),
    )
    (path,) = directory.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """The wheel of this tree."""
    with ZipFile(built(tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


def test_the_kernel_is_compiled_for_every_python_from_the_oldest_on(wheel: ZipFile) -> None:
    assert KERNEL in wheel.namelist()
    assert Path(wheel.filename or "").name.split("-")[2:4] == ["cp311", "abi3"]


def test_without_a_compiler_the_wheel_is_pure_unless_that_is_refused(tmp_path: Path) -> None:
    without = {"CC": str(tmp_path / "no-compiler")}
    path = built(tmp_path, environment=without)

    assert path.name.endswith("-py3-none-any.whl")
    with ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".so")]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        built(tmp_path / "refused", environment={"AGE_KERNEL": "required", **without})
    assert b"needs a C compiler" in refused.value.stderr


def test_a_wheel_from_the_source_distribution_holds_the_same(
    wheel: ZipFile, tmp_path: Path
) -> None:
    with tarfile.open(built(tmp_path, target="sdist")) as archive:
        assert not [name for name in archive.getnames() if name.endswith(".so")]
        archive.extractall(tmp_path / "tree", filter="data")
    (tree,) = (tmp_path / "tree").iterdir()

    with ZipFile(built(tmp_path, tree=tree)) as again:
        assert set(again.namelist()) == set(wheel.namelist())


def test_a_wheel_changes_nothing_in_the_tree(tmp_path: Path) -> None:
    library = ROOT / "service" / KERNEL
    before = library.read_bytes(), library.stat().st_mtime_ns
    built(tmp_path / "with")
    built(tmp_path / "without", environment={"CC": str(tmp_path / "no-compiler")})

    assert (library.read_bytes(), library.stat().st_mtime_ns) == before


@pytest.mark.parametrize("compiler", ["'", "/", "false"])
def test_what_is_no_compiler_compiles_nothing(tmp_path: Path, compiler: str) -> None:
    assert built(tmp_path, environment={"CC": compiler}).name.endswith("-py3-none-any.whl")


def test_what_did_not_compile_leaves_no_older_library_in_an_editable_install(
    tmp_path: Path,
) -> None:
    library = tmp_path / "kernel.so"
    library.write_bytes(b"of another formula")

    assert hatch_build._put_beside_its_source(tmp_path / "none", library, "no") == "no"
    assert not library.exists()


def test_every_file_of_the_packages_is_installed(wheel: ZipFile) -> None:
    sources = {
        str(path.relative_to(ROOT / folder))
        for folder, package in PACKAGES.items()
        for path in (ROOT / folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    installed = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert installed == sources
    assert {"pairguard/py.typed", "pairguard_training/py.typed"} <= installed
    assert "pairguard/policy/default.toml" in installed
    assert "pairguard/age/default_tables.json" in installed


def test_the_commands_are_installed(wheel: ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    entry_points = ConfigParser()
    entry_points.read_string(wheel.read(name).decode())

    assert dict(entry_points["console_scripts"]) == {
        "pairguard": "pairguard.admin.__main__:main",
        "pairguard-server": "pairguard.server.__main__:main",
        "pairguard-train": "pairguard_training.__main__:main",
    }
    for target in entry_points["console_scripts"].values():
        assert target.partition(":")[0].replace(".", "/") + ".py" in wheel.namelist()


def test_the_license_is_installed(wheel: ZipFile) -> None:
    licenses = [name for name in wheel.namelist() if name.endswith("/licenses/LICENSE")]

    assert len(licenses) == 1
    assert b"Apache License" in wheel.read(licenses[0])


def test_the_base_install_is_the_client(wheel: ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    required = [
        line.removeprefix("Requires-Dist: ")
        for line in wheel.read(name).decode().splitlines()
        if line.startswith("Requires-Dist: ") and "extra ==" not in line
    ]

    names = {requirement.partition(">")[0].partition("<")[0] for requirement in required}
    assert names == {"googleapis-common-protos", "grpcio", "grpcio-status", "protobuf"}
