"""Warnings about data that can be used but may not say what its owner thinks.

Owns the odd cases that do not stop a run: constant columns, codes that look like "missing", names
that differ in case only, signals that the catalogue does not know. It refuses nothing.
"""

from __future__ import annotations

from collections import defaultdict

import polars as pl

from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.tables.schema import ATTRIBUTE_PREFIX, SIGNAL_PREFIX

# Values that files of other systems use for "missing" where all real values are 0 or more.
_CODES = (-1.0, -9.0, -99.0, -999.0, -9999.0)
_SHARE = 0.005


def signal_advice(snapshots: pl.DataFrame, coded: frozenset[str]) -> list[str]:
    """Return warnings about the columns of signals and attributes.

    Args:
        snapshots: The checked table.
        coded: Names of columns whose codes for "missing" the caller has given.
    """
    warnings: list[str] = []
    constant: list[str] = []
    empty: list[str] = []
    folded: defaultdict[str, list[str]] = defaultdict(list)
    for name in snapshots.columns:
        if not name.startswith((SIGNAL_PREFIX, ATTRIBUTE_PREFIX)):
            continue
        folded[name.casefold()].append(name)
        values = snapshots[name].drop_nulls()
        if values.is_empty():
            empty.append(name)
        elif values.n_unique() == 1:
            constant.append(name)
        elif name.startswith(SIGNAL_PREFIX) and name not in coded:
            warnings += _code_advice(name, values)
    if constant:
        warnings.append(f"snapshots: columns with one value only tell nothing: {_list(constant)}")
    if empty:
        warnings.append(f"snapshots: columns without any value: {_list(empty)}")
    warnings += [
        f"snapshots: columns that differ in case only are kept apart: {_list(names)}"
        for names in folded.values()
        if len(names) > 1
    ]
    return warnings


def catalogue_advice(snapshots: pl.DataFrame, catalogue: SignalCatalogue) -> list[str]:
    """Return warnings about signals that the catalogue does not know or the table does not have."""
    known = {signal.name for signal in catalogue.signals}
    held = {
        name.removeprefix(prefix)
        for prefix in (SIGNAL_PREFIX, ATTRIBUTE_PREFIX)
        for name in snapshots.columns
        if name.startswith(prefix)
    }
    warnings = []
    if unknown := sorted(held - known):
        warnings.append(f"snapshots: signals outside the catalogue are ignored: {_list(unknown)}")
    if absent := sorted(known - held):
        warnings.append(f"snapshots: signals of the catalogue without a column: {_list(absent)}")
    return warnings


def label_advice(labels: pl.DataFrame, people: pl.Series) -> list[str]:
    """Return warnings about age labels that do not age, or are of nobody with a snapshot.

    Args:
        labels: The checked table.
        people: ``participant_id`` of the snapshots.
    """
    warnings = []
    if untimed := labels["verified_time"].null_count():
        told = "each is taken for the age at every snapshot: somebody may be a minor for too long"
        warnings.append(
            f"age_labels.verified_time: {untimed} of {labels.height} labels have none; {told}"
        )
    labelled = labels["participant_id"].unique()
    if strangers := int((~labelled.is_in(people.unique().implode())).sum()):
        warnings.append(
            f"age_labels.participant_id: {strangers} of {len(labelled)} labelled people have no "
            "snapshot, and teach nothing"
        )
    return warnings


def _code_advice(name: str, values: pl.Series) -> list[str]:
    lowest = values.min()
    if lowest not in _CODES:
        return []
    is_code = values == lowest
    share = is_code.mean()
    rest = values.filter(~is_code).min()
    if isinstance(share, float) and share >= _SHARE and isinstance(rest, float) and rest >= 0.0:
        told = f"{name!r} is {lowest:g} in {share:.1%} of its rows and otherwise 0 or more"
        return [f"snapshots: {told}; if that means missing, say so in missing_codes"]
    return []


def _list(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:10]))
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
