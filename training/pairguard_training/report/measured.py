"""The sections with figures of pairs: what a threshold costs, reliability, comparison, drift.

Owns their words and tables. It must not measure anything.
"""

from __future__ import annotations

from pairguard_training.comparison import OURS, Comparison
from pairguard_training.metrics import ReliabilityBin
from pairguard_training.report.blocks import (
    Row,
    details,
    figure,
    heading,
    paragraph,
    section,
    table,
)
from pairguard_training.report.charts import reliability_chart, trade_off_chart, trade_off_place
from pairguard_training.report.drift import Drift, SignalDrift
from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.introduction import mixed_comparison
from pairguard_training.report.markup import Child, Markup, element
from pairguard_training.report.words import (
    interval_of,
    number,
    per_thousand,
    percent,
    percent_with_interval,
    short,
)
from pairguard_training.resampling import Estimate
from pairguard_training.trade_off import TradeOffPoint, round_up

_SHOWN_STOPPED = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
_MEASURES = (
    ("missed_at_1_percent", "Mixed or harmful pairs let through, 1 % of others stopped", True),
    ("missed_at_5_percent", "The same, 5 % of others stopped", True),
    ("recall_at_budget_1_percent", "Caught if only 1 % of all pairs may be stopped", True),
    ("recall_at_budget_5_percent", "The same, 5 % of all pairs", True),
    ("pr_auc", "Average precision (PR-AUC)", False),
    ("roc_auc", "ROC-AUC", False),
    ("brier_skill", "Brier skill: 0 is the base rate, 1 perfect", False),
)
_MOST_SIGNALS = 15
_ALL_SIGNALS = 500


def threshold_section(facts: ReportFacts) -> Markup:
    """Return the trade-off with its slider, or that it was not measured."""
    title = "What a threshold costs"
    mixed = mixed_comparison(facts)
    if mixed is None or not mixed.trade_off:
        return section(
            "threshold",
            title,
            paragraph("Unknown: there are too few pairs of people whose ages are known."),
        )
    points = mixed.trade_off
    own = round_up(facts.policy.default.reroute_minor_adult)
    chosen = min(range(len(points)), key=lambda place: abs(points[place].threshold - own))
    description = (
        "A falling curve: the more good pairs are stopped, the fewer mixed pairs are allowed. At "
        f"the policy's threshold: {_sentence(points[chosen])}"
    )
    return section(
        "threshold",
        title,
        paragraph(
            "A pair whose probability of being mixed is above the threshold is stopped. A low "
            "threshold stops many good pairs; a high one lets mixed pairs through. No threshold is "
            "right by itself: this is the choice that the policy makes."
        ),
        element(
            "div",
            element("label", "Move the threshold", for_="threshold-slider"),
            element(
                "input",
                type="range",
                id="threshold-slider",
                min=0,
                max=len(points) - 1,
                value=chosen,
                step=1,
                aria_valuetext=_short(points[chosen]),
                aria_describedby="threshold-sentence",
                autocomplete="off",
            ),
            element(
                "div",
                element("span", "stricter: more good pairs stopped"),
                element("span", "laxer: more mixed pairs allowed"),
                class_="ends",
                aria_hidden="true",
            ),
            class_="slider",
            id="slider",
            hidden=True,
        ),
        element(
            "noscript",
            paragraph("The slider needs JavaScript. The table below holds the same numbers."),
        ),
        element(
            "output", _sentence(points[chosen]), id="threshold-sentence", for_="threshold-slider",
            aria_live="polite",
        ),
        figure(
            trade_off_chart(points, chosen, described_by=description),
            "The line is the estimate, the band around it the 95 % interval of the mixed pairs "
            "allowed. The red mark is the threshold, its arms both intervals. "
            f"{mixed.pairs:,} pairs of {mixed.people:,} people or households, "
            f"{mixed.positives:,.0f} of them mixed.",
        ),
        _short_table(points, own),
        details(
            "Every threshold that was measured",
            table(
                "Thresholds and what each stops and allows",
                ("Threshold", "Good pairs stopped", "Mixed pairs allowed"),
                [_point_row(point) for point in points],
                anchor="thresholds",
            ),
        ),
        paragraph(
            "The curve is that of the pair score alone. The policy asks for more: both must be "
            "admitted to a common pool first, which the next sections count."
        ),
    )  # fmt: skip


def _short_table(points: list[TradeOffPoint], own: float) -> Markup:
    places = {
        min(range(len(points)), key=lambda place: abs(points[place].good_stopped.value - share))
        for share in _SHOWN_STOPPED
    } | {place for place, point in enumerate(points) if point.threshold == own}
    rows = []
    for place in sorted(places):
        point = points[place]
        head = f"{point.threshold:.4g}"
        if point.threshold == own:
            head += " (the policy's)"
        rows.append(Row(head, _cells(point)))
    return table(
        "Some thresholds",
        ("Threshold", "Good pairs stopped", "Mixed pairs allowed"),
        rows,
    )


def _point_row(point: TradeOffPoint) -> Row:
    at = trade_off_place(point)
    attributes = (
        ("data_x", f"{at.x:.1f}"),
        ("data_y", f"{at.y:.1f}"),
        ("data_x_low", f"{at.x_low:.1f}"),
        ("data_x_high", f"{at.x_high:.1f}"),
        ("data_y_low", f"{at.y_low:.1f}"),
        ("data_y_high", f"{at.y_high:.1f}"),
        ("data_sentence", _sentence(point)),
        ("data_short", _short(point)),
    )
    return Row(f"{point.threshold:.4g}", _cells(point), attributes)


def _cells(point: TradeOffPoint) -> list[Child]:
    return [
        percent_with_interval(point.good_stopped),
        percent_with_interval(point.positives_allowed),
    ]


def _sentence(point: TradeOffPoint) -> str:
    return (
        f"Threshold {point.threshold:.4g}: of 1,000 good pairs "
        f"{_thousand(point.good_stopped)} would be stopped, and of 1,000 mixed pairs "
        f"{_thousand(point.positives_allowed)} would be allowed."
    )


def _thousand(estimate: Estimate) -> str:
    low, high = per_thousand(estimate.low), per_thousand(estimate.high)
    return f"{per_thousand(estimate.value)} ({low} to {high})"


def _short(point: TradeOffPoint) -> str:
    return (
        f"threshold {point.threshold:.4g}: {percent(point.good_stopped.value)} of good pairs "
        f"stopped, {percent(point.positives_allowed.value)} of mixed pairs allowed"
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


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
