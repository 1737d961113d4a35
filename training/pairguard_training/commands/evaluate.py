"""``pairguard-train evaluate``: judge a bundle on people it has not seen."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard.bundle.loading import load_bundle
from pairguard.errors import ConfigurationRefused
from pairguard_training.commands.arguments import (
    add_tables,
    positive,
)
from pairguard_training.commands.inputs import (
    Say,
    missing_codes,
    read_policy,
    say_tables,
)
from pairguard_training.comparison import EvaluationSettings
from pairguard_training.evaluation import evaluate_model
from pairguard_training.evaluation_table import evaluation_json, evaluation_text
from pairguard_training.splitting import split_tables
from pairguard_training.tables.reading import read_tables
from pairguard_training.truth import read_truth


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train evaluate``."""
    add_tables(parser)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="metrics.json to write")
    parser.add_argument("--resamples", type=positive, default=200, help="draws of the bootstrap")
    parser.add_argument(
        "--unseen",
        action="store_true",
        help="the bundle saw none of these people: judge more of them",
    )


def run(arguments: Namespace, say: Say) -> None:
    """Judge a bundle on people it has not seen."""
    policy = read_policy(arguments.policy)
    bundle = load_bundle(arguments.bundle)
    manifest = bundle.manifest
    say(f"reading {arguments.tables}")
    tables = read_tables(
        arguments.tables,
        catalogue=bundle.model.catalogue,
        missing_codes=missing_codes(arguments.missing),
    )
    say_tables(tables, say)
    same = tables.data_hash == manifest.data_hash
    if arguments.unseen and same:
        raise ConfigurationRefused(
            ["--unseen: the bundle was fitted to these very tables; leave it out"]
        )
    if not same and not arguments.unseen:
        say(
            "note: these are not the tables of the fit; only people of the test part are judged. "
            "If the bundle saw none of these people, add --unseen"
        )
    window = manifest.metrics.get("harm", {}).get(
        "report_window_days", arguments.report_window_days
    )
    evaluation = evaluate_model(
        bundle.model,
        tables,
        read_truth(arguments.tables, tables),
        policy=policy,
        split=split_tables(tables, seed=manifest.seeds.get("fit", arguments.seed)),
        settings=EvaluationSettings(
            unseen=arguments.unseen,
            resamples=arguments.resamples,
            seed=arguments.seed,
            threads=arguments.threads,
            report_window_days=float(window),
        ),
        say=say,
    )
    print(f"\nbundle {bundle.version}\n{evaluation_text(evaluation)}\n")
    out: Path = arguments.out or Path(f"{arguments.tables}-metrics.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.writing")
    temporary.write_bytes(evaluation_json(evaluation))
    temporary.replace(out)
    say(f"written: {out}")
    say(f"next: pairguard-train publish {arguments.bundle} --to var/bundles")
