"""From the service's journal to the five tables, as far as it goes, again and again.

Owns the order of an export: go through the journal, convert what is new or says something else than
before, complete the parts, compare the counts, and only then make it the data set. Whatever breaks
off leaves the last data set as it was and what is done to be gone on from.

The journal is the truth: what it does not hold any more, because somebody was erased or because its
time was over, leaves the tables at the next export.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pairguard.errors import ConfigurationRefused
from pairguard.store.ports import ParticipantStore
from pairguard_training.exporting.assembly import Assembled, assembled, stem_of
from pairguard_training.exporting.conversion import converted
from pairguard_training.exporting.ledger import PROGRESS_FILE, Exported, Ledger, resumed
from pairguard_training.exporting.parts import INDEX, Files, remove_others, write_days, write_part
from pairguard_training.exporting.reconciling import journal_problems, table_problems
from pairguard_training.exporting.stretches import Limits, Stretch, stretches
from pairguard_training.exporting.tally import Thing
from pairguard_training.tables.files import EXPORT_FILE
from pairguard_training.tables.schema import TABLES

_LOCK_FILE: Final = "_lock"
_PROGRESS_SECONDS: Final = 5.0
_DAYS: Final = {
    "snapshots": "observed_time",
    "age_evidence": "day",
    "pairs": "proposed_time",
}
_RECORDS: Final = (Thing.DECISIONS.value, Thing.EVENTS.value, Thing.EVIDENCE.value)
_INDEXED: Final = ("meetings", "happenings", "verifications", "links")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export did.

    Attributes:
        data_set: What is in the folder now.
        new: Stretches that were not there before, or go on.
        changed: Stretches that say something else than before.
        unchanged: Stretches that were taken as they are.
        gone: Stretches of which nothing is left in the journal.
        removed_files: Files that do not belong to the data set any more.
    """

    data_set: Assembled
    new: int
    changed: int
    unchanged: int
    gone: int
    removed_files: int


def export_journal(
    store: ParticipantStore, root: Path, say: Say, *, limits: Limits | None = None
) -> ExportReport:
    """Bring a folder up to date with a journal.

    Args:
        store: Whose journal it is; nothing in it is changed.
        root: The folder; made when it is missing.
        say: Told what is done.
        limits: How much is held at a time.

    Raises:
        ConfigurationRefused: The folder is not an export, or one of another store, or another
            export is under way, or the counts do not agree.
        StoreUnavailable: The journal cannot be read; what is done is gone on from next time.
    """
    with _locked(root):
        known = resumed(root)
        keys = store.keys
        own = tuple(key.key_id for key in (keys.current, *keys.retired))
        if known.store and set(known.store).isdisjoint(own):
            raise ConfigurationRefused([f"{root} is the export of another store; choose another"])
        if not (root / EXPORT_FILE).is_file():
            # From now on readers look into the list alone, and find nothing half-written.
            Ledger(own).write(root / EXPORT_FILE)
        return _Export(store, root, say, limits or Limits()).run(known, own)


class _Export:
    """One run."""

    def __init__(self, store: ParticipantStore, root: Path, say: Say, limits: Limits) -> None:
        self._store = store
        self._root = root
        self._say = say
        self._limits = limits
        self._new = self._changed = self._unchanged = 0
        self._told = time.monotonic()

    def run(self, known: Ledger, own: tuple[str, ...]) -> ExportReport:
        done = self._read(known, own)
        self._say("putting outcomes, households and labels together")
        data_set = assembled(self._root, own, done)
        ledger = data_set.ledger
        problems = journal_problems(self._store, ledger) + table_problems(ledger)
        if problems:
            raise ConfigurationRefused(
                [
                    *(f"the counts do not agree: {problem}" for problem in problems),
                    "nothing was published; the journal may have been purged meanwhile: try again",
                ]
            )
        ledger.write(self._root / EXPORT_FILE)
        (self._root / PROGRESS_FILE).unlink(missing_ok=True)
        folders = (INDEX, *(schema.name for schema in TABLES))
        removed = remove_others(self._root, folders, ledger.all_paths())
        kept = {each.bounds.after for each in done}
        gone = sum(each.bounds.after not in kept for each in known.exported)
        return ExportReport(data_set, self._new, self._changed, self._unchanged, gone, removed)

    def _read(self, known: Ledger, own: tuple[str, ...]) -> list[Exported]:
        """Go through the journal and convert what is new or has changed."""
        before = {each.bounds.after: each for each in known.exported}
        done: list[Exported] = []
        rest = list(known.exported)
        try:
            for stretch in stretches(
                self._store, [each.bounds for each in known.exported], self._limits
            ):
                done.append(self._taken(stretch, before.get(stretch.bounds.after)))
                rest = [each for each in rest if each.bounds.after > stretch.bounds.after]
                self._keep_progress(own, [*done, *rest])
        finally:
            Ledger(own, [*done, *rest]).write(self._root / PROGRESS_FILE)
        return done

    def _taken(self, stretch: Stretch, earlier: Exported | None) -> Exported:
        if (
            earlier is not None
            and earlier.digest == stretch.digest
            and self._is_there(earlier.files)
        ):
            self._unchanged += 1
            return replace(earlier, bounds=stretch.bounds)
        if earlier is not None and earlier.bounds.closed:
            self._changed += 1
        else:
            self._new += 1
        return self._convert(stretch)

    def _is_there(self, files: Mapping[str, Files]) -> bool:
        return all((self._root / path).is_file() for each in files.values() for path in each)

    def _convert(self, stretch: Stretch) -> Exported:
        found = converted(stretch.records)
        stem = stem_of(stretch.bounds)
        files = {
            name: write_days(self._root, name, found.frames[name], column, stem)
            for name, column in _DAYS.items()
        }
        for name in _INDEXED:
            files[name] = write_part(self._root, f"{INDEX}/{name}", found.frames[name], stem)
        return Exported(
            stretch.bounds, stretch.digest, files, found.tally, found.newest, found.key_ids
        )

    def _keep_progress(self, own: tuple[str, ...], exported: Sequence[Exported]) -> None:
        if time.monotonic() - self._told < _PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        ledger = Ledger(own, exported)
        ledger.write(self._root / PROGRESS_FILE)
        read = ", ".join(f"{ledger.tally.read[thing]:,} {thing}" for thing in _RECORDS)
        self._say(f"so far: {read}")


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Keep other exports out of a folder, and this one out of a folder that is something else."""
    if root.is_dir() and any(root.iterdir()):
        if not any((root / name).is_file() for name in (EXPORT_FILE, PROGRESS_FILE, _LOCK_FILE)):
            raise ConfigurationRefused([f"{root} holds something else than an export"])
    elif root.exists() and not root.is_dir():
        raise ConfigurationRefused([f"{root} is no folder"])
    # Hashes of people's ids and ages: for nobody but its owner.
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root / _LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationRefused([f"another export into {root} is under way"]) from error
        yield
