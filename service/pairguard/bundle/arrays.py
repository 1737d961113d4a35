"""Arrays of numbers as one archive: NumPy's ``.npz``, with the same bytes for the same arrays.

Owns the subset of the format that a bundle may hold: float64, uncompressed, no pickle. It must not
know what the arrays mean. Archives by ``numpy.savez`` are read as well.
"""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pairguard.errors import BundleRefused

Array = NDArray[np.float64]

_SUFFIX = ".npy"
_EARLIEST_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_ENCRYPTED = 0x1


def write_arrays(arrays: Mapping[str, Array]) -> bytes:
    """Write arrays by name, in the order of their names and without any date."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(arrays):
            content = io.BytesIO()
            array = np.ascontiguousarray(arrays[name], dtype="<f8")
            npy.write_array(content, array, version=(1, 0), allow_pickle=False)
            member = zipfile.ZipInfo(name + _SUFFIX, _EARLIEST_DATE)
            member.create_system = _UNIX
            member.external_attr = 0o644 << 16
            file.writestr(member, content.getvalue())
    return archive.getvalue()


def read_arrays(content: bytes, name: str) -> dict[str, Array]:
    """Read an archive of arrays; nothing larger than the archive itself is ever allocated.

    Raises:
        BundleRefused: With reason ``BUNDLE_INVALID`` where it is no such archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            arrays = {m.filename: _array(file, m) for m in file.infolist()}
            if len(arrays) != len(file.infolist()):
                raise ValueError("a name stands twice")  # noqa: TRY301 - answered below
    except (
        zipfile.BadZipFile,
        ArithmeticError,
        EOFError,
        LookupError,
        MemoryError,
        NotImplementedError,
        OSError,
        RecursionError,
        SyntaxError,
        TypeError,
        ValueError,
        tokenize.TokenError,
    ) as error:
        raise BundleRefused(
            f"{name} is not a readable archive of arrays: {error}", reason="BUNDLE_INVALID"
        ) from error
    return {key.removesuffix(_SUFFIX): array for key, array in arrays.items()}


def _array(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    if not member.filename.endswith(_SUFFIX):
        raise ValueError(f"{member.filename!r} is not an array")
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
        raise ValueError(f"{member.filename!r} must be stored plainly, not compressed")
    content = io.BytesIO(file.read(member))
    if npy.read_magic(content) != (1, 0):
        raise ValueError(f"{member.filename!r} must have format 1.0")
    shape, fortran_order, dtype = npy.read_array_header_1_0(content)
    if dtype != np.dtype("<f8") or fortran_order:
        raise ValueError(f"{member.filename!r} must hold float64 in row order")
    numbers = content.read()
    if min(shape, default=0) < 0 or len(numbers) != 8 * math.prod(shape):
        raise ValueError(f"{member.filename!r} does not have the size that it states")
    return np.frombuffer(numbers, dtype="<f8").astype(np.float64).reshape(shape)
