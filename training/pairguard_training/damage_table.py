"""The damage of a wrong error model as text.

Owns the layout, and that it is called simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from pairguard_training.damage import MITIGATIONS, NO_FACE, REFITTED, STRICT, DamageCase
from pairguard_training.figures import WIDTH, counted, shown

_HEADS = ("minors admitted", "of those with face", "mixed of the allowed", "good pairs allowed")
_WIDTHS = (23, 23, 23, 25)


def damage_text(cases: Sequence[DamageCase], *, seed: int) -> str:
    """Return all cases as lines of text."""
    lines = [
        "SIMULATED platforms, judged by age evidence alone: no figure below speaks of a real one",
        f"seed {seed}; counts with exact 95 % intervals, pairs share nobody; slopes of P(under 18)",
        "by bootstrap of households, 1 is exact; minors admitted: to the adults' pool",
    ]
    for case in cases:
        match = "the same" if case.simulated == case.inferred else "WRONG"
        slopes = (
            f"{shown(case.slope)} of {case.people}; with a face {shown(case.slope_with_face)} "
            f"of {case.people_with_face}, refitted {shown(case.slope_refitted)}"
        )
        lines += [
            "",
            f"faces err by: {case.simulated}; judged by: {case.inferred} ({match})",
            f"  slope {slopes}",
            _line("", _HEADS),
        ]
        for name in MITIGATIONS:
            found = case.outcomes[name]
            cells = (
                found.minors_admitted,
                found.minors_admitted_by_face,
                found.mixed_among_allowed,
                found.good_allowed,
            )
            lines.append(_line(name, [counted(cell) for cell in cells]))
        for text in case.refits:
            lines += wrap(f"faces of {text}", WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(
        [
            *lines,
            "",
            f"{STRICT}: highest P(minor) in the adults' pool, in the manner of a challenge at 25",
            f"{NO_FACE}: whoever is in the adults' pool has to be there without any face too",
            f"{REFITTED}: from people with age labels, here others of the same platform",
        ]
    )


def _line(name: str, cells: Sequence[str]) -> str:
    ends = "".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))
    return f"  {name:<14}{ends}"
