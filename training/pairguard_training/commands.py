"""What each command of ``pairguard-train`` does, given its arguments.

Owns the steps of the commands and what they tell. It must not know how arguments are parsed nor how
errors are shown (``__main__``).
"""

from __future__ import annotations

import tomllib
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pairguard.age.tables import AgeTables
from pairguard.bundle.defaults import (
    default_age_tables,
    default_catalogue,
    default_policy_text,
)
from pairguard.bundle.documents import read_json
from pairguard.bundle.loading import load_bundle
from pairguard.bundle.manifest import MANIFEST
from pairguard.bundle.publication import publish
from pairguard.errors import ConfigurationRefused, PolicyRefused
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.risk.pair import RiskModel
from pairguard_training.age_table_listing import age_table_listing
from pairguard_training.bundle_build import write_fit
from pairguard_training.catalogue_choice import fitting_catalogue, read_catalogue_file
from pairguard_training.comparison import EvaluationSettings
from pairguard_training.damage import damage
from pairguard_training.damage_table import damage_text
from pairguard_training.evaluation import evaluate_model
from pairguard_training.evaluation_table import evaluation_json, evaluation_text
from pairguard_training.fitting import FitSettings, fit_model
from pairguard_training.harm_labels import newest_time
from pairguard_training.progress import progress
from pairguard_training.simulation.platform import simulate
from pairguard_training.splitting import split_tables
from pairguard_training.tables.csv_import import CATALOGUE_FILE, import_csv
from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.truth import read_truth
from pairguard_training.whole_directory import whole_directory
from pairguard_training.worked_example_text import with_examples, worked_examples_text

Say = Callable[[str], None]

_TABLES_MARK = "snapshots.parquet"


def run_simulate(arguments: Namespace, say: Say) -> None:
    """Write a simulated platform's tables and its oracle's."""
    say(
        f"simulating {arguments.participants} participants and {arguments.pairs} proposed pairs "
        f"over {arguments.days} days, seed {arguments.seed}, face errors: {arguments.face_errors}"
    )
    with (
        whole_directory(arguments.out, replace=arguments.replace, mark=_TABLES_MARK) as directory,
        progress(100, "simulating") as advance,
    ):
        shown: dict[str, float] = {}

        def report(stage: str, share: float) -> None:
            before = sum(shown.values())
            shown[stage] = share
            advance(int(100 * sum(shown.values()) / 3) - int(100 * before / 3))

        summary = simulate(
            directory,
            participants=arguments.participants,
            pairs=arguments.pairs,
            seed=arguments.seed,
            days=arguments.days,
            faces=arguments.face_errors,
            progress=report,
        )
    say(
        f"simulated: {summary.minor_share:.1%} of the participants are minors, "
        f"{summary.harmful_share:.2%} mean harm; {summary.mixed_allowed_share:.1%} of the pairs "
        f"that the simulated old rule allowed are mixed; {summary.label_share:.2%} of "
        f"{summary.meetings} meetings have a harm report that counts"
    )
    say(f"written: {arguments.out} (five tables, and the truth below oracle/)")
    say(f"next: pairguard-train fit --tables {arguments.out} --out var/fitted")


def run_import(arguments: Namespace, say: Say) -> None:
    """Write the tables of a CSV file."""
    say(f"importing {arguments.csv} by the mapping {arguments.mapping}")
    with whole_directory(arguments.out, replace=arguments.replace, mark=_TABLES_MARK) as directory:
        tables = import_csv(arguments.csv, arguments.mapping, directory)
    _say_tables(tables, say)
    say(f"written: {arguments.out}; read and correct {arguments.out / CATALOGUE_FILE}, then")
    say(f"next: pairguard-train fit --tables {arguments.out} --out var/fitted")


