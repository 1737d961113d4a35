"""The command line of ``pairguard``: its words, and what each of them calls.

Owns names, help and examples. It must not know how anything is done.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

from pairguard import __version__
from pairguard.admin import copies, exporting, holds, keys, tokens, upkeep, verifying, viewing
from pairguard.admin.output import Output
from pairguard.server.callers import Scope
from pairguard.server.settings import Settings
from pairguard.store.ports import RecordKind

AGREEMENTS: Final = ("WITHOUT_DECISION", "AGAINST_DECISION", "AFTER_EXPIRY")

Action = Callable[[Settings, Output, argparse.Namespace], int]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; ``action`` of what it returns does what was asked."""
    parser = argparse.ArgumentParser(
        prog="pairguard",
        description="Shows what pairguard keeps, and keeps it in order.",
        epilog="Which store: the server's settings, environment variables PAIRGUARD_* and the TOML "
        "file that PAIRGUARD_SETTINGS_FILE names. Exit codes: 0 done, 1 done and something is "
        "wrong or missing, 2 not done. docs/operations.md explains each command.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    groups = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_journal(_group(groups, "journal", "decisions, events and evidence as recorded"))
    _add_store(_group(groups, "store", "whether the store can be relied on"))
    _add_keys(_group(groups, "keys", "the keys that ids are hashed with"))
    _add_tokens(_group(groups, "tokens", "the tokens that callers present"))
    _add_hold(_group(groups, "hold", "the holds of one participant"))
    return parser


def _add_journal(commands: Any) -> None:
    tail = _command(
        commands,
        "tail",
        "show the latest entries, or those behind a cursor",
        "pairguard journal tail --kind event --follow",
        lambda settings, output, given: viewing.tail(
            settings,
            output,
            after=given.after,
            limit=given.limit,
            kinds=frozenset(given.kind) if given.kind else None,
            follow=given.follow,
        ),
    )
    tail.add_argument("--follow", action="store_true", help="go on with what comes; Ctrl-C ends it")
    tail.add_argument(
        "--kind",
        action="append",
        type=RecordKind,
        choices=list(RecordKind),
        metavar="{" + ",".join(RecordKind) + "}",
        help="only of this kind; can be given several times",
    )
    tail.add_argument("--after", metavar="CURSOR", help="from behind this entry on; '': from first")
    tail.add_argument(
        "--limit", type=_count, metavar="N", help="at most so many; of the latest 20 otherwise"
    )
    _command(
        commands,
        "stats",
        "how much is kept, and what is not imported yet",
        "pairguard journal stats --json",
        lambda settings, output, _: viewing.stats(settings, output),
    )
    unreconciled = _command(
        commands,
        "unreconciled",
        "chats that started without, against or after a decision, the latest first",
        "pairguard journal unreconciled --agreement WITHOUT_DECISION",
        lambda settings, output, given: viewing.unreconciled(
            settings,
            output,
            agreements=tuple(given.agreement or AGREEMENTS),
            limit=given.limit,
        ),
    )
    unreconciled.add_argument(
        "--agreement", action="append", choices=AGREEMENTS, help="only these; all three otherwise"
    )
    unreconciled.add_argument(
        "--limit", type=_count, default=100, metavar="N", help="at most (100)"
    )
    decision = _command(
        commands,
        "decision",
        "one decision and the events that name it, for an appeal",
        "pairguard journal decision 0123456789abcdef0123456789abcdef --json",
        lambda settings, output, given: viewing.decision(
            settings, output, decision_id=given.decision_id
        ),
    )
    decision.add_argument("decision_id", metavar="ID", help="of the decision, as it was answered")
    verify = _command(
        commands,
        "verify",
        "read every local file and record, and count every participant anew",
        "pairguard journal verify --repair",
        lambda settings, output, given: verifying.verify(
            settings,
            output,
            repair=given.repair or given.accept_incomplete,
            accept_incomplete=given.accept_incomplete,
        ),
    )
    verify.add_argument(
        "--repair", action="store_true", help="make rows that cannot be read anew from the journal"
    )
    verify.add_argument(
        "--accept-incomplete",
        action="store_true",
        help="as --repair, also where a part of the journal is gone: the row says less than before",
    )
    prune = _command(
        commands,
        "prune",
        "forget what is past its time by the settings, now",
        "pairguard journal prune --dry-run",
        lambda settings, output, given: upkeep.prune(settings, output, dry_run=given.dry_run),
    )
    prune.add_argument(
        "--dry-run", action="store_true", help="only count the records that would go"
    )
    _command(
        commands,
        "import",
        "take local decisions over into the store, as after a server that was killed",
        "pairguard journal import",
        lambda settings, output, _: upkeep.import_segments(settings, output),
    )
    export = _command(
        commands,
        "export",
        "write what a consumer has not confirmed to files, and confirm it",
        "pairguard journal export --consumer training --out var/export",
        lambda settings, output, given: exporting.export(
            settings,
            output,
            consumer=given.consumer,
            directory=given.out,
            limit=given.limit,
        ),
    )
    export.add_argument("--consumer", required=True, metavar="NAME", help="whose place it is")
    export.add_argument("--out", required=True, type=Path, metavar="DIR", help="where files go")
    export.add_argument("--limit", type=_count, metavar="N", help="at most so many entries")
    backup = _command(
        commands,
        "backup",
        "copy the sqlite store, in use or not, and verify the copy",
        "pairguard journal backup /backup/pairguard-monday.sqlite3",
        lambda settings, output, given: copies.backup(settings, output, target=given.target),
    )
    backup.add_argument("target", type=Path, metavar="TARGET", help="a new file")
    restore = _command(
        commands,
        "restore",
        "put a copy in the place of the sqlite store, with every server stopped",
        "pairguard journal restore /backup/pairguard-monday.sqlite3 --force",
        lambda settings, output, given: copies.restore(
            settings, output, source=given.source, force=given.force
        ),
    )
    restore.add_argument("source", type=Path, metavar="SOURCE", help="what backup wrote")
    restore.add_argument("--force", action="store_true", help="replace the store that is there")


def _add_store(commands: Any) -> None:
    _command(
        commands,
        "check",
        "whether the store can be read and written now",
        "pairguard store check",
        lambda settings, output, _: verifying.check(settings, output),
    )
    _command(
        commands,
        "durability",
        "whether what the store takes survives a power cut; 1: it does not promise that",
        "pairguard store durability",
        lambda settings, output, _: verifying.durability(settings, output),
    )


def _add_keys(commands: Any) -> None:
    _command(
        commands,
        "list",
        "name the keys, the current one first",
        "pairguard keys list",
        lambda settings, output, _: keys.list_keys(settings, output),
    )
    _command(
        commands,
        "add",
        "make a key that nothing is hashed with yet",
        "pairguard keys add",
        lambda settings, output, _: keys.add(settings, output),
    )
    promote = _command(
        commands,
        "promote",
        "make a key the current one, once every process has read it",
        "pairguard keys promote 1f0a77c2",
        lambda settings, output, given: keys.promote(settings, output, key_id=given.key_id),
    )
    promote.add_argument("key_id", type=str.lower, metavar="KEY_ID")
    retire = _command(
        commands,
        "retire",
        "take a key out of the file",
        "pairguard keys retire 9be04d11",
        lambda settings, output, given: keys.retire(
            settings, output, key_id=given.key_id, force=given.force
        ),
    )
    retire.add_argument("key_id", type=str.lower, metavar="KEY_ID")
    retire.add_argument(
        "--force", action="store_true", help="also where what stands under it is lost"
    )


def _add_hold(commands: Any) -> None:
    show = _command(
        commands,
        "show",
        "the active holds of a participant",
        "pairguard hold show --id -",
        lambda settings, output, given: holds.show(settings, output, raw_ids=given.ids),
    )
    release = _command(
        commands,
        "release",
        "end the active holds of a participant, except legal ones",
        "pairguard hold release --id - --reason UPHELD_HARM",
        lambda settings, output, given: holds.release(
            settings, output, raw_ids=given.ids, reason=given.reason
        ),
    )
    release.add_argument(
        "--reason", type=_reason, metavar="R", help="only the hold of this reason, not recorded"
    )
    for command in (show, release):
        command.add_argument(
            "--id",
            dest="ids",
            action="append",
            required=True,
            metavar="RAW",
            help="id as the platform sends it, the participant's own first; again for each linked "
            "id; -: read them from standard input, one a line, so that no shell remembers them",
        )


def _add_tokens(commands: Any) -> None:
    new = _command(
        commands,
        "new",
        "make a token, show it once, and show the table of its caller for the tokens file",
        "pairguard tokens new matchmaker --scope score --scope feedback",
        lambda settings, output, given: tokens.new(
            settings, output, name=given.name, scopes=given.scope, expire=given.expire
        ),
    )
    new.add_argument("name", metavar="NAME", help="of the caller, as it is logged and recorded")
    new.add_argument(
        "--scope",
        action="append",
        required=True,
        type=Scope,
        choices=list(Scope),
        metavar="{" + ",".join(Scope) + "}",
        help="what it may do; can be given several times",
    )
    new.add_argument(
        "--expire", type=_date, metavar="DATE", help="from this day on, in UTC, it is refused"
    )


def _group(groups: Any, name: str, text: str) -> Any:
    group = groups.add_parser(name, help=text, description=text)
    return group.add_subparsers(title="commands", required=True, metavar="COMMAND")


def _command(commands: Any, name: str, text: str, example: str, action: Action) -> Any:
    parser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"example: {example}",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document a line")
    parser.set_defaults(action=action)
    return parser


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a date as 2027-01-31") from error


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _reason(text: str) -> str:
    if not (text.isascii() and text.replace("_", "").isalnum() and text == text.upper()):
        raise argparse.ArgumentTypeError("must be an UPPER_SNAKE_CASE code")
    return text
