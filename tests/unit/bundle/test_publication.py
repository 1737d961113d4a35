"""Publishing switches whole versions, and only to those that load."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from pairguard.bundle.loading import load_bundle
from pairguard.bundle.publication import (
    Expected,
    current_version,
    publish,
    published_versions,
    roll_back,
)
from pairguard.bundle.publication_history import HISTORY, read_history
from pairguard.bundle.signature import make_keys, read_public_keys, sign_bundle
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
        [".lock", "current", "publications.jsonl", *published_versions(root)]
    )
    assert len(read_history(root)) == 1


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
    assert [path.name for path in root.glob(".*")] == [".lock"]


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


def line(root: Path, place: int) -> tuple[str, str | None, str | None]:
    each = read_history(root)[place]
    return each.kind, each.version, each.before


def test_the_history_tells_what_was_current_when_and_on_what_grounds(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory, grounds={"why": "the first"})
    second = publish(root, other_directory)
    assert roll_back(root, grounds={"why": "it was worse"}) == (first, second)

    assert [line(root, place) for place in range(3)] == [
        ("published", first, None),
        ("published", second, first),
        ("rolled_back", first, second),
    ]
    assert [each.grounds.get("why") for each in read_history(root)] == [
        "the first",
        None,
        "it was worse",
    ]
    assert all(each.time.endswith("Z") for each in read_history(root))
    assert load_bundle(root).version == first


def test_going_back_twice_goes_back_two_steps(
    root: Path, bundle_directory: Path, other_directory: Path, tmp_path: Path
) -> None:
    example_without_models().write(tmp_path / "third", created="2026-03-01T00:00:00Z")
    versions = [publish(root, each) for each in (bundle_directory, other_directory)]
    publish(root, tmp_path / "third")

    assert roll_back(root)[0] == versions[1]
    assert roll_back(root)[0] == versions[0]
    with pytest.raises(BundleRefused, match="name a version") as caught:
        roll_back(root)
    assert versions[1] in str(caught.value)
    assert current_version(root) == versions[0]


def test_one_goes_back_to_a_version_that_is_named_and_there(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory)
    second = publish(root, other_directory)
    assert roll_back(root, to=first) == (first, second)
    for name in ("2026-01-01-000000000000", "current", "..", ".lock"):
        with pytest.raises(BundleRefused) as caught:
            roll_back(root, to=name)
        assert caught.value.reason == "BUNDLE_MISSING"
    assert current_version(root) == first
    with pytest.raises(BundleRefused):
        roll_back(root / "nothing")
    assert not (root / "nothing").exists()


def test_one_does_not_go_back_to_a_damaged_version(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory)
    second = publish(root, other_directory)
    (root / first / "calibration.json").write_text("{}")
    with pytest.raises(BundleRefused):
        roll_back(root)
    assert current_version(root) == second
    assert len(read_history(root)) == 2


def test_a_bundle_that_was_judged_beside_another_one_is_not_published(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    with pytest.raises(BundleRefused) as caught:
        publish(root, bundle_directory, expected=Expected("2026-01-01-000000000000"))
    assert caught.value.reason == "PUBLICATION_OVERTAKEN"
    first = publish(root, bundle_directory, expected=Expected(None))
    with pytest.raises(BundleRefused) as caught:
        publish(root, other_directory, expected=Expected(None))
    assert caught.value.reason == "PUBLICATION_OVERTAKEN"
    assert current_version(root) == first
    publish(root, other_directory, expected=Expected(first))


def test_of_two_publishers_at_once_one_is_told_that_it_was_overtaken(
    root: Path, bundle_directory: Path, other_directory: Path, tmp_path: Path
) -> None:
    first = publish(root, bundle_directory)
    directories = [other_directory]
    for number in range(3):
        directories.append(tmp_path / f"more-{number}")
        example_without_models().write(directories[-1], created=f"2026-04-0{number + 1}T00:00:00Z")
    outcomes: list[str] = []
    start = threading.Barrier(len(directories))

    def publish_one(directory: Path) -> None:
        start.wait()
        try:
            outcomes.append(publish(root, directory, expected=Expected(first)))
        except BundleRefused as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=publish_one, args=(each,)) for each in directories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count("PUBLICATION_OVERTAKEN") == len(directories) - 1
    assert current_version(root) in outcomes
    assert [line(root, place)[1] for place in (0, 1)] == [first, current_version(root)]
    assert len(read_history(root)) == 2


def test_what_dies_before_the_switch_leaves_the_earlier_version_and_the_next_line_says_so(
    root: Path, bundle_directory: Path, other_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(root, bundle_directory)

    def die(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            publish(root, other_directory)
    assert current_version(root) == first
    assert load_bundle(root).version == first

    second = publish(root, other_directory)
    assert [line(root, place) for place in range(4)] == [
        ("published", first, None),
        ("published", second, first),
        ("found", first, second),
        ("published", second, first),
    ]
    assert roll_back(root)[0] == first


def test_nothing_is_switched_that_the_history_could_not_tell(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory)
    (root / HISTORY).unlink()
    (root / HISTORY).mkdir()
    with pytest.raises(OSError, match="directory"):
        publish(root, other_directory)
    assert current_version(root) == first


def test_a_line_that_was_cut_off_costs_itself_alone(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory)
    with (root / HISTORY).open("ab") as file:
        file.write(b'{"time": "2026-0')
    second = publish(root, other_directory)
    assert [line(root, place)[1] for place in (0, 1)] == [first, second]
    assert roll_back(root)[0] == first


def test_a_link_that_was_turned_by_hand_is_told_by_the_next_line(
    root: Path, bundle_directory: Path, other_directory: Path
) -> None:
    first = publish(root, bundle_directory)
    second = publish(root, other_directory)
    (root / "current").unlink()
    (root / "current").symlink_to(first)
    publish(root, other_directory)
    assert line(root, 2) == ("found", first, second)
    assert line(root, 3) == ("published", second, first)


def test_a_signature_is_published_with_its_bundle_and_may_come_later(
    root: Path, bundle_directory: Path, tmp_path: Path
) -> None:
    make_keys(tmp_path / "private.pem", tmp_path / "public.pem")
    keys = read_public_keys(tmp_path / "public.pem")
    with pytest.raises(BundleRefused, match="signed bundle"):
        publish(root, bundle_directory, public_keys=keys)
    assert not root.exists()
    version = publish(root, bundle_directory)

    sign_bundle(bundle_directory, tmp_path / "private.pem")

    assert publish(root, bundle_directory, public_keys=keys) == version
    assert load_bundle(root, public_keys=keys).version == version
    assert [path.name for path in root.glob(".*")] == [".lock"]


def test_a_damaged_version_is_mended_by_deleting_it_and_publishing_again(
    root: Path, bundle_directory: Path
) -> None:
    version = publish(root, bundle_directory)
    (root / version / "calibration.json").write_text("{}")
    with pytest.raises(BundleRefused):
        publish(root, bundle_directory)
    shutil.rmtree(root / version)
    assert publish(root, bundle_directory) == version
    assert load_bundle(root).version == version
    assert len(read_history(root)) == 1