def run_fit(arguments: Namespace, say: Say) -> None:
    """Fit a bundle to tables."""
    policy = _read_policy(arguments.policy)
    catalogue_file: Path | None = arguments.catalogue
    if catalogue_file is None and (arguments.tables / CATALOGUE_FILE).is_file():
        catalogue_file = arguments.tables / CATALOGUE_FILE
    catalogue = None if catalogue_file is None else read_catalogue_file(catalogue_file)
    say(f"reading {arguments.tables}")
    tables = read_tables(
        arguments.tables, catalogue=catalogue, missing_codes=_missing_codes(arguments.missing)
    )
    _say_tables(tables, say)
    if catalogue is None:
        catalogue = fitting_catalogue(tables.snapshots, split_tables(tables, seed=arguments.seed))
    say(f"catalogue: {len(catalogue.signals)} signals and {len(catalogue.interests)} interests")
    with whole_directory(arguments.out, replace=arguments.replace, mark=MANIFEST) as directory:
        fit = fit_model(
            tables,
            age_tables=_age_tables(arguments),
            catalogue=catalogue,
            policy=policy,
            settings=FitSettings(
                seed=arguments.seed,
                threads=arguments.threads,
                report_window_days=arguments.report_window_days,
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
    say(f"next: pairguard-train evaluate --tables {arguments.tables} --bundle {arguments.out}")
    say(f"      pairguard-train publish {arguments.out} --to var/bundles")


def run_evaluate(arguments: Namespace, say: Say) -> None:
    """Judge a bundle on people it has not seen."""
    policy = _read_policy(arguments.policy)
    bundle = load_bundle(arguments.bundle)
    manifest = bundle.manifest
    say(f"reading {arguments.tables}")
    tables = read_tables(
        arguments.tables,
        catalogue=bundle.model.catalogue,
        missing_codes=_missing_codes(arguments.missing),
    )
    _say_tables(tables, say)
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


def run_damage(arguments: Namespace, say: Say) -> None:
    """Show what a wrong error model of faces does, and what keeps it from pairing children."""
    cases = damage(participants=arguments.participants, seed=arguments.seed, say=say)
    print(f"\n{damage_text(cases, seed=arguments.seed)}\n")


def run_publish(arguments: Namespace, say: Say) -> None:
    """Make a bundle the one that serves."""
    version = publish(arguments.to, arguments.bundle)
    bundle = load_bundle(arguments.to)
    say(
        f"published: {arguments.to / 'current'} is {version}, loaded in {bundle.load_seconds:.2f} s"
    )
    for note in bundle.manifest.notes:
        say(f"note: {note}")
    if not bundle.certificate.get("certified", False):
        say("note: no certificate: the bundle promises no miss rate")
    say("a running server serves it from its next start")
    say(f"next: PAIRGUARD_BUNDLE_PATH={arguments.to} pairguard-server")


def run_age_tables(arguments: Namespace, _say: Say) -> None:
    """Print the age tables, the bounds that follow from them, and the published figures."""
    print(age_table_listing(_age_tables(arguments)))


def run_age_examples(arguments: Namespace, say: Say) -> None:
    """Print a worked example for each source of age evidence, or write them into a page."""
    model = RiskModel(_age_tables(arguments), default_catalogue(), None, None)
    document = tomllib.loads(default_policy_text())
    # There are no outcomes in an example, so no harm model to ask.
    document["default"]["allow_without_harm_model"] = True
    text = worked_examples_text(Judge(model, Policy.from_mapping(document)))
    page: Path | None = arguments.into
    if page is None:
        print(text)
    else:
        page.write_text(with_examples(page.read_text(encoding="utf-8"), text), encoding="utf-8")
        say(f"written: {page}")


def _age_tables(arguments: Namespace) -> AgeTables:
    """Return the age tables of a bundle or a file; of neither: the package's."""
    bundle: Path | None = getattr(arguments, "bundle", None)
    if bundle is not None:
        return load_bundle(bundle).model.tables
    path: Path | None = arguments.age_tables
    if path is None:
        return default_age_tables()
    return AgeTables.from_mapping(
        read_json(path.read_bytes(), path.name, reason="AGE_TABLES_INVALID")
    )


def _say_tables(tables: Tables, say: Say) -> None:
    say(
        f"read: {tables.snapshots.height} snapshots, {tables.age_evidence.height} items of age "
        f"evidence, {tables.pairs.height} pairs, {tables.outcomes.height} outcomes, "
        f"{tables.age_labels.height} age labels"
    )
    for warning in tables.warnings:
        say(f"warning: {warning}")


def _read_policy(path: Path | None) -> Policy:
    try:
        text = default_policy_text() if path is None else path.read_text(encoding="utf-8")
        return Policy.from_mapping(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyRefused([f"{path}: {error}"]) from error


def _missing_codes(texts: list[str]) -> dict[str, list[float | str]]:
    """Return codes by column from ``column=code`` texts; a code that is a number is one."""
    codes: dict[str, list[float | str]] = {}
    for text in texts:
        column, equals, code = text.rpartition("=")
        if not equals or not column:
            raise ConfigurationRefused([f"--missing {text}: write it as column=code"])
        try:
            codes.setdefault(column, []).append(float(code))
        except ValueError:
            codes.setdefault(column, []).append(code)
    return codes


def utc_time(text: str) -> datetime:
    """Read an ISO time; without a zone it is UTC.

    Raises:
        ValueError: It is none.
    """
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
