"""``pairguard-train drift``: recorded people, or another bundle's, beside those of a bundle."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from pairguard.bundle.documents import canonical_json
from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.drift.reference import DriftReference
from pairguard.errors import ConfigurationRefused, TablesRefused
from pairguard_training.commands.arguments import (
    add_missing,
    add_policy,
    add_seed,
    positive,
    utc_time_argument,
)
from pairguard_training.commands.inputs import Say, read_policy, told_tables
from pairguard_training.drift.against import compare_references
from pairguard_training.drift.change_points import change_points
from pairguard_training.drift.report import (
    findings_document,
    findings_text,
    largest_psi,
    series_document,
    series_text,
)
from pairguard_training.drift.series import series
from pairguard_training.tables.reading import Tables

EXIT_DRIFTED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train drift``."""
    parser.add_argument("--bundle", type=Path, required=True, help="whose people are the reference")
    beside = parser.add_mutually_exclusive_group(required=True)
    beside.add_argument("--tables", type=Path, help="folder of the five tables")
    beside.add_argument("--against", type=Path, help="another bundle, by its own reference")
    add_policy(parser)
    add_missing(parser)
    parser.add_argument(
        "--since", type=utc_time_argument, metavar="TIME", help="only snapshots from then on"
    )
    parser.add_argument(
        "--most-a-day", type=positive, default=1_000, help="participants, and pairs, of a day"
    )
    parser.add_argument("--out", type=Path, help="drift.json to write")
    parser.add_argument(
        "--fail-above",
        type=_size,
        metavar="PSI",
        help=f"end with {EXIT_DRIFTED} if any PSI beyond noise is larger",
    )
    add_seed(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Tell what differs, the largest first; end with 1 where ``--fail-above`` says so."""
    bundle = load_bundle(arguments.bundle)
    reference = _reference(bundle, arguments.bundle)
    document: dict[str, Any] = {"bundle_version": bundle.version, "seed": arguments.seed}
    if arguments.against is not None:
        other = load_bundle(arguments.against)
        found = compare_references(reference, _reference(other, arguments.against))
        print(f"\n{other.version} beside {bundle.version}\n{findings_text(found, most=25)}\n")
        document |= {
            "against_version": other.version,
            "findings": findings_document(found),
        }
        largest = largest_psi(found)
    else:
        tables = _tables(arguments, bundle, say)
        days = series(
            reference,
            tables,
            bundle.model,
            read_policy(arguments.policy),
            most_a_day=arguments.most_a_day,
            seed=arguments.seed,
        )
        points = change_points(tables)
        print(f"\n{arguments.tables} beside {bundle.version}\n{series_text(days, points)}\n")
        document |= {"data_hash": tables.data_hash, **series_document(days, points)}
        largest = largest_psi(days.whole.findings)
    if arguments.out is not None:
        _write(arguments.out, document, say)
    if arguments.fail_above is not None and largest > arguments.fail_above:
        say(f"the largest PSI beyond noise is {largest:.3f}, above {arguments.fail_above:g}")
        sys.exit(EXIT_DRIFTED)


def _reference(bundle: Bundle, path: Path) -> DriftReference:
    try:
        found = DriftReference.from_document(bundle.reference)
    except ValueError as error:
        raise ConfigurationRefused([f"{path}: reference.json: {error}"]) from error
    if found is None:
        raise ConfigurationRefused(
            [f"{path}: its reference.json has no part for drift; fit the bundle anew"]
        )
    return found


def _tables(arguments: Namespace, bundle: Bundle, say: Say) -> Tables:
    tables = told_tables(arguments, bundle.model.catalogue, say)
    if tables.data_hash == bundle.manifest.data_hash:
        say("note: these are the tables of the fit: the reference is a sample of these people")
    return tables if arguments.since is None else _later(tables, arguments.since)


def _later(tables: Tables, since: datetime) -> Tables:
    """Return the tables without snapshots before a time, nor what hangs on them."""
    snapshots = tables.snapshots.filter(pl.col("observed_time") >= since)
    if snapshots.is_empty():
        raise TablesRefused([f"snapshots: none from {since.isoformat()} on"])
    names = snapshots["snapshot_id"].implode()
    return replace(
        tables,
        snapshots=snapshots,
        age_evidence=tables.age_evidence.filter(pl.col("snapshot_id").is_in(names)),
        pairs=tables.pairs.filter(
            pl.col("snapshot_a").is_in(names) & pl.col("snapshot_b").is_in(names)
        ),
    )


def _write(path: Path, document: dict[str, Any], say: Say) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_bytes(canonical_json(document))
    temporary.replace(path)
    say(f"written: {path}")


def _size(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number < 100.0:
        raise argparse.ArgumentTypeError("must be a number of at least 0")
    return number
