"""Where the records of local segments go: into the store, with how far they have come.

Owns the way from the bytes of a segment to records. A record that this version cannot read is set
aside in a file beside the segments, so that it stops no other and nothing is lost.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pairguard.errors import StoreUnavailable
from pairguard.store.opening import open_store
from pairguard.store.ports import JournalRecord, ParticipantStore, RecordKind
from pairguard.store.records import record_of
from pairguard.store.segments.directory import sync_directory

ASIDE_SUFFIX = ".unreadable"


class DecisionSink:
    """Takes the records of decisions over into a store.

    Args:
        store: Where they go.
        directory: Of the segments, where unreadable records are set aside.
        accept_weak_durability: Let segments go although the store does not promise that it would
            survive a power cut.
        owns_store: Whether to close it.
    """

    def __init__(
        self,
        store: ParticipantStore,
        directory: Path,
        *,
        accept_weak_durability: bool,
        owns_store: bool,
    ) -> None:
        self._store = store
        self._directory = directory
        self._accept_weak_durability = accept_weak_durability
        self._owns_store = owns_store

    def imported_end(self, segment: str) -> int:
        """Return up to which byte a segment is imported."""
        return self._store.imported_end(segment)

    def import_records(
        self, segment: str, start: int, end: int, payloads: tuple[bytes, ...]
    ) -> None:
        """Append the records of a stretch of a segment, and remember its end."""
        records: list[JournalRecord] = []
        unreadable: list[bytes] = []
        for payload in payloads:
            try:
                records.append(record_of(RecordKind.DECISION, payload))
            except ValueError:
                unreadable.append(payload)
        if unreadable:
            self._set_aside(f"{segment}.{start}{ASIDE_SUFFIX}", unreadable)
        self._store.import_records(segment, start, end, records)

    def is_durable(self, segment: str, end: int) -> bool:  # noqa: ARG002 - of all alike
        """Tell whether what was imported would survive a power cut."""
        return self._accept_weak_durability or self._store.promises_durability()

    def forget(self, segment: str) -> None:
        """Forget a segment that is gone."""
        self._store.forget_segment(segment)

    def close(self) -> None:
        """Close the store, if it is this one's own."""
        if self._owns_store:
            self._store.close()

    def _set_aside(self, name: str, payloads: Sequence[bytes]) -> None:
        """Keep payloads in a file of their own, which a repeated import replaces."""
        path = self._directory / name
        partial = path.with_name(name + ".partial")
        try:
            with partial.open("wb") as file:
                partial.chmod(0o600)
                for payload in payloads:
                    file.write(len(payload).to_bytes(4, "little") + payload)
                file.flush()
                os.fdatasync(file.fileno())
            partial.replace(path)
            sync_directory(self._directory)
        except OSError as error:
            raise StoreUnavailable(
                f"an unreadable record cannot be set aside: {error.strerror}"
            ) from error


def build_sink(
    store: str, key_file: str, password_file: str, directory: str, accept_weak_durability: str
) -> DecisionSink:
    """Build a sink from plain texts, in the process that imports; "" stands for none.

    Raises:
        StoreUnavailable: The store cannot be opened.
    """
    return DecisionSink(
        open_store(
            store,
            key_path=Path(key_file) if key_file else None,
            password_path=Path(password_file) if password_file else None,
        ),
        Path(directory),
        accept_weak_durability=accept_weak_durability == "true",
        owns_store=True,
    )
