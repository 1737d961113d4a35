"""Files that change while somebody uses them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pairguard.errors import ConfigurationRefused
from pairguard.server.followed_files import FollowedFiles


class Watching:
    """A text that is read from two files, at times that a test sets."""

    def __init__(self, directory: Path, *, check_seconds: float = 1.0) -> None:
        self.one, self.two = directory / "one", directory / "two"
        self.one.write_text("1")
        self.two.write_text("2")
        self.now = 100.0
        self.reads = 0
        self.reloads: list[bool] = []
        self.files = FollowedFiles(
            [self.one, self.two],
            self._load,
            on_reload=self.reloads.append,
            check_seconds=check_seconds,
            clock=lambda: self.now,
        )

    def _load(self) -> str:
        self.reads += 1
        try:
            text = self.one.read_text() + self.two.read_text()
        except OSError as error:
            raise ConfigurationRefused(["gone"]) from error
        if "broken" in text:
            raise ConfigurationRefused(["broken"])
        return text


def test_they_are_looked_at_once_in_a_while(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    assert watching.files.start() == "12"

    watching.two.write_text("34")
    watching.now += 0.9
    assert watching.files.current() == "12"
    watching.now += 0.2
    assert watching.files.current() == "134"
    assert watching.reloads == [True]


def test_what_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    watching = Watching(tmp_path, check_seconds=0.0)
    watching.files.start()

    for _ in range(5):
        watching.files.current()

    assert (watching.reads, watching.reloads) == (1, [])


def test_what_cannot_be_used_changes_nothing_and_is_told_once(tmp_path: Path) -> None:
    watching = Watching(tmp_path, check_seconds=0.0)
    watching.files.start()

    watching.one.write_text("broken")
    assert [watching.files.current() for _ in range(3)] == ["12"] * 3
    assert watching.reloads == [False]
    watching.one.unlink()
    assert [watching.files.current() for _ in range(3)] == ["12"] * 3
    assert watching.reloads == [False, False]
    watching.one.write_text("45")
    assert watching.files.current() == "452"
    assert watching.reloads == [False, False, True]


def test_a_file_of_the_same_size_and_time_is_another_file(tmp_path: Path) -> None:
    watching = Watching(tmp_path, check_seconds=0.0)
    watching.files.start()
    status = watching.one.stat()

    other = tmp_path / "other"
    other.write_text("9")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(watching.one)

    assert watching.files.current() == "92"


def test_a_link_that_is_turned_is_followed(tmp_path: Path) -> None:
    """As mounted secrets are replaced: the files are links into a directory that is a link."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one").write_text(name)
    (tmp_path / "data").symlink_to("old")
    files = FollowedFiles(
        [tmp_path / "data" / "one"],
        (tmp_path / "data" / "one").read_text,
        on_reload=lambda _: None,
        check_seconds=0.0,
    )
    assert files.start() == "old"

    (tmp_path / "turned").symlink_to("new")
    (tmp_path / "turned").replace(tmp_path / "data")

    assert files.current() == "new"


def test_a_beginning_with_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    watching.one.write_text("broken")

    with pytest.raises(ConfigurationRefused):
        watching.files.start()
    assert watching.reloads == []
