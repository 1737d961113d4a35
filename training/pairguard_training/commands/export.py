"""``pairguard-train export``: write the tables of a service's journal."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard_training.commands.inputs import Say
from pairguard_training.exporting.export import ExportReport, export_journal
from pairguard_training.exporting.households import MOST_SHARING
from pairguard_training.exporting.opening import journal_store
from pairguard_training.exporting.tally import Thing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train export``."""
    parser.add_argument(
        "--store",
        required=True,
        help="as the server's setting store: sqlite:PATH, redis://HOST:PORT/DB and the like",
    )
    parser.add_argument("--key-file", type=Path, help="identity keys; sqlite: beside the database")
    parser.add_argument("--password-file", type=Path, help="password of a store that wants one")
    parser.add_argument("--out", type=Path, required=True, help="folder to bring up to date")


def run(arguments: Namespace, say: Say) -> None:
    """Bring the tables of a folder up to date with a journal."""
    say(f"exporting the journal of {arguments.store} to {arguments.out}")
    with journal_store(
        arguments.store, key_path=arguments.key_file, password_path=arguments.password_file
    ) as store:
        report = export_journal(store, arguments.out, say)
    _tell(report, say)
    say(f"written: {arguments.out}")
    say(f"next: pairguard-train check --tables {arguments.out}")
    if report.data_set.ledger.rows()["pairs"]:
        say(
            f"then: pairguard-train fit --tables {arguments.out} "
            "--catalogue BUNDLE/signals.toml --out var/fitted"
        )


def _tell(report: ExportReport, say: Say) -> None:
    data_set = report.data_set
    ledger, tally = data_set.ledger, data_set.ledger.tally
    read = ", ".join(
        f"{tally.read[thing.value]:,} {name}"
        for thing, name in (
            (Thing.DECISIONS, "decisions"),
            (Thing.EVENTS, "events"),
            (Thing.EVIDENCE, "items of evidence"),
        )
    )
    say(f"in the journal: {read}; the counts of the store agree")
    say("in the tables: " + ", ".join(f"{n:,} {name}" for name, n in ledger.rows().items()))
    say(f"pairs whose chat started: {data_set.started:,}")
    for name, count in sorted(tally.left_out.items()):
        say(f"left out: {count:,} {name}")
    say(
        f"parts of the journal: {report.new} new, {report.changed} changed since they were "
        f"exported, {report.unchanged} as before, {report.gone} gone; files removed: "
        f"{report.removed_files}"
    )
    key_ids = {key for each in ledger.exported for key in each.key_ids if key}
    if len(key_ids) > 1:
        say(
            f"warning: ids were hashed with {len(key_ids)} keys: whoever is in the tables under "
            "two of them counts as two people"
        )
    if data_set.ignored_links:
        say(
            f"warning: {data_set.ignored_links:,} linked ids are shared by more than "
            f"{MOST_SHARING} participants each and join no household"
        )
    if data_set.largest_household > MOST_SHARING:
        say(f"warning: the largest household has {data_set.largest_household:,} ids")
    if data_set.contradicted_labels:
        say(
            f"warning: {data_set.contradicted_labels:,} participants have verified ages that "
            "contradict each other: a moderator's counts, else the first"
        )
    if not tally.read[Thing.DECISIONS.value]:
        say("warning: no decision is in the journal: there is nothing to train on yet")
