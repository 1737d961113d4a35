"""``pairguard-train evaluate``: judge a bundle on people it has not seen."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard_training.commands.inputs import Say
from pairguard_training.commands.judging import add_judging, judge, write_whole
from pairguard_training.evaluation_table import evaluation_json, evaluation_text
from pairguard_training.harm_labels import latest_session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train evaluate``."""
    add_judging(parser)
    parser.add_argument("--out", type=Path, help="metrics.json to write")


def run(arguments: Namespace, say: Say) -> None:
    """Judge a bundle on people it has not seen."""
    judged = judge(arguments, say)
    print(f"\nbundle {judged.bundle.version}\n{evaluation_text(judged.evaluation)}\n")
    out: Path = arguments.out or Path(f"{arguments.tables}-metrics.json")
    document = evaluation_json(
        judged.evaluation,
        bundle_version=judged.bundle.version,
        model_hash=judged.bundle.manifest.model_hash,
        data_hash=judged.tables.data_hash,
        data_until=latest_session(judged.tables),
    )
    write_whole(out, document)
    say(f"written: {out}")
    say(f"next: pairguard-train publish {arguments.bundle} --to var/bundles --evaluation {out}")
