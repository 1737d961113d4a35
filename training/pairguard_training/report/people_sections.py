"""The sections about people: for whom it errs, what minors would meet and what adults pay.

Owns their words and tables. It must not measure anything. What a model implies is called so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pairguard_training.admission_rates import RateRow
from pairguard_training.age_reliability import FEWEST_PEOPLE
from pairguard_training.exposure import Exposure
from pairguard_training.price import Price, PriceRow
from pairguard_training.proportions import Proportion
from pairguard_training.report.blocks import (
    Row,
    heading,
    items,
    notice,
    paragraph,
    section,
    table,
)
from pairguard_training.report.charts import share_bar
from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.markup import Child, Markup, element, joined
from pairguard_training.report.words import (
    counted,
    interval_of,
    percent,
    percent_with_interval,
    short,
)

_UNKNOWN_PEOPLE = "Unknown: there are too few people whose ages are known."
_DIVIDED = {
    "language": "Language",
    "region": "Region",
    "device_class": "Device class",
}
_SHARES = {
    "good_allowed": "Good pairs that are allowed",
    "mixed_allowed": "Mixed pairs that are allowed",
    "mixed_among_allowed": "Mixed pairs among the allowed",
}
_NAMED = 12

_Rates = TypeVar("_Rates", RateRow, PriceRow)


def slices_section(facts: ReportFacts) -> Markup:
    """Return the errors of admission by group, with exact intervals."""
    title = "For whom does it err?"
    rates = facts.evaluation.rates
    if rates is None:
        return section("slices", title, paragraph(_UNKNOWN_PEOPLE))
    overall = rates.overall
    children: list[Child] = [
        paragraph(
            "Two errors count. A ",
            element("em", "minor in the adults' pool"),
            " is the one that hurts. An ",
            element("em", "adult kept out of it"),
            " pays for protection, mostly with an age check. Each person is counted once; "
            "intervals are exact (Clopper and Pearson). Groups of fewer than "
            f"{FEWEST_PEOPLE} people are named and not measured.",
        ),
        heading("By the strongest evidence that somebody holds"),
        _rates_table("Errors by evidence", {"": [overall, *rates.by_evidence]}),
        heading("By group"),
        _rates_table(
            "Errors by group",
            {_divided(name): found for name, found in rates.slices.items() if found},
        ),
        _too_few(rates.unmeasured),
        heading("Is any group worse off than chance explains?"),
    ]
    if rates.spreads:
        children += [
            table(
                "Worst group against best",
                ("Divided by", "Error", "Worst and best", "Ratio", "By chance alone, below", "So"),
                [
                    Row(
                        _divided(spread.divided_by),
                        [
                            spread.rate,
                            f"{short(spread.worst)} and {short(spread.best)}",
                            f"{spread.ratio:.2f}",
                            f"{spread.by_chance_of_all:.2f}",
                            "worse than chance explains"
                            if spread.ratio > spread.by_chance_of_all
                            else "no difference shown",
                        ],
                    )
                    for spread in rates.spreads
                ],
                figures=(3, 4),
            ),
            paragraph(
                "Of many groups one is always the worst. The fifth column is what the ratio stays "
                "below in 95 of 100 draws in which all groups are alike, with as many looks as "
                "there are rows. That no difference is shown does not say that there is none.",
                class_="quiet",
            ),
        ]
    else:
        children.append(paragraph("Unknown: no group has enough people on either side."))
    children += [
        heading("Adults who pose as minors"),
        table(
            "Admitted to the minors' pool, whose members meet only where the policy allows it",
            ("Who", "Admitted", "Interval"),
            [
                Row(_capital(name), [counted(share), interval_of(share.low, share.high)])
                for name, share in rates.to_minors.items()
                if share.of
            ],
        ),
    ]
    return section("slices", title, *children)


def exposure_section(facts: ReportFacts) -> Markup:
    """Return what the policy decides, what minors would meet and what it costs adults."""
    evaluation = facts.evaluation
    children: list[Child] = []
    if evaluation.decisions is not None:
        decisions = evaluation.decisions
        rows = []
        for key, title in _SHARES.items():
            cells: list[Child] = [percent_with_interval(decisions.shares[key])]
            if decisions.champion is not None and decisions.differences is not None:
                cells += [
                    percent_with_interval(decisions.champion[key]),
                    percent_with_interval(decisions.differences[key], signed=True),
                ]
            rows.append(Row(title, cells))
        heads = ["", "This bundle"]
        if decisions.champion is not None:
            heads += ["The other bundle", "Difference"]
        children += [
            heading("What the policy decides"),
            table(f"Decisions on {decisions.pairs:,} held-out pairs", heads, rows),
            table(
                "Why: the leading reason",
                ("Reason", "Pairs"),
                [
                    Row(_capital(code.lower().replace("_", " ")), [f"{count:,}"])
                    for code, count in sorted(decisions.reasons.items(), key=lambda e: -e[1])
                ],
                figures=(1,),
            ),
        ]
    children.append(heading("What minors would meet in a week"))
    exposure = evaluation.exposure
    children += (
        [paragraph("Unknown: too few pairs of held-out people were proposed in a week.")]
        if exposure is None
        else _exposure(exposure)
    )
    children.append(heading("What adults pay"))
    price = evaluation.price
    children += [paragraph(_UNKNOWN_PEOPLE)] if price is None else _price(price)
    return section("exposure", "What minors would meet, and what adults pay", *children)


def _exposure(exposure: Exposure) -> list[Child]:
    true = exposure.true
    rows = []
    for name, implied in exposure.implied.items():
        cells: list[Child] = [percent_with_interval(implied)]
        if true is not None:
            cells.append(percent_with_interval(true[name]))
        rows.append(Row(_capital(name), cells))
    heads = ["", "Model-implied"] + ([] if true is None else ["True (simulated)"])
    return [
        notice(
            paragraph(
                element("strong", "Model-implied until random audits confirm it."),
                " The first column follows from the bundle's own probabilities. If these are "
                "wrong, so is it.",
            )
        ),
        table(
            f"The last {exposure.days:.1f} days: {exposure.pairs:,} proposed pairs of "
            f"{exposure.people:,} held-out people, {exposure.allowed:,} of them allowed",
            heads,
            rows,
        ),
        paragraph(
            "The pairs are those that were proposed then, under the rules of that time. Under this "
            "policy others would be: whoever is rerouted meets somebody else. Budgets, holds and "
            "what is remembered of people are left out, which makes these figures higher.",
            class_="quiet",
        ),
    ]


def _price(price: Price) -> list[Child]:
    return [
        paragraph(
            "Adults are stopped until they are admitted to the adults' pool. Most of them are "
            "asked for an age check that would settle it; for some, no check on offer would, and "
            "only a review helps. By the bundle's own claims "
            f"{percent(price.implied_stopped)} of adults are stopped (model-implied); counted:"
        ),
        _price_table({"": [price.overall], **{_divided(k): v for k, v in price.slices.items()}}),
        _too_few(price.unmeasured),
    ]


def _rates_table(caption: str, groups: Mapping[str, Sequence[RateRow]]) -> Markup:
    found = [row for rows in groups.values() for row in rows]
    accepted = _scale([row.false_acceptance for row in found])
    return table(
        caption,
        ("Who", "Minors in the adults' pool", "Adults kept out of it"),
        _grouped(
            groups,
            lambda row: (
                row.group,
                [_share(row.false_acceptance, accepted), _share(row.false_rejection, 1.0)],
            ),
        ),
    )


def _price_table(groups: Mapping[str, Sequence[PriceRow]]) -> Markup:
    return table(
        "Adults who are stopped or asked for a check, each once, with exact intervals",
        ("Who", "Stopped", "Asked for a check", "No check helps"),
        _grouped(
            groups,
            lambda row: (
                row.group,
                [_share(s, 1.0) for s in (row.stopped, row.asked, row.no_route)],
            ),
        ),
    )


def _grouped(
    groups: Mapping[str, Sequence[_Rates]], told: Callable[[_Rates], tuple[str, list[Child]]]
) -> list[Row]:
    rows = []
    for name, found in groups.items():
        if name and found:
            rows.append(Row(name, heading=True))
        for each in found:
            head, cells = told(each)
            rows.append(Row(_capital(head) if not name else short(head), cells))
    return rows


def _share(share: Proportion, scale: float) -> Markup:
    if not share.of:
        return joined(["nobody"])
    return joined(
        [
            f"{counted(share)} ({interval_of(share.low, share.high)})",
            share_bar(share.share, share.low, share.high, scale=scale),
        ]
    )


def _scale(shares: Sequence[Proportion]) -> float:
    """Return the greatest interval end worth showing, so that bars of a table compare."""
    ends = [share.high for share in shares if share.of >= FEWEST_PEOPLE]
    return max(ends, default=1.0) or 1.0


def _too_few(unmeasured: Mapping[str, Mapping[str, int]]) -> Markup | None:
    texts = []
    for divided_by, groups in unmeasured.items():
        named = [f"{short(name)} ({people})" for name, people in groups.items()]
        rest = len(named) - _NAMED
        more = f" and {rest} more" if rest > 0 else ""
        texts.append(f"{_divided(divided_by)}: {', '.join(named[:_NAMED])}{more}")
    if not texts:
        return None
    return joined([paragraph(f"Too few people to measure (under {FEWEST_PEOPLE}):"), items(texts)])


def _divided(name: str) -> str:
    if name.startswith("audit."):
        plain = name.removeprefix("audit.").replace("_", " ")
        return f"{_capital(short(plain))} (for audits only: no input of any score)"
    return _DIVIDED.get(name, short(name))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
