"""Compiles the age kernel while pairguard is installed or its wheel is built.

Owns when and how. Without a compiler pairguard is installed without the kernel and computes the
same in numpy, more slowly; where ``AGE_KERNEL`` is ``required`` the build fails instead. An
editable install has the library beside its source; what did not compile leaves no older one there.
A wheel's is made elsewhere, so that building one changes nothing in the tree.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SOURCE = Path("service/pairguard/age/_compiled_kernel.c")
_LIBRARY = _SOURCE.with_suffix(".abi3.so")
# Never -ffast-math, never contraction: sums and products are those that the source says.
_FLAGS = ("-O3", "-std=c11", "-fPIC", "-shared", "-ffp-contract=off", "-fvisibility=hidden")


class CompiledKernel(BuildHookInterface[Any]):
    """The hook that hatchling calls before it collects files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell hatchling of the library."""
        source, library = Path(self.root, _SOURCE), Path(self.root, _LIBRARY)
        # What hatchling packs is kept until it has: as long as this process runs.
        self._workplace = tempfile.TemporaryDirectory(prefix="pairguard-kernel-")
        compiled = Path(self._workplace.name, library.name)
        problem = _compile(source, compiled)
        if version == "editable":
            problem = _put_beside_its_source(compiled, library, problem)
        elif problem is None:
            inside = library.relative_to(Path(self.root, "service"))
            build_data["force_include"][str(compiled)] = str(inside)
            build_data["pure_python"] = False
            build_data["tag"] = f"cp311-abi3-{_platform()}"
        if problem is None:
            return
        if os.environ.get("AGE_KERNEL") == "required":
            raise RuntimeError(problem)
        self.app.display_warning(f"{problem}; ages will be computed in numpy, more slowly")


def _compile(source: Path, library: Path) -> str | None:
    """Compile one module of the stable ABI; return why that was not possible, or None."""
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").exists():
        return f"the compiled kernel needs Python's headers, and there are none in {include}"
    try:
        compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
        command = [*compiler, *_FLAGS, f"-I{include}", str(source), "-o", str(library)]
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - CC's word
    except (OSError, ValueError) as error:
        return f"the compiled kernel needs a C compiler: {error}"
    except subprocess.CalledProcessError as error:
        return f"the kernel did not compile: {error.stderr.strip()}"
    return None


def _put_beside_its_source(compiled: Path, library: Path, problem: str | None) -> str | None:
    """Put a compiled library into the tree, or take an older one away; return the problem."""
    if problem is not None:
        library.unlink(missing_ok=True)  # it may be another formula's
        return problem
    # Another name first: a running process may have the old library mapped.
    unfinished = library.with_name(f".{os.getpid()}.{library.name}")
    try:
        unfinished.write_bytes(compiled.read_bytes())
        unfinished.replace(library)
    except OSError as error:
        return f"the compiled kernel could not be put beside its source: {error}"
    finally:
        unfinished.unlink(missing_ok=True)
    return None


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
