"""What ``evaluate`` and ``report`` do alike: read a bundle, its champion and tables, and judge.

Owns these arguments and this sequence. It must not know how what was measured is shown.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.errors import ConfigurationRefused
from pairguard.policy.regions import Policy
from pairguard_training.champion import meet_champion
from pairguard_training.commands.arguments import add_tables, positive
from pairguard_training.commands.inputs import Say, read_policy, told_tables
from pairguard_training.comparison import EvaluationSettings
from pairguard_training.evaluation import Evaluation, evaluate_model
from pairguard_training.harm_labels import REPORT_WINDOW_DAYS
from pairguard_training.held_out import judging_split
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import read_truth


@dataclass(frozen=True, slots=True)
class Judged:
    """A bundle, and how it did.

    Attributes:
        bundle: The candidate.
        champion: What it was compared with; None: nothing.
        tables: The data set.
        policy: What decided.
        evaluation: What was measured.
    """

    bundle: Bundle
    champion: Bundle | None
    tables: Tables
    policy: Policy
    evaluation: Evaluation


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Declare what is judged, on what and beside what."""
    add_tables(parser)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument(
        "--champion",
        type=Path,
        metavar="BUNDLE",
        help="the bundle that serves now, or the root of the published ones: compare with it",
    )
    parser.add_argument("--resamples", type=positive, default=200, help="draws of the bootstrap")
    parser.add_argument(
        "--unseen",
        action="store_true",
        help="neither bundle saw any of these people: judge more of them",
    )


def judge(arguments: Namespace, say: Say) -> Judged:
    """Judge a bundle on people that neither it nor the champion has seen."""
    policy = read_policy(arguments.policy)
    bundle = load_bundle(arguments.bundle)
    manifest = bundle.manifest
    serving = None if arguments.champion is None else load_bundle(arguments.champion)
    tables = told_tables(arguments, bundle.model.catalogue, say)
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
    split = judging_split(manifest, tables, seed=arguments.seed, unseen=arguments.unseen)
    champion = None
    if serving is not None:
        champion, split = meet_champion(bundle, serving, tables, split, unseen=arguments.unseen)
        for note in champion.notes:
            say(f"note: {note}")
    window = manifest.metrics.get("harm", {}).get("report_window_days")
    if window is None:
        window = arguments.report_window_days
    elif arguments.report_window_days not in {window, REPORT_WINDOW_DAYS}:
        told = f"the bundle was fitted with a window of {window:g} days, and is judged by it"
        raise ConfigurationRefused([f"--report-window-days: {told}; leave it out"])
    elif window != arguments.report_window_days:
        say(f"note: reports count for {window:g} days, as in the fit of the bundle")
    evaluation = evaluate_model(
        bundle.model,
        tables,
        read_truth(arguments.tables, tables),
        policy=policy,
        split=split,
        settings=EvaluationSettings(
            unseen=arguments.unseen,
            resamples=arguments.resamples,
            seed=arguments.seed,
            threads=arguments.threads,
            report_window_days=float(window),
        ),
        say=say,
        champion=champion,
    )
    return Judged(bundle, serving, tables, policy, evaluation)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_bytes(content)
    temporary.replace(path)
