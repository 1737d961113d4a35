"""What several commands read and tell in the same way.

Owns how files that arguments name become values of the domain. It must not know any one command.
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
    default_policy_text,
)
from pairguard.bundle.documents import read_json
from pairguard.bundle.loading import load_bundle
from pairguard.errors import ConfigurationRefused, PolicyRefused
from pairguard.policy.regions import Policy
from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.truth import is_simulated

Say = Callable[[str], None]

TABLES_MARK = "snapshots.parquet"


def chosen_age_tables(arguments: Namespace) -> AgeTables:
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


def written_before(directory: Path) -> datetime | None:
    """Return the time after which nothing in tables can have happened: now.

    One row of a wrong clock would make every young pair look old enough to have been reported.
    Of simulated tables None: their time is nobody's.
    """
    return None if is_simulated(directory) else datetime.now(UTC)


def told_tables(arguments: Namespace, catalogue: SignalCatalogue, say: Say) -> Tables:
    """Read the tables that ``--tables`` and ``--missing`` name, for the signals of a bundle."""
    say(f"reading {arguments.tables}")
    tables = read_tables(
        arguments.tables,
        catalogue=catalogue,
        missing_codes=missing_codes(arguments.missing),
        not_after=written_before(arguments.tables),
    )
    say_tables(tables, say)
    return tables


def say_tables(tables: Tables, say: Say) -> None:
    """Tell how much was read, and every warning."""
    rows = tables.rows
    say(
        f"read: {rows['snapshots']} snapshots, {rows['age_evidence']} items of age evidence, "
        f"{rows['pairs']} pairs, {rows['outcomes']} outcomes, {rows['age_labels']} age labels"
    )
    for warning in tables.warnings:
        say(f"warning: {warning}")


def read_policy(path: Path | None) -> Policy:
    """Read a policy document; without a path the package's.

    Raises:
        PolicyRefused: It cannot be read, or says what no policy may.
    """
    try:
        text = default_policy_text() if path is None else path.read_text(encoding="utf-8")
        return Policy.from_mapping(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyRefused([f"{path}: {error}"]) from error


def missing_codes(texts: list[str]) -> dict[str, list[float | str]]:
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
