"""The last sections: examples with reasons, and the limits in plain words.

Owns their words.
"""

from __future__ import annotations

from pairguard_training.report.blocks import Row, heading, items, paragraph, section, table
from pairguard_training.report.examples import Example
from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.markup import Child, Markup, element, joined
from pairguard_training.report.words import probability

_LIMITS = (
    (
        "Only people whose age was established can be judged. If those differ from the others "
        "in a way that nobody recorded, so do the figures."
    ),
    (
        "Harm is learned from reports. Harm that is not reported is not seen, and is not made "
        "up for."
    ),
    (
        "Pairs that were stopped before show no outcome. Nothing here says what they would have "
        "come to, except where a simulation knows it."
    ),
    (
        "A determined attacker tries more than once, with new accounts, borrowed documents or a "
        "mask. Error rates here are those of the people in the data, not of somebody who aims "
        "at them."
    ),
    (
        "The data ends on a day. Platforms, vendors and children's habits change; the page says "
        "what moved since the last bundle, not what will."
    ),
    (
        "Groups that the platform does not record cannot be compared. That no difference is "
        "shown does not say that there is none."
    ),
    "Figures called model-implied are the bundle's own belief. Only random audits confirm them.",
)


def examples_section(examples: list[Example]) -> Markup:
    """Return made-up pairs with their decisions and reasons."""
    return section(
        "examples",
        "Examples with reasons",
        paragraph(
            "These pairs are made up; nobody in them is real. Each was decided on by this bundle "
            "under the policy, with no region told, so that the strictest rules of all regions "
            "hold. What a participant is shown says nothing about the other's age or history."
        ),
        *(_example(example) for example in examples),
    )


def _example(example: Example) -> Markup:
    rows = [
        Row("First", [example.known[0], probability(example.minor[0])]),
        Row("Second", [example.known[1], probability(example.minor[1])]),
    ]
    harm = "no harm model" if example.harm is None else probability(example.harm)
    checks: list[Child] = []
    if example.checks:
        checks = [paragraph("Checks that would do. ", "; ".join(example.checks), ".")]
    return element(
        "div",
        heading(example.title),
        paragraph(
            element("span", example.decision, class_=f"word {example.decision}"),
            f" Chance that the pair is mixed: {probability(example.mixed)}; "
            f"of a harm report: {harm}.",
        ),
        table("What is known of the two", ("", "Known", "Chance of being a minor"), rows),
        items(example.reasons),
        *checks,
        paragraph("The first may be shown: “", example.participant_text, "”", class_="quiet")
        if example.participant_text
        else None,
        class_="example",
    )


def limits_section(facts: ReportFacts) -> Markup:
    """Return what the figures cannot say, and what the bundle says of itself."""
    notes = list(facts.bundle.manifest.notes)
    return section(
        "limits",
        "Limits",
        items(_LIMITS),
        joined([heading("Notes of the fit"), items(notes)]) if notes else None,
        joined([heading("Notes of the evaluation"), items(facts.evaluation.notes)])
        if facts.evaluation.notes
        else None,
    )
