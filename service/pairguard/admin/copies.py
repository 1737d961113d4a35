"""``pairguard journal backup | restore``: a copy of the embedded store, and back.

Owns where the copy's key comes from and goes to. It must not know how a database is copied
(``pairguard.store.sqlite.backup``). A store in Redis is copied with Redis's own means.
"""

from __future__ import annotations

from pathlib import Path

from pairguard.admin.access import database_path, key_path, opened
from pairguard.admin.local_segments import waiting
from pairguard.admin.output import EXIT_OK, Output, complain, size_text
from pairguard.admin.refusal import CommandRefused
from pairguard.errors import StoreUnavailable
from pairguard.server.settings import Settings
from pairguard.store.identity import IdentityKeys, read_keys
from pairguard.store.sqlite import SqliteStore
from pairguard.store.sqlite import backup as sqlite_backup

_REDIS_BACKUP = """\
a store in Redis is copied with Redis's own means:
  redis-cli BGSAVE, wait until redis-cli LASTSAVE moves on, then copy dump.rdb
  (the file is in redis-cli CONFIG GET dir); or, with appendonly yes, stop automatic rewrites with
  CONFIG SET auto-aof-rewrite-percentage 0, wait until INFO persistence says
  aof_rewrite_in_progress:0, copy the whole appenddirname, and set the percentage back
  in a cluster: of each primary
and with every copy the identity key file: {key}"""
_REDIS_RESTORE = """\
a store in Redis is restored with Redis's own means:
  stop every pairguard-server and Redis, put the copy into Redis's dir (a dump.rdb is read only with
  appendonly no; switch it back on with CONFIG SET appendonly yes once it is loaded), start Redis
and put the identity key file of that copy to: {key}"""


def backup(settings: Settings, output: Output, *, target: Path) -> int:
    """Copy the store, in use or not, to a new file, with its key beside it."""
    if database_path(settings) is None:
        raise CommandRefused(_REDIS_BACKUP.format(key=key_path(settings)))
    with opened(settings) as store:
        if not isinstance(store, SqliteStore):
            raise CommandRefused("this kind of store cannot be copied")
        sqlite_backup.backup(store, target.absolute())
        left = waiting(settings.journal_directory.absolute(), store.imported_end, now=0.0)
    key_copy = target.with_name(target.name + ".key")
    size = target.stat().st_size
    has_key = key_copy.exists()
    lines = [f"{target}  {size_text(size)}, verified"]
    lines.append(
        f"{key_copy}  the keys: whoever has both can test ids against the copy"
        if has_key
        else f"keep {key_path(settings)} with it: without the keys the copy is of no use"
    )
    output.tell(
        {"backup": str(target), "bytes": size, "key": str(key_copy) if has_key else None}, lines
    )
    if left.bytes:
        complain(f"decisions in {left.segments:,} local files were not in the store yet")
    return EXIT_OK


def restore(settings: Settings, output: Output, *, source: Path, force: bool) -> int:
    """Put a copy in the place of the store, which nobody may be using."""
    target = database_path(settings)
    if target is None:
        raise CommandRefused(_REDIS_RESTORE.format(key=key_path(settings)))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandRefused(f"{target.parent} cannot be made: {error.strerror}") from error
    own_key = key_path(settings)
    keeps_key = settings.identity_key_file is not None or _holds_all(
        own_key, source.with_name(source.name + ".key")
    )
    sqlite_backup.restore(
        source.absolute(), target, key_path=own_key if keeps_key else None, replace=force
    )
    with opened(settings) as store:
        store.check()
        kept = store.statistics()
    output.tell(
        {"restored": str(target), "rows": kept.rows, "holds": kept.holds, "key_kept": keeps_key},
        [
            f"{target}  restored: {kept.rows:,} participant rows, {kept.holds:,} holds",
            f"{own_key}  {'kept: it has every key of the copy' if keeps_key else 'restored'}",
            "whoever was erased after the copy was made is in it again: erase them anew",
        ],
    )
    return EXIT_OK


def _holds_all(path: Path, other: Path) -> bool:
    """Tell whether a file of keys has all of another's: then it is that of after a rotation."""
    keys, others = _keys(path), _keys(other)
    return keys is not None and others is not None and others.check_values <= keys.check_values


def _keys(path: Path) -> IdentityKeys | None:
    try:
        return read_keys(path)
    except StoreUnavailable:
        return None
