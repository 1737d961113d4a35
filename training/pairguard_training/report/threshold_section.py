"""What a threshold costs, with a threshold to move.

Owns its words, its table, which holds all numbers that the slider shows, and the slider itself. It
must not measure anything.
"""

from __future__ import annotations

from pairguard_training.report.blocks import (
    Row,
    details,
    figure,
    paragraph,
    section,
    table,
)
from pairguard_training.report.charts import trade_off_chart, trade_off_place
from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.introduction import mixed_comparison
from pairguard_training.report.markup import Child, Markup, element
from pairguard_training.report.words import (
    per_thousand,
    percent,
    percent_with_interval,
)
from pairguard_training.resampling import Estimate
from pairguard_training.trade_off import TradeOffPoint, round_up

_SHOWN_STOPPED = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)


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
