"""Generates the Python code of the contract, or checks that the committed code still is that code.

Owns the choice of compiler plugins and which files they run on. It must not know what the contract
says. The output depends on the contract and on the versions of the tools alone: the locked
development environment gives the same bytes everywhere.

Run from anywhere with the development environment's Python::

    python proto/generate.py            # write service/pairguard/v1
    python proto/generate.py --check    # compare with it; exit 1 and show how it drifted
"""

# ruff: noqa: T201  a command: what it prints is what it is for

from __future__ import annotations

import argparse
import difflib
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

PROTO_ROOT = Path(__file__).resolve().parent
OUTPUT_ROOT = PROTO_ROOT.parent / "service"
PACKAGE = Path("pairguard", "v1")
SERVICE_SUFFIX = "_service.proto"
SHOWN_DIFFERENCE_LINES = 60

PACKAGE_MODULE = '''"""Messages and stubs generated from ``proto/pairguard/v1``: do not edit.

``<file>_pb2`` hold the messages and need only protobuf; ``<file>_service_pb2_grpc`` need grpc.
"""
'''


class GenerationError(Exception):
    """The code cannot be generated; the message says what is missing or what the compiler said."""


def main() -> int:
    """Generate or check.

    Returns:
        Exit status: 0 done or no drift, 1 drift, 2 the code cannot be generated.
    """
    parser = argparse.ArgumentParser(description="Generate the Python code of the contract.")
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 on a difference")
    check_only = parser.parse_args().check
    directory = OUTPUT_ROOT / PACKAGE
    try:
        generated = generate()
    except GenerationError as failure:
        print(f"proto/generate.py: {failure}", file=sys.stderr)
        return 2
    committed = read_files(directory)
    drifted = sorted(
        name
        for name in generated.keys() | committed.keys()
        if generated.get(name) != committed.get(name)
    )
    shown = directory.relative_to(PROTO_ROOT.parent)
    if check_only:
        if not drifted:
            print(f"{shown}: {len(generated)} files agree with the contract")
            return 0
        print(f"{shown} is not what the contract generates; run `make gen`", file=sys.stderr)
        for name in drifted:
            print_difference(name, committed.get(name), generated.get(name))
        return 1
    write_files(directory, generated, drifted)
    print(f"{shown}: {len(generated)} files, {len(drifted)} changed")
    return 0


def generate() -> dict[str, bytes]:
    """Compile the contract.

    Returns:
        Content of each file of the package, by file name.

    Raises:
        GenerationError: A tool is missing or the compiler refused the contract.
    """
    files = sorted(path.relative_to(PROTO_ROOT) for path in (PROTO_ROOT / PACKAGE).glob("*.proto"))
    if not files:
        raise GenerationError(f"no .proto file in {PACKAGE}")
    # Files without a service would only give empty stub modules.
    services = [path for path in files if path.name.endswith(SERVICE_SUFFIX)]
    with tempfile.TemporaryDirectory(prefix="pairguard-gen-") as directory:
        compile_files(files, {"python": "", "mypy": "quiet"}, directory)
        compile_files(services, {"grpc_python": "", "mypy_grpc": "quiet"}, directory)
        generated = read_files(Path(directory) / PACKAGE)
    return {"__init__.py": PACKAGE_MODULE.encode(), **generated}


def compile_files(files: list[Path], outputs: Mapping[str, str], directory: str) -> None:
    """Run the compiler once.

    Args:
        files: Files to compile, relative to the root of the contract.
        outputs: Options of each output plugin, by the plugin's name.
        directory: Where the output goes.

    Raises:
        GenerationError: A tool is missing or the compiler refused a file.
    """
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO_ROOT}"]
    for name, options in outputs.items():
        command.append(
            f"--{name}_out={options}:{directory}" if options else f"--{name}_out={directory}"
        )
        if name.startswith("mypy"):
            command.append(f"--plugin=protoc-gen-{name}={plugin_path(f'protoc-gen-{name}')}")
    command += [path.as_posix() for path in files]
    finished = subprocess.run(  # noqa: S603  our own compiler on our own files
        command, capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise GenerationError(f"the compiler failed:\n{finished.stderr.strip()}")


def plugin_path(name: str) -> Path:
    """Find a compiler plugin beside the running Python, so that its version is the locked one."""
    path = Path(sysconfig.get_path("scripts")) / name
    if not os.access(path, os.X_OK):
        raise GenerationError(
            f"{name} is not installed beside {Path(sys.executable).name}; "
            "use the Python of the development environment (`make venv`)"
        )
    return path


def read_files(directory: Path) -> dict[str, bytes]:
    """Read the Python modules and stubs of a directory, by name; empty if there is none."""
    return {
        path.name: path.read_bytes()
        for path in sorted(directory.glob("*.py*"))
        if path.suffix in {".py", ".pyi"}
    }


def write_files(directory: Path, generated: Mapping[str, bytes], names: list[str]) -> None:
    """Write the named files where they changed and remove those that are generated no longer."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        content = generated.get(name)
        if content is None:
            (directory / name).unlink()
        else:
            (directory / name).write_bytes(content)


def print_difference(name: str, committed: bytes | None, generated: bytes | None) -> None:
    """Print how a committed file differs from the generated one, shortened."""
    if committed is None or generated is None:
        print(
            f"{name}: {'missing' if committed is None else 'not generated any more'}",
            file=sys.stderr,
        )
        return
    lines = list(
        difflib.unified_diff(
            committed.decode().splitlines(),
            generated.decode().splitlines(),
            f"committed {name}",
            f"generated {name}",
            lineterm="",
        )
    )
    print("\n".join(lines[:SHOWN_DIFFERENCE_LINES]), file=sys.stderr)
    if len(lines) > SHOWN_DIFFERENCE_LINES:
        print(f"... {len(lines) - SHOWN_DIFFERENCE_LINES} more lines", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
