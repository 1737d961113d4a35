"""A signal catalogue for data from anybody, derived from the columns that are there.

Owns how a column becomes a signal: its kind, its range, its categories. What it cannot know it
leaves open (units, windows, directions): the document it gives is meant to be read and edited. What
the service counts itself is what the default catalogue says of it, directions included.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import polars as pl

from pairguard.bundle.defaults import default_catalogue
from pairguard.errors import InvalidInput, TablesRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.signal import SignalSource
from pairguard_training.tables.schema import ATTRIBUTE_PREFIX, HISTORY_PREFIX, SIGNAL_PREFIX

_LOW, _HIGH = 0.001, 0.999
_MOST_CATEGORIES = 32
_MOST_TAGS = 64
_LONGEST = 128


def derive_catalogue(snapshots: pl.DataFrame) -> SignalCatalogue:
    """Derive a catalogue from the rows that models will be trained on.

    Numbers get the range of all but the outermost thousandth on either side, so that one absurd
    value does not set it; 0/1 columns become flags; categories are the most frequent 32 texts, tags
    the most frequent 64. Columns without any value are left out. Only what does not start with
    ``history.`` is an input of the behaviour age model; a name of the service's own counts means
    what it means there, so it takes its entry from the default catalogue.

    Args:
        snapshots: Checked table of the training part; test rows would leak their ranges.

    Raises:
        TablesRefused: When names of columns cannot be names of signals.
    """
    signals: list[dict[str, Any]] = []
    counted = {
        entry["name"]: entry
        for entry in default_catalogue().to_mapping()["signals"]
        if entry["source"] == SignalSource.HISTORY.value
    }
    for column in snapshots.columns:
        values = snapshots[column].drop_nulls()
        if values.is_empty():
            continue
        if column.startswith(SIGNAL_PREFIX):
            name = column.removeprefix(SIGNAL_PREFIX)
            signals.append(counted.get(name) or _number(name, values))
        elif column.startswith(ATTRIBUTE_PREFIX):
            categories = _frequent(values, _MOST_CATEGORIES)
            if categories:
                name = column.removeprefix(ATTRIBUTE_PREFIX)
                signals.append(
                    {"name": name, "kind": "category", "categories": categories, "age_input": True}
                )
    tags = _frequent(snapshots["interests"].drop_nulls().explode().drop_nulls(), _MOST_TAGS)
    try:
        return SignalCatalogue.from_mapping({"interests": tags, "signals": signals})
    except InvalidInput as error:
        raise TablesRefused(
            [
                f"snapshots: the columns give no catalogue: {violation.field} "
                f"{violation.description}; rename the column"
                for violation in error.violations
            ]
        ) from error


def _number(name: str, values: pl.Series) -> dict[str, Any]:
    history = name.startswith(HISTORY_PREFIX)
    entry: dict[str, Any] = {
        "name": name,
        "kind": "number",
        "source": "history" if history else "request",
        "age_input": not history,
    }
    if values.n_unique() == 2 and values.is_in([0.0, 1.0]).all():
        return entry | {"kind": "flag"}
    low, high = values.quantile(_LOW, "lower"), values.quantile(_HIGH, "higher")
    if low is not None and high is not None and low < high:
        entry |= {"minimum": low, "maximum": high}
    return entry


def _frequent(texts: pl.Series, most: int) -> list[str]:
    """Return the most frequent texts that can be names, ties in the order of the alphabet."""
    if texts.is_empty():
        return []
    counts = pl.DataFrame({"text": texts.cast(pl.String)}).group_by("text").len()
    ordered = counts.sort(["len", "text"], descending=[True, False])["text"].to_list()
    return [text for text in ordered if _is_name(text)][:most]


def _is_name(text: str) -> bool:
    return 1 <= len(text) <= _LONGEST and not any(
        unicodedata.category(letter) in {"Cc", "Cs"} for letter in text
    )
