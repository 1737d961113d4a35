"""The figures of people as text: reliability of P(under 18) and errors of admission.

Owns their layout. Every rate is a count of so many with its exact interval.
"""

from __future__ import annotations

from textwrap import wrap

from pairguard_training.admission_rates import (
    FALSE_ACCEPTANCE,
    FALSE_REJECTION,
    AdmissionRates,
    RateRow,
    Spread,
)
from pairguard_training.age_reliability import (
    BAND_NAMES,
    FEWEST_PEOPLE,
    AgeReliability,
    ReliabilityRow,
)
from pairguard_training.figures import WIDTH, counted, row, shown
from pairguard_training.proportions import Proportion
from pairguard_training.resampling import Estimate

_LINES = {
    "over all ages": "",
    "true ages 15-20": "_at_15_to_20",
    "there, if claims are exact": "_at_15_to_20_if_exact",
    "P(under 18 | 15-20) there": "_given_15_to_20",
}
_NAME = 28
_NAMED = 12  # groups that are too small, by name; of more only the number is told


def calibration_text(calibration: dict[str, dict[str, Estimate]], people: int) -> list[str]:
    """Return the calibration lines of P(under 18)."""
    lines = [f"calibration of P(under 18) of {people} people: slope 1 and intercept 0 are exact"]
    for name, found in calibration.items():
        lines.append(row(name, ["slope", "intercept"], name_width=_NAME, width=26))
        for title, suffix in _LINES.items():
            if f"slope{suffix}" in found:
                cells = [shown(found[f"{key}{suffix}"]) for key in ("slope", "intercept")]
                lines.append(row(f"  {title}", cells, name_width=_NAME, width=26))
    return [
        *lines,
        "  At true ages 15-20 an oracle's slope is under 1 too: the people are chosen by what is",
        "  predicted. That of P(under 18 | 15-20) is 1: its claim is given the choice as well.",
    ]


def reliability_text(reliability: AgeReliability) -> list[str]:
    """Return the reliability of the model's P(under 18) by size, by band and by group."""
    lines = [
        "reliability of P(under 18), each person once and unweighted; exact 95 % intervals",
        row("claimed", ["mean claim", "minors"], name_width=_NAME, width=26),
        *(
            row(bin_.group, [f"{bin_.predicted:.4f}", counted(bin_.minors)],
                name_width=_NAME, width=26)
            for bin_ in reliability.bins
        ),
        row("likeliest band", ["claimed", "are in it", "P(minor)", "minors"],
            name_width=14, width=23),
        *(
            row(
                band.band,
                [f"{band.claimed:.3f}", counted(band.inside), f"{band.predicted:.4f}",
                 counted(band.minors)],
                name_width=14,
                width=23,
            )
            for band in reliability.bands
        ),
    ]  # fmt: skip
    for divided_by, rows in reliability.slices.items():
        if rows:
            lines.append(_slice_row(f"by {divided_by}", "P(minor)", "minors", "slope", "intercept"))
            lines += [_slice_line(found) for found in rows]
    return [*lines, *unmeasured_text(reliability.unmeasured)]


def rates_text(rates: AdmissionRates) -> list[str]:
    """Return the errors of admission by evidence, by group and into the minors' pool."""
    head = f"errors of admission under policy {rates.policy}"
    lines = [f"{head}, each person once and unweighted; exact 95 % intervals"]
    for title, minors in ((FALSE_ACCEPTANCE, True), (FALSE_REJECTION, False)):
        found = [(held, _of(held, minors=minors)) for held in [*rates.by_evidence, rates.overall]]
        bands = [band for band in BAND_NAMES if any(band in shares for _, shares in found)]
        lines.append(f"  {title}, by the strongest evidence held and the true age")
        lines.append(row("", bands, name_width=_NAME, width=26))
        lines += [
            row(
                held.group,
                [counted(shares[band]) if band in shares else "-" for band in bands],
                name_width=_NAME,
                width=26,
            )
            for held, shares in found
        ]
    for divided_by, rows in rates.slices.items():
        if rows:
            heads = [FALSE_ACCEPTANCE, FALSE_REJECTION]
            lines.append(row(f"by {divided_by}", heads, name_width=_NAME, width=34))
            lines += [
                row(
                    found.group,
                    [counted(found.false_acceptance), counted(found.false_rejection)],
                    name_width=_NAME,
                    width=34,
                )
                for found in rows
            ]
    lines += unmeasured_text(rates.unmeasured)
    if rates.spreads:
        lines += [
            "  worst group to best; the extremes of many rates lie apart by chance alone, and a",
            "  ratio that chance explains shows no difference, nor that there is none",
        ]
        lines += [_spread_line(spread) for spread in rates.spreads]
    lines.append("  admitted to MINORS (they meet only where the policy lets minors meet)")
    lines += [
        row(f"  {name}", [counted(share)], name_width=_NAME, width=26)
        for name, share in rates.to_minors.items()
    ]
    return lines


def _spread_line(spread: Spread) -> str:
    rate = spread.rate.partition(" to ")[0]
    return (
        f"    {spread.divided_by}, {rate}: {spread.worst} to {spread.best} {spread.ratio:.2f} "
        f"({spread.groups} alike: under {spread.by_chance:.2f} in 95 %)"
    )


def _of(rates: RateRow, *, minors: bool) -> dict[str, Proportion]:
    return rates.accepted_by_band if minors else rates.rejected_by_band


def _slice_line(found: ReliabilityRow) -> str:
    return _slice_row(
        found.group,
        f"{found.predicted:.4f}",
        counted(found.minors),
        shown(found.slope),
        shown(found.intercept),
    )


def _slice_row(name: str, predicted: str, minors: str, slope: str, intercept: str) -> str:
    return f"  {name:<22}{predicted:>9}{minors:>26}{slope:>24}{intercept:>27}"


def unmeasured_text(few: dict[str, dict[str, int]]) -> list[str]:
    """Return which groups are too small to be measured."""
    lines: list[str] = []
    for divided_by, groups in few.items():
        named = [f"{name} ({people})" for name, people in groups.items()]
        rest = len(named) - _NAMED
        text = ", ".join(named[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
        lines += wrap(
            f"not measured, under {FEWEST_PEOPLE} people: {divided_by} {text}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
        )
    return lines
