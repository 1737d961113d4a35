"""Which signal catalogue a data set is fitted with, when none is given.

Owns that choice. It must not know how a catalogue is derived from columns
(``tables.catalogue_derivation``) nor what models make of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from pairguard.bundle.defaults import default_catalogue
from pairguard.bundle.documents import read_toml
from pairguard.errors import BundleRefused, TablesRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.splitting import Part, Split
from pairguard_training.tables.catalogue_derivation import derive_catalogue
from pairguard_training.tables.schema import ATTRIBUTE_PREFIX, SIGNAL_PREFIX


def read_catalogue_file(path: Path) -> SignalCatalogue:
    """Read a ``signals.toml``.

    Raises:
        TablesRefused: It cannot be read.
        InvalidInput: It does not keep to the format.
    """
    try:
        return SignalCatalogue.from_mapping(read_toml(path.read_bytes(), path.name))
    except (OSError, BundleRefused) as error:
        raise TablesRefused([f"{path}: {error}"]) from error


def fitting_catalogue(snapshots: pl.DataFrame, split: Split) -> SignalCatalogue:
    """Return the default catalogue where it knows every column, else one made from the columns.

    Columns that the default catalogue knows keep its entry, with its range and direction; the
    others are described from the rows of the training part.

    Raises:
        TablesRefused: Names of columns cannot be names of signals.
    """
    default = default_catalogue()
    known = {signal.name for signal in default.signals}
    columns = {
        name.removeprefix(prefix)
        for name in snapshots.columns
        for prefix in (SIGNAL_PREFIX, ATTRIBUTE_PREFIX)
        if name.startswith(prefix)
    }
    tags = set(snapshots["interests"].drop_nulls().explode().drop_nulls().unique().to_list())
    if columns <= known and tags <= set(default.interests):
        return default
    training = [person for person, part in split.parts.items() if part is Part.TRAIN]
    rows = snapshots.filter(pl.col("participant_id").is_in(training))
    derived = derive_catalogue(rows if not rows.is_empty() else snapshots).to_mapping()
    entries: dict[str, dict[str, Any]] = {e["name"]: e for e in default.to_mapping()["signals"]}
    return SignalCatalogue.from_mapping(
        {
            "interests": derived["interests"],
            "signals": [entries.get(entry["name"], entry) for entry in derived["signals"]],
        }
    )
