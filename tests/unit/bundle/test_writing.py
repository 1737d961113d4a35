"""A bundle is written whole or not at all, and always as the same bytes."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from pairguard.bundle.loading import load_bundle
from pairguard.bundle.manifest import MANIFEST, SIZE_LIMITS, read_manifest
from pairguard.errors import BundleRefused
from tests.unit.bundle.example import example, example_without_models


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    manifest = example().write(tmp_path / "bundle")
    assert read_manifest((tmp_path / "bundle" / MANIFEST).read_bytes()) == manifest
    assert load_bundle(tmp_path / "bundle").manifest == manifest


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        example().write(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(SIZE_LIMITS)
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert load_bundle(tmp_path / "one").version == load_bundle(tmp_path / "two").version


def test_files_can_be_read_by_a_server_of_another_user(tmp_path: Path) -> None:
    example().write(tmp_path / "bundle")
    assert (tmp_path / "bundle").stat().st_mode & 0o777 == 0o755
    assert all(path.stat().st_mode & 0o444 for path in (tmp_path / "bundle").iterdir())


def test_directories_above_are_made(tmp_path: Path) -> None:
    example().write(tmp_path / "a" / "b" / "bundle")
    load_bundle(tmp_path / "a" / "b" / "bundle")


@pytest.mark.parametrize("kind", ["bundle", "empty directory", "file", "dangling link"])
def test_nothing_is_ever_overwritten(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "bundle"
    if kind == "bundle":
        example_without_models().write(target)
    elif kind == "empty directory":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to("nowhere")
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(BundleRefused) as caught:
        example().write(target)
    assert caught.value.reason == "BUNDLE_EXISTS"
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_two_writers_of_one_bundle_leave_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bundle"
    rename = Path.rename

    def after_the_other(self: Path, to: Path) -> Path:
        monkeypatch.undo()
        example().write(target)
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", after_the_other)
    with pytest.raises(BundleRefused) as caught:
        example().write(target)
    assert caught.value.reason == "BUNDLE_EXISTS"
    load_bundle(target)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("call", range(1, 12))
def test_a_failure_at_any_point_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    calls = 0
    synchronise = os.fsync

    def fail_at_call(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(28, "No space left on device")
        synchronise(descriptor)

    monkeypatch.setattr(os, "fsync", fail_at_call)
    # Ten files and two directories: the last call comes after the bundle is in its place.
    with pytest.raises(OSError, match="No space"):
        example().write(tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Path, to: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        example().write(tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"created": "today"}, "created"),
        ({"schema_hash": "abc"}, "schema_hash"),
        ({"data_hash": ""}, "data_hash"),
        ({"seeds": {"fit": 0.5}}, "seeds"),
        ({"metrics": {"brier_skill": math.nan}}, "JSON compliant"),
        ({"metrics": {"object": object()}}, "not JSON serializable"),
        ({"notes": [1]}, "notes"),
    ],
)
def test_a_manifest_that_could_not_be_read_back_is_refused(
    tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(BundleRefused, match=says) as caught:
        example().write(tmp_path / "bundle", **changes)
    assert caught.value.reason == "BUNDLE_INVALID"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model__pkl", "bundle__json", "../outside"])
def test_a_file_that_the_format_does_not_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleRefused, match="files must name"):
        example().with_files(**{name: b""}).write(tmp_path / "bundle")


@pytest.mark.parametrize("name", ["signals__toml", "parity__npz", "certificate__json"])
def test_a_bundle_without_a_required_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleRefused, match="files must name"):
        example().with_files(**{name: None}).write(tmp_path / "bundle")


def test_a_file_over_its_limit_is_refused(tmp_path: Path) -> None:
    huge = bytes(SIZE_LIMITS["signals.toml"] + 1)
    with pytest.raises(BundleRefused, match=r"signals\.toml is larger"):
        example().with_files(signals__toml=huge).write(tmp_path / "bundle")
