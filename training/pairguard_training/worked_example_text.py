"""Worked examples as text: input, rows in nats, posterior, decision.

Owns what ``pairguard-train examples`` prints, which is the larger part of
``docs/age-assurance.md``. Everything in it is computed by what serves.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum

from pairguard.age.belief import log_odds
from pairguard.age.evidence import AgeEvidence
from pairguard.age.parameters import Array
from pairguard.age.posterior import contributions
from pairguard.errors import ConfigurationRefused
from pairguard.policy.checks import CheckPlan
from pairguard.policy.judgement import Judge, Judgement
from pairguard.policy.reasons import Party
from pairguard.policy.state import StoredState
from pairguard.risk.participant import Participant
from pairguard_training.worked_examples import (
    CHECKED_ADULT,
    NOW,
    REGION,
    WORKED_EXAMPLES,
    WorkedExample,
)

ROW_AGES = (9, 12, 14, 16, 17, 18, 19, 21, 25, 35, 50)
"""Ages at which a row is shown, in whole years."""

_BANDS = ("<13", "13-15", "16-17", "18-20", "21-24", "25+")
_BEGIN = "<!-- worked examples: begin -->"
_END = "<!-- worked examples: end -->"
_WIDTH = 110
_SECONDS_PER_YEAR = 365.2425 * 86_400.0


def worked_examples_text(judge: Judge) -> str:
    """Return all examples as Markdown, computed with a model and a policy.

    Each participant is proposed with an adult who has shown a document and a face.
    """
    return "\n".join(line for example in WORKED_EXAMPLES for line in _example(judge, example))


def with_examples(page: str, examples: str) -> str:
    """Return a Markdown page with the text between its two marks replaced.

    Raises:
        ConfigurationRefused: The page has not both marks.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ConfigurationRefused([f"the page needs the lines {_BEGIN} and {_END}"])
    return f"{before}{begin}\n\n{examples}\n{end}{after}"


def _example(judge: Judge, example: WorkedExample) -> Iterator[str]:
    participant = Participant(
        "example", age_evidence=example.evidence, signals=example.signals, region=REGION
    )
    adult = Participant("partner", age_evidence=CHECKED_ADULT, region=REGION)
    judged = judge.judge_pair(participant, adult, now=NOW, state=StoredState())
    plan = judge.planner.plan(participant.located_region, judged.a.age)
    yield f"### {example.title}"
    yield ""
    if example.remark:
        yield from textwrap.wrap(example.remark, _WIDTH)
        yield ""
    for item in example.evidence:
        yield f"- {_told(item)}"
    for name, value in example.signals.items():
        yield f"- signal {name} = {value:g}"
    if example.evidence:
        yield ""
        yield from _rows(judge, judged, example, plan)
        yield ""
    yield from _belief(judged, plan)
    yield ""


def _rows(
    judge: Judge, judged: Judgement, example: WorkedExample, plan: CheckPlan
) -> Iterator[str]:
    age = judged.a.age
    nats = contributions(judge.model.tables, age, adult_age_years=plan.adult_age)
    yield f"| nats at age | {' | '.join(map(str, ROW_AGES))} | moves by |"
    yield "|---" * (len(ROW_AGES) + 2) + "|"
    for item, said, moved in zip(example.evidence, age.items, nats, strict=True):
        row = "| ".join("0 " for _ in ROW_AGES) if said is None else _row(said.row)
        yield f"| {item.kind} | {row} | {moved:+.2f} |"


def _row(row: Array) -> str:
    """Return a row in nats below its best age."""
    best = math.log(float(row.max()))
    return " | ".join(f"{math.log(float(row[age])) - best:.2f}" for age in ROW_AGES)


def _belief(judged: Judgement, plan: CheckPlan) -> Iterator[str]:
    age = judged.a.age
    minor = age.probability_below(plan.adult_age)
    yield (
        f"P(under {plan.adult_age}) **{minor:.4f}**, log-odds {log_odds(minor):+.2f}, entropy "
        f"{age.entropy_nats:.2f} nats{', items conflict' if age.conflict else ''}."
    )
    bands = zip(_BANDS, age.band_probabilities(), strict=True)
    yield f"Bands: {', '.join(f'{name} {share:.3f}' for name, share in bands)}."
    yield ""
    reasons = [r.code.value for r in judged.decision.reasons if r.party is not Party.B]
    yield (
        f"Admission **{plan.admission.value}**; with a checked adult "
        f"**{judged.decision.kind.name}** ({', '.join(reasons)})."
    )
    options = " or ".join(
        f"{found.option.method.value} at {found.option.threshold_years:g} "
        f"(settles {found.probability_settled:.2f}, cost {found.option.cost:g})"
        for found in plan.forecasts[:2]
    )
    yield f"Next check: {options or plan.reason.value}."


def _told(item: AgeEvidence) -> str:
    """Return an item as a caller would tell it."""
    observation = item.observation
    facts = {
        entry.name: getattr(observation, entry.name)
        for entry in fields(observation)
        if getattr(observation, entry.name) not in (None, "", "UNSPECIFIED")
    }
    told = [f"{name} {_word(value)}" for name, value in facts.items()]
    told.append(f"binding {item.binding.value}")
    if item.provider:
        told.append(f"provider {item.provider}")
    if item.observed_time is not None:
        years = (NOW - item.observed_time) / _SECONDS_PER_YEAR
        told.append("observed now" if years == 0.0 else f"observed {years:.2g} years ago")
    if item.expire_time is not None:
        told.append("expired")
    return f"`{item.kind}`: {', '.join(told)}"


def _word(value: object) -> str:
    return (
        value.value
        if isinstance(value, StrEnum)
        else f"{value:g}"
        if isinstance(value, int | float)
        else str(value)
    )
