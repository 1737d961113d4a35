"""Documents and archives: the same bytes out for the same values in, and nothing odd taken in."""

from __future__ import annotations

import io
import math
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from pairguard.bundle.arrays import Array, read_arrays, write_arrays
from pairguard.bundle.defaults import (
    default_age_tables,
    default_catalogue,
    default_policy_text,
)
from pairguard.bundle.documents import canonical_json, read_json, read_toml
from pairguard.errors import BundleRefused

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_json_comes_back_and_is_the_same_bytes_in_any_order(value: dict[str, object]) -> None:
    content = canonical_json(value)
    assert content == canonical_json(dict(reversed(value.items())))
    assert content.endswith(b"\n")
    assert content.isascii()
    assert read_json(content, "x") == value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"a": number})


@pytest.mark.parametrize("content", [b'{"a": NaN}', b'{"a": 1, "a": 1}', b"[]", b"", b"\xff"])
def test_json_that_two_readers_could_take_differently_is_refused(content: bytes) -> None:
    with pytest.raises(BundleRefused):
        read_json(content, "x")


@pytest.mark.parametrize("content", [b"a = ", b"\xff", b"a = 1\na = 2"])
def test_broken_toml_is_refused(content: bytes) -> None:
    with pytest.raises(BundleRefused):
        read_toml(content, "x")


ARRAYS = arrays_of.arrays(
    np.float64, arrays_of.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4)
)


@given(st.dictionaries(st.text("abc_", min_size=1, max_size=4), ARRAYS, max_size=3))
def test_arrays_come_back_bit_for_bit(arrays: dict[str, Array]) -> None:
    content = write_arrays(arrays)
    assert content == write_arrays(dict(reversed(arrays.items())))
    found = read_arrays(content, "x")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_the_layout_in_memory_does_not_matter() -> None:
    array = np.arange(12.0).reshape(3, 4)
    assert write_arrays({"a": array}) == write_arrays({"a": np.asfortranarray(array)})


def test_numpy_reads_what_was_written() -> None:
    content = write_arrays({"a": np.arange(3.0)})
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        assert loaded["a"].tolist() == [0.0, 1.0, 2.0]


def npy(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def archive(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, member in members:
            file.writestr(name, member)
    return content.getvalue()


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        archive([("a.npy", npy(np.arange(3.0)))], zipfile.ZIP_DEFLATED),
        archive([("a.txt", npy(np.arange(3.0)))]),
        archive([("a.npy", b"")]),
        archive([("a.npy", b"\x93NUMPY")]),
        archive([("a.npy", npy(np.arange(3)))]),
        archive([("a.npy", npy(np.arange(3, dtype=np.float32)))]),
        archive([("a.npy", npy(np.array(["text"])))]),
        archive([("a.npy", npy(np.asfortranarray(np.ones((2, 3)))))]),
        archive([("a.npy", npy(np.arange(3.0))[:-1])]),
        archive([("a.npy", npy(np.arange(3.0)) + b"\x00" * 8)]),
        archive([("a.npy", header("(1000000000000000,)"))]),
        archive([("a.npy", header("(-1, -1)") + bytes(8))]),
        archive([("a.npy", header("__import__('os').abort()"))]),
        archive([("a.npy", header("(" * 50))]),
        write_arrays({"a": np.arange(3.0)})[:-30],
    ],
)
def test_an_archive_that_is_not_plain_float64_is_refused(content: bytes) -> None:
    with pytest.raises(BundleRefused) as caught:
        read_arrays(content, "parity.npz")
    assert caught.value.reason == "BUNDLE_INVALID"


def test_a_pickle_is_refused_and_not_run() -> None:
    ran: list[int] = []

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[int]]:
            return ran.append, (1,)

    content = io.BytesIO()
    np.save(content, np.array([Trap()], dtype=object), allow_pickle=True)
    ran.clear()
    with pytest.raises(BundleRefused):
        read_arrays(archive([("a.npy", content.getvalue())]), "parity.npz")
    assert ran == []


def test_the_documents_of_the_package_are_valid() -> None:
    assert default_age_tables().version
    assert default_catalogue().signals
    assert read_toml(default_policy_text().encode(), "default.toml")
