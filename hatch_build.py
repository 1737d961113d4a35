"""Compiles the age kernel while pairguard is installed or its wheel is built.

Owns when and how. Without a compiler pairguard is installed without the kernel and computes the
same in numpy, more slowly; where ``PAIRGUARD_COMPILED`` is ``required`` the build fails instead.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
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
        del version
        root = Path(self.root)
        problem = _compile(root / _SOURCE, root / _LIBRARY)
        if problem is None:
            build_data["artifacts"].append(f"/{_LIBRARY}")
            build_data["pure_python"] = False
            build_data["tag"] = f"cp311-abi3-{_platform()}"
        elif os.environ.get("PAIRGUARD_COMPILED") == "required":
            raise RuntimeError(problem)
        else:
            self.app.display_warning(f"{problem}; ages will be computed in numpy, more slowly")


def _compile(source: Path, library: Path) -> str | None:
    """Compile one module of the stable ABI; return why that was not possible, or None."""
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").exists():
        return f"the compiled kernel needs Python's headers, and there are none in {include}"
    # Another name first: a running process may have the old library mapped.
    unfinished = library.with_suffix(f".{os.getpid()}")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    command = [*compiler, *_FLAGS, f"-I{include}", str(source), "-o", str(unfinished)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - CC's word
        unfinished.replace(library)
    except FileNotFoundError:
        return f"the compiled kernel needs a C compiler, and there is no {compiler[0]}"
    except subprocess.CalledProcessError as error:
        return f"the kernel did not compile: {error.stderr.strip()}"
    finally:
        unfinished.unlink(missing_ok=True)
    return None


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
