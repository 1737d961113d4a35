"""``pairguard keys list | add | promote | retire``: the steps of changing the identity key.

Owns the order: a key is added where nothing is hashed with it, becomes the current one, and is
taken out when nothing stands under it. Between two steps every process must have read the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pairguard.admin.access import key_path, opened
from pairguard.admin.key_file import KeyFile, locked
from pairguard.admin.output import EXIT_OK, Output, complain, time_text
from pairguard.admin.refusal import CommandRefused
from pairguard.server.settings import Settings
from pairguard.store.identity import IdentityKey
from pairguard.store.ports import ParticipantStore, RecordKind
from pairguard.store.records import record_of
from pairguard.store.sqlite import SqliteStore
from pairguard.store.sqlite.key_checks import forget_check, known_checks
from pairguard.v1 import journal_pb2

if TYPE_CHECKING:
    from pairguard.store.redis.agreement import Agreement

_BATCH: Final = 1_000
_MESSAGES: Final[Mapping[RecordKind, Any]] = {
    RecordKind.DECISION: journal_pb2.DecisionRecord,
    RecordKind.EVENT: journal_pb2.EventRecord,
    RecordKind.EVIDENCE: journal_pb2.EvidenceRecord,
}


def list_keys(settings: Settings, output: Output) -> int:
    """Show the names of the keys and what each is for."""
    for place, key_id in enumerate(KeyFile(key_path(settings)).key_ids):
        role = "retired" if place else "current"
        output.tell({"key_id": key_id, "role": role}, [f"{key_id}  {role}"])
    return EXIT_OK


def add(settings: Settings, output: Output) -> int:
    """Make a key that nothing is hashed with yet."""
    path = key_path(settings)
    with locked(path) as file:
        key_id = file.add()
    output.tell(
        {"key_id": key_id, "role": "retired"},
        [
            f"{key_id}  added to {path}; nothing is hashed with it yet",
            "next: give the file to every machine and restart every server, then",
            f"pairguard keys promote {key_id}",
        ],
    )
    return EXIT_OK


def promote(settings: Settings, output: Output, *, key_id: str) -> int:
    """Make a key the current one."""
    path = key_path(settings)
    with locked(path) as file:
        if file.keys.current.key_id == key_id:
            raise CommandRefused(f"{key_id} is the current key already")
        former = file.keys.current.key_id
        file.promote(key_id)
    output.tell(
        {"key_id": key_id, "role": "current", "former": former},
        [
            f"{key_id}  is the current key; {former} stays, so that what stands under it is found",
            "next: give the file to every machine and restart every server",
        ],
    )
    return EXIT_OK


def retire(settings: Settings, output: Output, *, key_id: str, force: bool) -> int:
    """Take a key out of the file, and out of what the store asks for.

    Args:
        settings: Name the store and the file.
        output: Where it is told.
        key_id: Which key; not the current one.
        force: Also where something may stand under it, which is lost then.
    """
    path = key_path(settings)
    with opened(settings) as store, locked(path) as file:
        key = file.find(key_id)
        if key.check_value == file.keys.current.check_value:
            raise CommandRefused(f"{key_id} is the current key: promote another first")
        if _was_used(store, key):
            _require_nothing_under(store, settings, key, force=force)
        # First the store: between the two it goes on with either file.
        _forget(store, key, file.keys.current)
        file.remove(key.key_id)
    output.tell(
        {"key_id": key_id, "role": "gone"},
        [
            f"{key_id}  is out of {path} for good",
            "a backup that was made before still needs it: keep the key file beside each backup",
        ],
    )
    return EXIT_OK


def _was_used(store: ParticipantStore, key: IdentityKey) -> bool:
    """Tell whether the key has been the current one of a process that had this store."""
    if isinstance(store, SqliteStore):
        return key.check_value in known_checks(store)
    return key.check_value in _agreement(store).known_checks()


def _forget(store: ParticipantStore, key: IdentityKey, current: IdentityKey) -> None:
    """Have the store ask for the key no more."""
    if isinstance(store, SqliteStore):
        forget_check(store, key.check_value, current=current.check_value)
    else:
        _agreement(store).forget_check(key.check_value, current=current.check_value)


def _agreement(store: ParticipantStore) -> Agreement:
    from pairguard.store.redis import RedisStore  # noqa: PLC0415 - may not be installed

    assert isinstance(store, RedisStore)  # noqa: S101 - there are two kinds
    return store.agreement


def _require_nothing_under(
    store: ParticipantStore, settings: Settings, key: IdentityKey, *, force: bool
) -> None:
    """Refuse, or only say with ``force``, where something may stand under a key.

    Whose key a hash was made with cannot be seen from it, so that all rows and holds may be meant.
    """
    kept = store.statistics()
    if not kept.rows and not kept.holds:
        return
    text = (
        f"of {kept.rows:,} participant rows and {kept.holds:,} holds, those under {key.key_id} "
        "cannot be found without it: its holds would hold nobody, its personal blocks would part "
        "nobody, and open chats of then could not be named to the caller"
    )
    if force:
        complain(f"lost from now on: {text}")
        return
    last = _last_time_under(store, key.key_id)
    when = (
        "no record under it is left in the journal"
        if last is None
        else f"the last record under it is of {time_text(last)}, so that by "
        f"{time_text(last + settings.retention.rows_seconds)} retention has taken what was counted"
    )
    raise CommandRefused(
        f"{text}; {when}; holds without an end and personal blocks stay for good. Leaving the key "
        "in the file costs one more hash for each id; --force takes it out all the same"
    )


def _last_time_under(store: ParticipantStore, key_id: str) -> float | None:
    """Return when the last record under a key was made, seconds since 1970; None: none is kept."""
    last: float | None = None
    after = ""
    while found := store.read_journal(after, _BATCH):
        for record in found:
            try:
                message = _MESSAGES[record.kind].FromString(record.payload)
                time = record_of(record.kind, record.payload).time
            except ValueError:
                continue
            if message.hash_key_id == key_id:
                last = time if last is None else max(last, time)
        after = found[-1].cursor
    return last
