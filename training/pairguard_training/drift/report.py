"""Drift in words, and as a document.

Owns the sentences and the table. It must not know how anything was measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pairguard.drift.comparison import (
    DISTANCE_LARGE,
    DISTANCE_MODERATE,
    PSI_LARGE,
    PSI_MODERATE,
    YEARS_LARGE,
    YEARS_MODERATE,
    Finding,
    Measured,
    Verdict,
)
from pairguard_training.drift.change_points import ChangePoint
from pairguard_training.drift.series import Day, Series

WORDS: Final = {
    Verdict.LARGE: "large",
    Verdict.MODERATE: "moderate",
    Verdict.SMALL: "small",
    Verdict.WITHIN_NOISE: "within noise",
    Verdict.TOO_FEW: "too few",
}
_LEGEND: Final = (
    f"large: PSI > {PSI_LARGE:g} or W1 > {DISTANCE_LARGE:g} deviations ({YEARS_LARGE:g} years of a "
    f"vendor's estimates); moderate: > {PSI_MODERATE:g}, {DISTANCE_MODERATE:g} "
    f"({YEARS_MODERATE:g}); small: less, but more than chance gives;\n"
    "noise: what chance alone exceeds for any variable in one of a hundred comparisons; too few: "
    "a large difference could not be told from chance"
)


def name_of(finding: Finding) -> str:
    """Return what was compared, for people."""
    variable = finding.variable
    name = f"{variable.group.value} {variable.name}"
    return f"{name}: unknown" if finding.of_unknown else name


def findings_text(findings: Sequence[Finding], *, most: int) -> str:
    """Return a table of the largest differences and how many there are of each size."""
    shown = [each for each in findings if each.verdict is not Verdict.TOO_FEW][:most]
    rows = [("", "what", "PSI", "noise", "W1", "noise", "was -> is")]
    rows += [
        (
            WORDS[each.verdict],
            name_of(each),
            f"{each.psi.value:.3f}",
            f"{each.psi.bound:.3f}",
            *_distance_texts(each),
            _change(each),
        )
        for each in shown
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    counts = Counter(each.verdict for each in findings)
    told = ", ".join(f"{counts[verdict]} {word}" for verdict, word in WORDS.items())
    return "\n".join([*lines, f"{len(findings)} comparisons: {told}", _LEGEND])


def series_text(found: Series, points: Sequence[ChangePoint], *, most: int = 25) -> str:
    """Return all days together, each day in a line, new words, and change points of vendors."""
    whole = found.whole
    worth = whole.worth.participants * whole.participants
    heading = (
        f"all {len(found.days)} days together: {whole.participants} participants, worth at least "
        f"{worth:.0f}, and {whole.pairs} pairs"
    )
    lines = [
        heading,
        findings_text(whole.findings, most=most),
    ]
    if not found.same_policy:
        lines.append("decisions are not compared: the reference was judged by another policy")
    follow = [each.variable.name for each in whole.findings if each.variable.follows_day]
    if follow:
        lines.append(f"compared over all days alone, as they follow the day: {', '.join(follow)}")
    lines += ["", "day by day, beyond noise:", *(_day_line(each) for each in found.days)]
    for name, words in found.new_words.items():
        told = ", ".join(f"{word!r} ({count})" for word, count in words[:10])
        lines.append(f"not listed in the reference, {name}: {told}")
    for point in points:
        lines.append(
            f"estimates of {point.provider}: {WORDS[point.verdict]}; largest change on "
            f"{point.day}: {point.shift_years:+.2f} years ({point.before} before, {point.after} "
            f"since; chance alone: up to {point.noise_years:.2f})"
        )
    return "\n".join(lines)


def largest_psi(findings: Iterable[Finding]) -> float:
    """Return the largest PSI beyond noise; 0: none is."""
    return max((each.psi.value for each in findings if _counts(each)), default=0.0)


def series_document(found: Series, points: Sequence[ChangePoint]) -> dict[str, Any]:
    """Return what ``series_text`` tells, and the rest."""
    return {
        "same_policy": found.same_policy,
        "whole": _day_document(found.whole),
        "days": [_day_document(each) for each in found.days],
        "words_not_listed": {
            name: [{"word": word, "count": count} for word, count in words]
            for name, words in found.new_words.items()
        },
        "change_points": [
            {
                "provider": point.provider,
                "day": point.day.isoformat(),
                "before": point.before,
                "after": point.after,
                "shift_years": point.shift_years,
                "noise_years": point.noise_years,
                "verdict": WORDS[point.verdict],
            }
            for point in points
        ],
    }


def findings_document(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as a document, in their order."""
    return [
        {
            "group": each.variable.group.value,
            "name": each.variable.name,
            "of": "unknown" if each.of_unknown else "values",
            "verdict": WORDS[each.verdict],
            "reference_count": each.reference_count,
            "live_count": each.live_count,
            "psi": _measured(each.psi),
            "distance": None
            if each.distance is None
            else {**_measured(each.distance), "unit": each.distance_unit},
            "before": each.before,
            "after": each.after,
            "cell": each.cell or None,
            "unlisted_share": each.unlisted_share,
        }
        for each in findings
    ]


def _counts(finding: Finding) -> bool:
    return finding.verdict >= Verdict.SMALL and finding.psi.is_beyond_noise


def _day_line(day: Day) -> str:
    beyond = day.beyond_noise()
    told = ", ".join(f"{name_of(each)} ({WORDS[each.verdict]})" for each in beyond[:4])
    more = f" and {len(beyond) - 4} more" if len(beyond) > 4 else ""
    few = sum(each.verdict is Verdict.TOO_FEW for each in day.findings)
    return (
        f"  {day.day}  {day.participants:5d} participants, {day.pairs:5d} pairs  "
        f"{told or 'nothing'}{more}; too few: {few} of {len(day.findings)}"
    )


def _day_document(day: Day) -> dict[str, Any]:
    return {
        "day": None if day.day is None else day.day.isoformat(),
        "participants": day.participants,
        "pairs": day.pairs,
        "worth": {"participants": day.worth.participants, "pairs": day.worth.pairs},
        "findings": findings_document(day.findings),
    }


def _measured(measured: Measured) -> dict[str, float | None]:
    # Where there is nobody on one side, chance gives anything.
    told = {"value": measured.value, "expected": measured.expected, "noise": measured.bound}
    return {name: None if value == float("inf") else value for name, value in told.items()}


def _distance_texts(finding: Finding) -> tuple[str, str]:
    distance = finding.distance
    if distance is None:
        return "", ""
    unit = " y" if finding.variable.facts.in_years else ""
    return f"{distance.value:.2f}{unit}", f"{distance.bound:.2f}"


def _change(finding: Finding) -> str:
    if finding.before is None or finding.after is None:
        return ""
    change = f"{finding.before:.4g} -> {finding.after:.4g}"
    return f"{finding.cell}: {change}" if finding.cell else change
