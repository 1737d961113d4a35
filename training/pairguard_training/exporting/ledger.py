"""What an export has written: which stretch of the journal gave which files.

Owns the document that makes files a data set. It is replaced in one step, so that readers see one
export or the next and never a mixture, and another of the same form tells how far an export has
come that was cut short.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pairguard.errors import ConfigurationRefused
from pairguard_training.exporting.conversion import CONVERSION_VERSION
from pairguard_training.exporting.parts import Files, write_file
from pairguard_training.exporting.stretches import Bounds
from pairguard_training.exporting.tally import Tally, total
from pairguard_training.tables.files import EXPORT_FILE
from pairguard_training.tables.schema import TABLES

PROGRESS_FILE: Final = "_progress.json"
FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Exported:
    """A stretch of the journal that is in the tables.

    Attributes:
        bounds: Where it lies.
        digest: Over all that its records said.
        files: By table, and by name of what only the export needs.
        tally: What was read and left out.
        outcomes: What of its events is in no table because no pair was found.
        newest: The latest time in it, microseconds since 1970.
        key_ids: Which keys hashed its ids.
    """

    bounds: Bounds
    digest: str
    files: Mapping[str, Files]
    tally: Tally
    newest: int
    key_ids: tuple[str, ...]
    outcomes: Tally = field(default_factory=Tally)

    def to_mapping(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "after": self.bounds.after,
            "last": self.bounds.last,
            "closed": self.bounds.closed,
            "digest": self.digest,
            "files": {name: dict(sorted(files.items())) for name, files in self.files.items()},
            "tally": self.tally.to_mapping(),
            "outcomes": self.outcomes.to_mapping(),
            "newest": self.newest,
            "key_ids": list(self.key_ids),
        }

    @classmethod
    def from_mapping(cls, document: Mapping[str, Any]) -> Exported:
        """Read what ``to_mapping`` gave."""
        return cls(
            Bounds(str(document["after"]), str(document["last"]), bool(document["closed"])),
            str(document["digest"]),
            {str(name): dict(files) for name, files in document["files"].items()},
            Tally.from_mapping(document["tally"]),
            int(document["newest"]),
            tuple(document["key_ids"]),
            Tally.from_mapping(document["outcomes"]),
        )


@dataclass(frozen=True, slots=True)
class Ledger:
    """What an export has written.

    Attributes:
        store: Which identity keys the store had: another store's journal goes elsewhere.
        exported: The stretches in their order.
        labels: Files of ``age_labels``, which belong to no stretch.
    """

    store: tuple[str, ...] = ()
    exported: Sequence[Exported] = ()
    labels: Files = field(default_factory=dict)

    @property
    def tally(self) -> Tally:
        """What was read and left out, all in all."""
        return total([part for each in self.exported for part in (each.tally, each.outcomes)])

    @property
    def newest(self) -> int:
        """The latest time that the journal told, microseconds since 1970; 0: none."""
        return max((each.newest for each in self.exported), default=0)

    def files_of(self, table: str) -> dict[str, int]:
        """Return the files of a table with their rows."""
        if table == "age_labels":
            return dict(sorted(self.labels.items()))
        return {
            path: rows for each in self.exported for path, rows in each.files.get(table, {}).items()
        }

    def all_paths(self) -> set[str]:
        """Return all files that belong to it."""
        names = {name for each in self.exported for name in each.files} | {"age_labels"}
        return {path for name in names for path in self.files_of(name)}

    def rows(self) -> dict[str, int]:
        """Return the rows of each table."""
        return {schema.name: sum(self.files_of(schema.name).values()) for schema in TABLES}

    def write(self, path: Path) -> None:
        """Put it in its place in one step."""
        document = {
            "format_version": FORMAT_VERSION,
            "conversion_version": CONVERSION_VERSION,
            "files": {schema.name: sorted(self.files_of(schema.name)) for schema in TABLES},
            "rows": self.rows(),
            "newest": self.newest,
            "counts": self.tally.to_mapping(),
            "store": list(self.store),
            "labels": dict(self.labels),
            "exported": [each.to_mapping() for each in self.exported],
        }
        write_file(path, json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")


def read_ledger(path: Path) -> Ledger | None:
    """Read a ledger; None: there is none.

    Raises:
        ConfigurationRefused: It cannot be read, or comes from a newer version.
    """
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_bytes())
        version = document["format_version"]
        if version == FORMAT_VERSION:
            exported = [Exported.from_mapping(each) for each in document["exported"]]
            if document["conversion_version"] != CONVERSION_VERSION:
                # The bounds hold; what was made of the records does not.
                exported = [replace(each, digest="") for each in exported]
            return Ledger(tuple(document["store"]), exported, dict(document["labels"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationRefused(
            [f"{path} cannot be read ({error}); remove its folder and export anew"]
        ) from error
    raise ConfigurationRefused(
        [f"{path} has format version {version}; this version knows {FORMAT_VERSION}"]
    )


def resumed(root: Path) -> Ledger:
    """Return how far exports into a folder have come, a broken-off one included."""
    progress = read_ledger(root / PROGRESS_FILE)
    return progress or read_ledger(root / EXPORT_FILE) or Ledger()
