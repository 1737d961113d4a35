"""``pairguard-train fit``: fit a bundle to tables."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairguard.bundle.loading import load_bundle
from pairguard.bundle.manifest import MANIFEST
from pairguard_training.boosting import Cluster
from pairguard_training.bundle_build import write_fit
from pairguard_training.catalogue_choice import fitting_catalogue, read_catalogue_file
from pairguard_training.commands.arguments import (
    add_age_tables_file,
    add_replace,
    add_tables,
    positive,
    positive_number,
    utc_time_argument,
)
from pairguard_training.commands.inputs import (
    Say,
    chosen_age_tables,
    missing_codes,
    read_policy,
    say_tables,
    written_before,
)
from pairguard_training.distributed.cluster import connected
from pairguard_training.fitting import FitSettings, fit_model
from pairguard_training.harm.tuning import TuningBudget, require_optuna
from pairguard_training.harm_labels import newest_time
from pairguard_training.splitting import (
    LEAST_TEST_SHARE,
    MOST_TEST_SHARE,
    TEST_SHARE,
    split_tables,
)
from pairguard_training.tables.csv_import import CATALOGUE_FILE
from pairguard_training.tables.reading import read_tables
from pairguard_training.whole_directory import whole_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train fit``."""
    add_tables(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument(
        "--catalogue",
        type=Path,
        help="signals.toml; without it the one beside the tables, or one made from the columns",
    )
    add_age_tables_file(parser)
    parser.add_argument(
        "--created",
        type=utc_time_argument,
        help="time that the bundle bears; without it the latest time in the tables, so that the "
        "same tables and seed give the same bytes",
    )
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="train the harm model on the Dask cluster of this scheduler, e.g. tcp://10.0.0.7:8786",
    )
    parser.add_argument(
        "--tune",
        type=tuning_budget,
        metavar="BUDGET",
        help="search for better settings of the harm model, on people of the training part: so "
        "many trials, as 40, or so long, as 300s; only trials give the same bytes again; needs "
        "the extra 'tuning'",
    )
    parser.add_argument(
        "--test-share",
        type=held_out_share,
        default=TEST_SHARE,
        metavar="SHARE",
        help=f"of the people, held out to judge the bundle on: {LEAST_TEST_SHARE} to "
        f"{MOST_TEST_SHARE}, or 0 to refit on everybody a model that was judged before (default: "
        f"{TEST_SHARE})",
    )
    add_replace(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Fit a bundle to tables."""
    if arguments.tune is not None:
        require_optuna()  # not after minutes of reading
    policy = read_policy(arguments.policy)
    catalogue_file: Path | None = arguments.catalogue
    if catalogue_file is None and (arguments.tables / CATALOGUE_FILE).is_file():
        catalogue_file = arguments.tables / CATALOGUE_FILE
    catalogue = None if catalogue_file is None else read_catalogue_file(catalogue_file)
    say(f"reading {arguments.tables}")
    tables = read_tables(
        arguments.tables,
        catalogue=catalogue,
        missing_codes=missing_codes(arguments.missing),
        not_after=written_before(arguments.tables),
        for_fitting=True,
    )
    say_tables(tables, say)
    if catalogue is None:
        split = split_tables(tables, seed=arguments.seed, test_share=arguments.test_share)
        catalogue = fitting_catalogue(tables.snapshots, split)
    say(f"catalogue: {len(catalogue.signals)} signals and {len(catalogue.interests)} interests")
    with (
        _cluster(arguments.dask, say) as cluster,
        whole_directory(arguments.out, replace=arguments.replace, mark=MANIFEST) as directory,
    ):
        fit = fit_model(
            tables,
            age_tables=chosen_age_tables(arguments),
            catalogue=catalogue,
            policy=policy,
            settings=FitSettings(
                seed=arguments.seed,
                threads=arguments.threads,
                report_window_days=arguments.report_window_days,
                cluster=cluster,
                tune=arguments.tune,
                test_share=arguments.test_share,
            ),
            say=say,
        )
        write_fit(
            directory,
            fit,
            created=arguments.created or newest_time(tables),
            data_hash=tables.data_hash,
            seed=arguments.seed,
        )
        bundle = load_bundle(directory)
    say(f"written and verified: {arguments.out}, version {bundle.version}")
    if arguments.test_share == 0.0:
        say(f"nobody held out: judge {arguments.out} on people whom it has not seen, --unseen")
        return
    say(f"next: pairguard-train evaluate --tables {arguments.tables} --bundle {arguments.out}")
    metrics = f"{arguments.tables}-metrics.json"
    say(f"      pairguard-train publish {arguments.out} --to var/bundles --evaluation {metrics}")


@contextmanager
def _cluster(address: str | None, say: Say) -> Iterator[Cluster | None]:
    if address is None:
        yield None
        return
    with connected(address) as cluster:
        say(f"Dask: {len(cluster.workers)} workers at {address} train the harm model")
        yield cluster


def held_out_share(text: str) -> float:
    """Read a share of people to hold out as an argument: within the bounds, or 0."""
    share = float(text)
    if share != 0.0 and not LEAST_TEST_SHARE <= share <= MOST_TEST_SHARE:
        raise argparse.ArgumentTypeError(
            f"must be {LEAST_TEST_SHARE} to {MOST_TEST_SHARE}, or 0: fewer people tell nothing"
        )
    return share


def tuning_budget(text: str) -> TuningBudget:
    """Read a budget as an argument: a number of trials, or seconds with an ``s``."""
    if text.endswith("s"):
        return TuningBudget(seconds=positive_number(text[:-1]))
    return TuningBudget(trials=positive(text))
