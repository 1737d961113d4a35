"""The sections on pairs: do probabilities come true, and is the bundle better than others.

Owns their words and tables. It must not measure anything.
"""

from __future__ import annotations

from pairguard_training.comparison import OURS, Comparison
from pairguard_training.metrics import ReliabilityBin
from pairguard_training.report.blocks import (
    Row,
    figure,
    heading,
    paragraph,
    section,
    table,
)
from pairguard_training.report.charts import reliability_chart
from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.markup import Child, Markup, element
from pairguard_training.report.words import (
    interval_of,
    number,
    percent,
    percent_with_interval,
)

_MEASURES = (
    ("missed_at_1_percent", "Mixed or harmful pairs let through, 1 % of others stopped", True),
    ("missed_at_5_percent", "The same, 5 % of others stopped", True),
    ("recall_at_budget_1_percent", "Caught if only 1 % of all pairs may be stopped", True),
    ("recall_at_budget_5_percent", "The same, 5 % of all pairs", True),
    ("pr_auc", "Average precision (PR-AUC)", False),
    ("roc_auc", "ROC-AUC", False),
    ("brier_skill", "Brier skill: 0 is the base rate, 1 perfect", False),
)


def reliability_section(facts: ReportFacts) -> Markup:
    """Return whether probabilities come true, for every event that was measured."""
    children: list[Child] = [
        paragraph(
            "If pairs are said to be mixed with a probability of 1 %, about one in a hundred "
            "should be. Marks on the dashed line are exact; above it the bundle claims too little, "
            "which is the dangerous side, and below it too much. Both scales go by powers of ten, "
            "since rare events matter most."
        )
    ]
    for place, comparison in enumerate(facts.evaluation.comparisons):
        children += [
            heading(_sentence_case(comparison.title)),
            figure(
                reliability_chart(
                    comparison.reliability,
                    f"reliability-{place}",
                    "; ".join(map(_bin_text, comparison.reliability)),
                ),
                "Bars are 95 % intervals; an open mark at the foot: none came true.",
            ),
            table(
                f"Predicted and observed: {comparison.title}",
                ("Predicted", "Pairs", "Mean prediction", "Came true", "Interval"),
                [
                    Row(
                        _bin_range(bin_),
                        [
                            f"{bin_.pairs:,}",
                            percent(bin_.predicted),
                            percent(bin_.observed),
                            interval_of(bin_.observed_low, bin_.observed_high),
                        ],
                    )
                    for bin_ in comparison.reliability
                ],
                figures=(1, 2, 3, 4),
            ),
        ]
    if len(children) == 1:
        children.append(paragraph("Unknown: too few pairs of people whose ages are known."))
    slope = facts.evaluation.calibration.get(OURS, {})
    if slope:
        children += [
            heading("Single people"),
            paragraph(
                f"Of {facts.evaluation.people:,} people, the slope of P(under 18) is "
                f"{number(slope['slope'])} over all ages, and that of P(under 18, given 15 to 20) "
                f"among those of 15 to 20 is {number(slope['slope_given_15_to_20'])}. 1 is exact; "
                "below 1 the claims are too sure of themselves.",
            ),
        ]
    return section("reliability", "Do the probabilities come true?", *children)


def _bin_range(bin_: ReliabilityBin) -> str:
    return f"{percent(bin_.low)} to {percent(bin_.high)}"


def _bin_text(bin_: ReliabilityBin) -> str:
    return f"predicted {percent(bin_.predicted)}, came true {percent(bin_.observed)}"


def comparison_section(facts: ReportFacts) -> Markup:
    """Return the bundle beside the champion, the baselines and the oracle."""
    children: list[Child] = [
        paragraph(
            "All are judged on the same pairs and on the same draws of people, so that the "
            "difference of two has an interval of its own. A difference whose interval holds 0 "
            "shows none."
        )
    ]
    if facts.champion_version is None:
        children.append(
            paragraph(
                "No other bundle was given to compare with (", element("code", "--champion"), ")."
            )
        )
    for comparison in facts.evaluation.comparisons:
        children += [heading(_sentence_case(comparison.title)), *_compared(comparison)]
    return section("comparison", "Better than what?", *children)


def _compared(comparison: Comparison) -> list[Child]:
    base = comparison.models[OURS]["base_rate"]
    names = [name for name in comparison.models if name != OURS]
    rows = [
        Row(
            title,
            [
                (percent_with_interval if share else number)(comparison.models[name][key])
                for name in [OURS, *names]
            ],
        )
        for key, title, share in _MEASURES
    ]
    parts: list[Child] = [
        paragraph(
            f"{comparison.pairs:,} pairs, base rate {percent_with_interval(base)}: average "
            "precision is to be compared with it, and no more can be caught than are stopped."
        ),
        table(
            f"Each by itself: {comparison.title}",
            ("", "This bundle", *map(_sentence_case, names)),
            rows,
        ),
    ]
    if comparison.differences:
        against = list(comparison.differences)
        parts.append(
            table(
                f"This bundle minus each: {comparison.title}",
                ("", *(f"minus {name}" for name in against)),
                [
                    Row(
                        title,
                        [
                            (
                                percent_with_interval(found[key], signed=True)
                                if share
                                else number(found[key], signed=True)
                            )
                            for found in (comparison.differences[name] for name in against)
                        ],
                    )
                    for key, title, share in _MEASURES
                ],
            )
        )
    return parts


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
