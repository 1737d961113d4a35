"""Where the records of local segments go: into the store, with how far they have come.

Owns the way from the bytes of a segment to records. A record that this version cannot read is set
aside in a file beside the segments, so that it stops no other and nothing is lost.
"""

from __future__ import annotations

import os
from pathlib import Path

from pairguard.errors import StoreUnavailable
from pairguard.store.opening import open_store
from pairguard.store.ports import JournalRecord, ParticipantStore, RecordKind
from pairguard.store.records import record_of

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
        for payload in payloads:
            try:
                records.append(record_of(RecordKind.DECISION, payload))
            except ValueError:
                self._set_aside(segment, payload)
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

    def _set_aside(self, segment: str, payload: bytes) -> None:
        path = self._directory / (segment + ASIDE_SUFFIX)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
            try:
                os.write(descriptor, len(payload).to_bytes(4, "little") + payload)
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
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
