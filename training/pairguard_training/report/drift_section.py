"""How the training data moved since the other bundle's.

Owns its words and tables. It must not compute any distance (``drift``).
"""

from __future__ import annotations

from pairguard_training.report.blocks import (
    Row,
    details,
    paragraph,
    section,
    table,
)
from pairguard_training.report.drift import Drift, SignalDrift
from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.markup import Markup, element
from pairguard_training.report.words import (
    percent,
    short,
)

_MOST_SIGNALS = 15
_ALL_SIGNALS = 500


def drift_section(facts: ReportFacts) -> Markup:
    """Return how the training data moved since the champion's."""
    title = "Has the data changed since the last bundle?"
    if facts.drift is None:
        return section(
            "drift", title, paragraph("Unknown: there was no other bundle to compare with.")
        )
    drift = facts.drift
    moved = sum(found.stability > max(found.by_chance, 0.1) for found in drift.signals)
    return section(
        "drift",
        title,
        paragraph(
            f"{len(drift.signals)} signals are known to both bundles; {moved} of them moved by a "
            "stability index above 0.1, where drift is usually called moderate, and more than by "
            "chance. It compares what the two bundles learned from, not today's traffic."
        ),
        _drift_table("The models' own outputs", drift.scores) if drift.scores else None,
        _drift_table("The signals that moved most", drift.signals[:_MOST_SIGNALS])
        if drift.signals
        else None,
        details("All signals", _drift_table("Every signal", drift.signals[:_ALL_SIGNALS]))
        if len(drift.signals) > _MOST_SIGNALS
        else None,
        _only(drift),
        paragraph(
            "Stability index (PSI): 0 is no change, above 0.1 moderate, above 0.25 large; ",
            element("em", "by chance"),
            " is what it stays below in 95 of 100 samples of this size where nothing changed. "
            "Distance: Wasserstein distance in interquartile ranges, or total variation of "
            "categories. Both are computed from the quantiles that bundles carry.",
            class_="quiet",
        ),
    )


def _drift_table(caption: str, found: list[SignalDrift]) -> Markup:
    return table(
        caption,
        (
            "Signal",
            "Change",
            "Stability index",
            "By chance",
            "Distance",
            "Unknown before",
            "Unknown now",
        ),
        [
            Row(
                short(each.name),
                [
                    each.size,
                    f"{each.stability:.3f}",
                    f"{each.by_chance:.3f}",
                    "unknown" if each.distance is None else f"{each.distance:.3f}",
                    percent(each.unknown_before),
                    percent(each.unknown_now),
                ],
            )
            for each in found
        ],
        figures=(2, 3, 4, 5, 6),
    )


def _only(drift: Drift) -> Markup | None:
    texts = [
        f"Only {whose} knows: {_named(names)}."
        for whose, names in (("the other", drift.only_before), ("this one", drift.only_now))
        if names
    ]
    return paragraph(" ".join(texts)) if texts else None


def _named(names: list[str]) -> str:
    more = len(names) - _MOST_SIGNALS
    text = ", ".join(map(short, names[:_MOST_SIGNALS]))
    return f"{text} and {more} more" if more > 0 else text
