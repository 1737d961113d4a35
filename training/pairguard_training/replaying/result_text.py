"""What a replay found, as lines of text for people.

Owns the layout and the words beside the figures: what they rest on, and what nobody can know.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Final

from pairguard.policy.decision import DecisionKind
from pairguard_training.figures import WIDTH, row, shown
from pairguard_training.replaying.off_policy import OffPolicy
from pairguard_training.replaying.result import Replay, Shares
from pairguard_training.replaying.self_check import SelfCheck
from pairguard_training.replaying.tally import PERHAPS, UNLOGGED

_NAME: Final = 32
_CELL: Final = 24
_KIND: Final = 12
_MOST_ROWS: Final = 20
_KINDS: Final = tuple(kind.name for kind in DecisionKind)

POOL_IGNORED: Final = (
    "Each decision stands for itself: that who is turned away is proposed to somebody else, and "
    "what that changes for the pool, is ignored. So is that other decisions would have left other "
    "counts, holds and budgets behind."
)

OF_RANKINGS: Final = (
    "RANKINGS: a decision below is one candidate with its seeker. To be allowed is to be offered, "
    "not to meet;\nwhom an offer came to, and what came of it, is not told here."
)


def replay_text(found: Replay) -> str:
    """Return the whole replay as lines of text."""
    lines = [
        f"{found.decisions} decisions on pairs decided again, of {found.people} people",
        (
            f"95 % intervals: bootstrap by people, {found.draws} draws, seed {found.seed}; "
            "[?]: cannot be told"
        ),
        *wrap(POOL_IGNORED, WIDTH),
        "",
        *_self_check(found.self_check),
        *_kept(found),
        "",
        *_transitions(found.transitions),
        *_unknown(found),
        "",
        *_shares("", {"all decisions": found.overall}),
        (
            f"  expected mixed pairs of 1,000 decisions, by what was believed: "
            f"{shown(found.exposure_before)} -> {shown(found.exposure_after)}"
        ),
        "",
        *_shares("by the two participants, as they were believed to be", found.by_pair),
        "",
        *_shares("participants", found.by_participant),
        "",
        *_shares("by region", found.by_region),
        "",
        *_reasons(found.reasons),
        "",
        *_outcomes(found),
        *_off_policy(found.off_policy),
    ]
    return "\n".join(lines)


def _self_check(check: SelfCheck) -> list[str]:
    if not check.compared:
        others = check.other_versions
        why = f"all {others} were made by other versions" if others else "nothing to compare with"
        return [
            (
                f"self-check: not made: {why}; give what decided with --logged-bundle and "
                "--logged-policy"
            )
        ]
    lines = [
        (
            f"self-check: {check.same} of {check.compared} decisions come out the same where they "
            "should, probabilities to the bit"
        )
    ]
    if check.other_versions:
        lines.append(f"  {check.other_versions} were made by other versions and are not compared")
    for what, number in check.differing.items():
        lines.append(f"  {number} differ in the {what}")
    if check.differing:
        lines += [
            f"  of those that differ, kept state is not recorded of {check.differing_carried}",
            f"  largest difference of a probability: {check.largest_difference:.3g}",
            f"  for example {', '.join(check.examples)}",
        ]
    return lines


def _kept(found: Replay) -> list[str]:
    lines = [
        (
            f"kept state (holds, blocks, budgets, reports): recorded with "
            f"{found.state_recorded} of {found.decisions} decisions"
        )
    ]
    if found.state_recorded < found.decisions:
        carried = ", ".join(f"{name} {count}" for name, count in found.carried.items())
        lines += wrap(
            "Of the others it is told from reasons and histories. What cannot be is carried over "
            f"as it was and never goes away: {carried or 'none'}. A stricter budget shows nothing "
            "there.",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="  ",
        )
    if found.explored:
        lines.append(f"{found.explored} that chance alone had turned away count as ALLOW before")
    return lines


def _transitions(transitions: Mapping[tuple[str, str], int]) -> list[str]:
    afters = [*_KINDS, *([PERHAPS] if any(after == PERHAPS for _, after in transitions) else [])]
    lines = [
        "what was decided (rows) and what would be (columns)",
        row("", afters, name_width=_NAME, width=_KIND),
    ]
    for before in (*_KINDS, UNLOGGED):
        counts = [transitions.get((before, after), 0) for after in afters]
        if any(counts) or before in _KINDS:
            cells = [str(count) for count in counts]
            lines.append(row(before, cells, name_width=_NAME, width=_KIND))
    if PERHAPS in afters:
        lines += wrap(
            f"{PERHAPS}: was stopped for a reason that tables do not tell, and nothing in them "
            "forbids it. A hold or a spent budget may.",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="  ",
        )
    return lines


def _unknown(found: Replay) -> list[str]:
    if not found.newly_allowed:
        return []
    return [
        (
            f"  unknown: what would have come of the {found.newly_allowed} that were stopped and "
            "would be allowed"
        )
    ]


def _shares(title: str, groups: Mapping[str, Shares]) -> list[str]:
    if not groups:
        return []
    heads = ["allowed before", "would be", "difference", "asked for a check"]
    lines = [row(title or "shares", heads, name_width=_NAME + 8, width=_CELL)]
    if len(title) > _NAME + 8:
        lines = [title, row("", heads, name_width=_NAME + 8, width=_CELL)]
    for name, each in list(groups.items())[:_MOST_ROWS]:
        before = "?" if each.asked_before is None else _share(each.asked_before.value)
        cells = [
            shown(each.allowed_before),
            shown(each.allowed_after),
            shown(each.difference, signed=True),
            f"{before} -> {_share(each.asked_after.value)}",
        ]
        lines.append(row(f"{name} ({each.count})", cells, name_width=_NAME + 8, width=_CELL))
    if len(groups) > _MOST_ROWS:
        lines.append(f"  and {len(groups) - _MOST_ROWS} more in the JSON")
    return lines


def _share(value: float) -> str:
    return f"{value:.3f}"


def _reasons(reasons: Mapping[tuple[str, str], int]) -> list[str]:
    if not reasons:
        return ["no decision changes"]
    lines = ["leading reasons where the decision changes"]
    for (before, after), count in list(reasons.items())[:_MOST_ROWS]:
        lines.append(f"  {count:>8}  {before} -> {after}")
    if len(reasons) > _MOST_ROWS:
        lines.append(f"  and {len(reasons) - _MOST_ROWS} more in the JSON")
    return lines


def _outcomes(found: Replay) -> list[str]:
    harmed = found.harmed
    if harmed is None:
        return ["harm: unknown: no outcome was ever recorded"]
    if not harmed.met:
        return ["harm: not known yet: of no pair that met has the report window closed"]
    lines = [
        (
            f"harm reported of {harmed.harmed} of {harmed.met} pairs that met and whose window has "
            f"closed; {harmed.stopped} of these pairs would be stopped, "
            f"{harmed.harmed_stopped} of the harmed"
        )
    ]
    if harmed.harmed:
        lines.append(f"  share of the harmed that would be stopped: {shown(harmed.spared)}")
    return lines


def _off_policy(found: OffPolicy) -> list[str]:
    lines = [
        (
            f"value: of {found.drawn} decisions drawn at random, outcome known of "
            f"{found.drawn_with_outcome}, of these {found.allowed} would be allowed; "
            f"{found.fixed} could only be ALLOW, {found.forbidden} could not"
        )
    ]
    if found.chance_unknown:
        lines.append(f"  {found.chance_unknown} of unknown probability are left out")
    value = found.value
    if value is None:
        lines += wrap(f"  harm under the policy: unknown: {found.unknown}", WIDTH)
    else:
        lines += [
            "  reports of harm of 1,000 decisions on pairs that nothing forbade (doubly robust):",
            (
                f"    under the policy {shown(value.harm)}, with all of them allowed "
                f"{shown(value.harm_if_all_allowed)}"
            ),
            (
                f"    difference {shown(value.difference, signed=True)}, worth "
                f"{value.effective_decisions:.0f} decisions"
            ),
        ]
        if found.unknown:
            lines += wrap(
                f"unknown: what would come {found.unknown}",
                WIDTH,
                initial_indent="    ",
                subsequent_indent="    ",
            )
    if found.mixed_allowed is None or found.mixed_logged is None:
        lines += wrap(
            "  mixed pairs under the policy: unknown: no two ages of a pair are known from "
            "elsewhere than from what it was decided on (tables with age labels tell)",
            WIDTH,
        )
    else:
        lines += [
            (
                f"  mixed pairs allowed of 1,000 decisions, {found.mixed_known} on pairs of known "
                "ages (who was checked is not everybody):"
            ),
            f"    {shown(found.mixed_logged)} -> {shown(found.mixed_allowed)}",
        ]
    return lines
