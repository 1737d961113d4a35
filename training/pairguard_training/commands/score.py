"""``pairguard-train score``: judge the pairs of tables with a bundle, as the service would."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from pairguard.bundle.loading import load_bundle
from pairguard.errors import ConfigurationRefused
from pairguard.policy.judgement import Judge
from pairguard_training.commands.arguments import add_missing, add_policy, add_replace
from pairguard_training.commands.inputs import Say, read_policy, told_tables
from pairguard_training.scoring.age_scores import AGE_SCORES, age_scores
from pairguard_training.scoring.pair_scores import PAIR_SCORES, pair_scores
from pairguard_training.scoring.whole_parquet import whole_parquet
from pairguard_training.tables.reading import Tables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train score``."""
    parser.add_argument("--tables", type=Path, required=True, help="folder of the five tables")
    add_policy(parser)
    add_missing(parser)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="Parquet file: the scores of each pair")
    parser.add_argument(
        "--ages", type=Path, help="Parquet file: what is believed of the age of each snapshot"
    )
    add_replace(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Judge the pairs of tables, or their snapshots alone, and write all of it or nothing."""
    out: Path | None = arguments.out
    ages: Path | None = arguments.ages
    if out is None and ages is None:
        raise ConfigurationRefused(["name a file: --out for pairs, --ages for snapshots, or both"])
    if out is not None and ages is not None and out.resolve() == ages.resolve():
        raise ConfigurationRefused([f"--out and --ages are both {out}: name two files"])
    bundle = load_bundle(arguments.bundle)
    judge = Judge(bundle.model, read_policy(arguments.policy))
    tables = told_tables(arguments, bundle.model.catalogue, say)
    notes = {
        "pairguard.bundle_version": bundle.version,
        "pairguard.policy_version": judge.policy.version,
        "pairguard.data_hash": tables.data_hash,
    }
    # Neither file appears before both are written.
    with ExitStack() as files:
        if out is not None:
            _write_pairs(files, out, judge, tables, notes, replace=arguments.replace, say=say)
        if ages is not None:
            add = files.enter_context(
                whole_parquet(ages, AGE_SCORES, notes=notes, replace=arguments.replace)
            )
            for frame in age_scores(judge, tables):
                add(frame)
    for path in (out, ages):
        if path is not None:
            say(f"written: {path}")


def _write_pairs(
    files: ExitStack,
    out: Path,
    judge: Judge,
    tables: Tables,
    notes: Mapping[str, str],
    *,
    replace: bool,
    say: Say,
) -> None:
    add = files.enter_context(whole_parquet(out, PAIR_SCORES, notes=notes, replace=replace))
    counts: dict[str, int] = {}
    for frame in pair_scores(judge, tables):
        add(frame)
        for decision, count in frame["decision"].value_counts().iter_rows():
            counts[decision] = counts.get(decision, 0) + count
    told = ", ".join(f"{count} {decision}" for decision, count in sorted(counts.items()))
    say(f"pairs: {told or 'none'}")
