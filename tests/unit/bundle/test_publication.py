"""Publishing switches whole versions, and only to those that load."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from pairguard.bundle.loading import load_bundle
from pairguard.bundle.publication import current_version, publish, published_versions
from pairguard.errors import BundleRefused
from tests.unit.bundle.example import example, example_without_models


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def other_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "other"
    example_without_models().write(directory, created="2026-02-01T00:00:00Z")
    return directory


def test_a_root_without_versions_has_none(root: Path) -> None:
    assert published_versions(root) == ()
    assert current_version(root) is None


def test_publishing_keeps_history_and_switches(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory)
    second = publish(root, other_directory)
    assert published_versions(root) == (first, second)
    assert current_version(root) == second
    assert load_bundle(root).version == second
    assert load_bundle(root / first).version == first


def test_going_back_is_publishing_the_earlier_version(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory)
    publish(root, other_directory)
    assert publish(root, root / first) == first
    assert load_bundle(root).version == first
    assert len(published_versions(root)) == 2


def test_publishing_twice_changes_nothing(root: Path, bundle_directory: Path) -> None:
    assert publish(root, bundle_directory) == publish(root, bundle_directory)
    assert sorted(path.name for path in root.iterdir()) == sorted(
        ["current", *published_versions(root)]
    )


def test_a_published_version_is_a_copy(root: Path, bundle_directory: Path) -> None:
    version = publish(root, bundle_directory)
    (bundle_directory / "signals.toml").write_text("changed later")
    assert load_bundle(root).version == version


@pytest.mark.parametrize("fault", ["tampered", "does not compose"])
def test_a_bundle_that_does_not_load_is_not_published(
    root: Path, bundle_directory: Path, other_directory: Path, tmp_path: Path, fault: str
) -> None:
    version = publish(root, bundle_directory)
    if fault == "tampered":
        (other_directory / "calibration.json").write_text("{}")
    else:
        other_directory = tmp_path / "wrong"
        example().with_files(calibration__json=b"{}").write(other_directory)
    with pytest.raises(BundleRefused):
        publish(root, other_directory)
    assert load_bundle(root).version == version
    assert published_versions(root) == (version,)


def test_a_version_that_was_damaged_in_the_root_is_not_served(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory)
    second = publish(root, other_directory)
    (root / first / "calibration.json").write_text("{}")
    with pytest.raises(BundleRefused) as caught:
        publish(root, bundle_directory)
    assert caught.value.reason == "BUNDLE_HASH_MISMATCH"
    assert current_version(root) == second


def test_another_version_under_the_name_is_refused(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory)
    (root / first).rename(root / "aside")
    other_directory.rename(root / first)
    with pytest.raises(BundleRefused, match="another version"):
        publish(root, bundle_directory)


def test_a_current_that_is_no_link_is_left_alone(root: Path, bundle_directory: Path) -> None:
    (root / "current").mkdir(parents=True)
    with pytest.raises(BundleRefused, match="must be a link"):
        publish(root, bundle_directory)
    assert (root / "current").is_dir()


def test_a_failed_switch_leaves_the_earlier_version_and_no_leftovers(
    root: Path, bundle_directory: Path, other_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(root, bundle_directory)

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        publish(root, other_directory)
    assert current_version(root) == first
    assert not list(root.glob(".*"))


def test_readers_see_one_version_or_the_other_while_it_is_switched(
    root: Path, other_directory: Path, tmp_path: Path
) -> None:
    example_without_models().write(tmp_path / "first")
    versions = {publish(root, tmp_path / "first"), publish(root, other_directory)}
    done = threading.Event()
    failures: list[BaseException] = []

    def switch() -> None:
        try:
            for _ in range(20):
                for version in sorted(versions):
                    publish(root, root / version)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=switch)
    thread.start()
    seen = set()
    while not done.is_set():
        bundle = load_bundle(root)
        seen.add((bundle.version, bundle.manifest.created))
    thread.join()
    assert not failures
    assert {version for version, _ in seen} <= versions
    assert all(version.startswith(created[:10]) for version, created in seen)


def test_the_version_tells_the_date_and_the_content(root: Path, bundle_directory: Path) -> None:
    version = publish(root, bundle_directory)
    created = json.loads((bundle_directory / "bundle.json").read_bytes())["created"]
    date, digest = version[:10], version[11:]
    assert date == created[:10]
    assert len(digest) == 12
    assert int(digest, 16) >= 0
