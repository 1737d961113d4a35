"""The age tables as a text that people read: every parameter with its source, and what follows.

Owns the layout of ``pairguard-train tables``. It must not compute what ``pairguard.age`` computes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pairguard.age.bounds import MoveBound, group_bounds, source_bounds
from pairguard.age.tables import AgeTables
from pairguard_training.published_figures import PUBLISHED_FIGURES

_WIDTH = 110
_SOURCE_INDENT = "      "
_MANY_NUMBERS = 40  # a table that was fitted is told by its size


def age_table_listing(tables: AgeTables) -> str:
    """Return all parameters, the bounds that follow from them, and the published figures."""
    parts = [
        f"age tables {tables.version}, format {tables.document['format_version']}",
        "",
        "PARAMETERS (years, rates and weights; a curve is linear between its ages)",
        "",
        *_parameters("", tables.document),
        "",
        *_bounds(tables),
        "",
        *_published(tables),
    ]
    return "\n".join(parts)


def _parameters(path: str, node: Mapping[str, Any]) -> Iterator[str]:
    for key, value in node.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            if "source" in value:
                yield textwrap.fill(
                    f"{here} = {_value(value)}", _WIDTH, subsequent_indent=_SOURCE_INDENT
                )
                yield textwrap.fill(
                    str(value["source"]),
                    _WIDTH,
                    initial_indent=_SOURCE_INDENT,
                    subsequent_indent=_SOURCE_INDENT,
                )
            else:
                yield from _parameters(here, value)
        elif key not in ("format_version", "version"):
            yield f"{here} = {value}"


def _value(parameter: Mapping[str, Any]) -> str:
    if "value" in parameter:
        value = parameter["value"]
        return value if isinstance(value, str) else f"{value:g}"
    if "ages" in parameter and len(parameter.get("values", ())) == len(parameter["ages"]):
        values = parameter["values"]
        if all(isinstance(value, int | float) for value in values) and len(values) < _MANY_NUMBERS:
            knots = zip(parameter["ages"], values, strict=True)
            return ", ".join(f"{age:g}: {value:g}" for age, value in knots)
    return f"a table with {', '.join(sorted(key for key in parameter if key != 'source'))}"


def _bounds(tables: AgeTables) -> Iterator[str]:
    line = tables.reference_age_years
    yield f"THE MOST THAT EVIDENCE CAN MOVE the log-odds of being under {line}, in nats"
    yield "alone: nothing else known, default prior; else: whatever else is known"
    yield ""
    yield f"{'':42s}{'towards adult':>22s}{'towards minor':>22s}"
    yield f"{'':42s}{'alone':>11s}{'else':>11s}{'alone':>11s}{'else':>11s}"
    for name, bound in source_bounds(tables).items():
        yield _bound(name, bound)
    yield "all items of one attack group together"
    for name, bound in group_bounds(tables).items():
        yield _bound(f"  {name}", bound)


def _bound(name: str, bound: MoveBound) -> str:
    figures = (
        bound.alone_towards_adult_nats,
        bound.towards_adult_nats,
        bound.alone_towards_minor_nats,
        bound.towards_minor_nats,
    )
    return f"{name:42s}" + "".join(f"{figure:11.2f}" for figure in figures)


def _published(tables: AgeTables) -> Iterator[str]:
    yield "PUBLISHED FIGURES, and what these tables give"
    yield ""
    yield f"{'':58s}{'published':>11s}{'tables':>9s}{'within':>9s}"
    missing = {"independent", "independent_best_quartile", "vendor_selfie"} - set(
        tables.face_models
    )
    for figure in PUBLISHED_FIGURES:
        if missing:
            yield f"{figure.what}: not computed, the tables have no preset {', '.join(missing)}"
            continue
        found = figure.of_tables(tables)
        yield f"{figure.what:58s}{figure.published:11.4f}{found:9.4f}{figure.tolerance:9.3f}"
        yield f"{_SOURCE_INDENT}{figure.source}"
