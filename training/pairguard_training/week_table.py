"""Decisions, exposure and price as text.

Owns their layout. What a model implies is called so, every time.
"""

from __future__ import annotations

from pairguard_training.age_evaluation import Decisions
from pairguard_training.exposure import Exposure
from pairguard_training.figures import counted, row, shown
from pairguard_training.people_table import unmeasured_text
from pairguard_training.price import Price, PriceRow

_SHARES = {
    "good_allowed": "good pairs that are allowed",
    "mixed_allowed": "mixed pairs that are allowed",
    "mixed_among_allowed": "mixed pairs among the allowed",
}
_NAME = 30
_WIDE = 54


def decisions_text(decisions: Decisions) -> list[str]:
    """Return what the policy makes of the pairs, beside the champion's where there is one."""
    counts = ", ".join(f"{name} {count}" for name, count in decisions.counts.items())
    lines = [
        f"decisions on {decisions.pairs} of the pairs under the policy: {counts}",
        "  where none or all were seen: exact interval for pairs that share nobody",
    ]
    if decisions.champion is None or decisions.differences is None:
        return lines + [
            row(text, [shown(decisions.shares[key])], name_width=_NAME, width=26)
            for key, text in _SHARES.items()
        ]
    lines.append(row("", ["pairguard", "champion", "difference"], name_width=_NAME, width=26))
    for key, text in _SHARES.items():
        cells = [
            shown(decisions.shares[key]),
            shown(decisions.champion[key]),
            shown(decisions.differences[key], signed=True),
        ]
        lines.append(row(text, cells, name_width=_NAME, width=26))
    return lines


def exposure_text(exposure: Exposure) -> list[str]:
    """Return what minors would meet, and what is true where it is known."""
    lines = [
        (
            f"exposure in the last {exposure.days:.1f} days: {exposure.pairs} proposed pairs of "
            f"{exposure.people} held-out people, {exposure.allowed} allowed"
        ),
        "  MODEL-IMPLIED: no figure of its column is confirmed until random audits confirm it;",
        "  the pairs are those proposed then, not those that this policy would have led to",
    ]
    heads = ["model-implied"] + ([] if exposure.true is None else ["true (simulated)"])
    lines.append(row("", heads, name_width=_WIDE, width=24))
    for name, implied in exposure.implied.items():
        cells = [shown(implied)] + ([] if exposure.true is None else [shown(exposure.true[name])])
        lines.append(row(name, cells, name_width=_WIDE, width=24))
    return lines


def price_text(price: Price) -> list[str]:
    """Return what the adults pay, by group."""
    lines = [
        "price: adults, each once, who are not admitted to ADULTS; of all, who are asked for a",
        "  check that would settle it, and for whom no check on offer would",
        row("", ["stopped", "asked for a check", "no check helps"], name_width=_NAME, width=26),
        _price_line(price.overall),
        f"  model-implied share of adults stopped: {price.implied_stopped:.3f}",
    ]
    for divided_by, rows in price.slices.items():
        if rows:
            lines.append(f"  by {divided_by}")
            lines += [_price_line(found) for found in rows]
    return [*lines, *unmeasured_text(price.unmeasured)]


def _price_line(found: PriceRow) -> str:
    cells = [counted(found.stopped), counted(found.asked), counted(found.no_route)]
    return row(f"  {found.group}", cells, name_width=_NAME, width=26)
