"""The first sections: the figures in short, what the bundle is and is not, and the data.

Owns their words. It must not measure anything.
"""

from __future__ import annotations

from pairguard_training.comparison import MIXED_PAIRS, OURS, Comparison
from pairguard_training.report.blocks import (
    Row,
    details,
    heading,
    items,
    notice,
    paragraph,
    section,
    table,
)
from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.markup import Child, Markup, element, joined
from pairguard_training.report.words import (
    counted,
    day,
    interval_of,
    percent,
    percent_with_interval,
)


def mixed_comparison(facts: ReportFacts) -> Comparison | None:
    """Return the comparison of mixed pairs; None: they were not measured."""
    comparisons = facts.evaluation.comparisons
    return next((found for found in comparisons if found.title == MIXED_PAIRS), None)


def simulated_notice(facts: ReportFacts) -> Markup | None:
    """Return that the data is a simulation's, where it is."""
    if not facts.evaluation.simulated:
        return None
    return notice(
        paragraph(
            element("strong", "Simulated data."),
            " Every person, pair and harm on this page was made up by a program. No figure "
            "speaks of a real platform; each shows only how the method does where the truth is "
            "known.",
        )
    )


def short_section(facts: ReportFacts) -> Markup:
    """Return the figures that matter most."""
    evaluation = facts.evaluation
    cards: list[Markup] = []
    mixed = mixed_comparison(facts)
    if mixed is not None:
        missed = mixed.models[OURS]["missed_at_5_percent"]
        cards.append(
            _card(
                percent(missed.value),
                "of mixed pairs are let through by the pair score alone, where 5 % of good pairs "
                "are stopped",
                interval_of(missed.low, missed.high),
            )
        )
    if evaluation.decisions is not None:
        shares = evaluation.decisions.shares
        cards.append(
            _card(
                percent(shares["mixed_allowed"].value),
                "of mixed pairs are allowed under the policy",
                f"{interval_of(shares['mixed_allowed'].low, shares['mixed_allowed'].high)}; and "
                f"{percent_with_interval(shares['good_allowed'])} of good pairs",
            )
        )
    if evaluation.rates is not None:
        admitted = evaluation.rates.overall.false_acceptance
        cards.append(
            _card(
                counted(admitted),
                "minors are admitted to the adults' pool",
                interval_of(admitted.low, admitted.high),
            )
        )
    if evaluation.price is not None:
        stopped = evaluation.price.overall.stopped
        cards.append(
            _card(
                counted(stopped),
                "adults are not admitted before an age check",
                interval_of(stopped.low, stopped.high),
            )
        )
    certified = facts.certificate.get("certified") is True
    cards.append(
        _card(
            "Certified" if certified else "No promise",
            "a certificate bounds the errors" if certified else "this bundle has no certificate",
            "see What is promised",
        )
    )
    return section(
        "short",
        "In short",
        paragraph(
            "A ",
            element("em", "mixed pair"),
            " is a minor and an adult; a ",
            element("em", "good pair"),
            " is any other. Beside a figure stands the interval in which the true one lies with "
            "95 % confidence. Where too little is known the page says ",
            element("em", "unknown"),
            " and gives no number.",
        ),
        element("ul", *cards, class_="cards"),
        joined(
            [
                paragraph(
                    "What was left out or could not be measured; the ",
                    element("em", "champion"),
                    " is the bundle that this one is compared with, the ",
                    element("em", "candidate"),
                    " this one:",
                ),
                items(evaluation.notes),
            ]
        )
        if evaluation.notes
        else None,
    )


def _card(figure: str, text: str, quiet: str) -> Markup:
    return element(
        "li",
        element("strong", figure),
        element("span", text),
        element("span", quiet, class_="quiet"),
    )


def purpose_section() -> Markup:
    """Return what the bundle is and what it is not."""
    return section(
        "purpose",
        "What this is, and what it is not",
        paragraph(
            "pairguard looks at two strangers before a chat service lets them meet. From what is "
            "known of each age it works out how likely the pair mixes a minor and an adult; from "
            "what happened on the platform before, how likely a meeting ends in a report of harm. "
            "A written policy turns both into one of three decisions:"
        ),
        items(
            [
                _decision("ALLOW", "the two may meet."),
                _decision(
                    "REROUTE",
                    "not this pair. Both may meet others, and either may be asked to show an age.",
                ),
                _decision("BLOCK", "somebody in it meets nobody until a check, review or expiry."),
            ]
        ),
        paragraph("It is not:", class_="lead"),
        items(
            [
                "proof of anybody's age. It weighs evidence that can be wrong, borrowed or forged.",
                "a detector of bad intent. Harm that nobody reports cannot be learned from.",
                "a judgement of a person. It speaks of one proposed meeting, and of chances.",
                "a promise, unless this page shows a certificate, and then only what that says.",
            ]
        ),
    )


def _decision(word: str, text: str) -> Markup:
    return element("span", element("span", word, class_=f"word {word}"), f" {text}")


def data_section(facts: ReportFacts) -> Markup:
    """Return what the bundle was judged on."""
    data, evaluation, manifest = facts.data, facts.evaluation, facts.bundle.manifest
    same = data.data_hash == manifest.data_hash
    labels = ", ".join(
        f"{count:,} by {method.lower().replace('_', ' ')}" for method, count in data.labels.items()
    )
    rows = [
        Row("Sessions", [f"{data.snapshots:,} of {data.participants:,} participants"]),
        Row("Time", [f"{day(data.first_seconds)} to {day(data.last_seconds)}"]),
        Row("Proposed pairs", [f"{data.pairs:,}, with {data.outcomes:,} records of what followed"]),
        Row("Established ages", [f"{sum(data.labels.values()):,}: {labels}" if labels else "none"]),
        Row("People judged", [f"{evaluation.people:,}, none of whom the models learned from"]),
        Row(
            "Judged from",
            [
                "any time: the data knows too few times to hold later ones out"
                if evaluation.later_from is None
                else f"{day(evaluation.later_from)} on: later than anything that was learned"
            ],
        ),
        Row(
            "The tables",
            [
                "those of the fit; the people judged were kept out of it"
                if same
                else "others than those of the fit"
            ],
        ),
    ]
    identity = [
        Row("Bundle", [element("code", facts.bundle.version)]),
        Row("Compared with", [element("code", facts.champion_version or "nothing")]),
        Row("Policy", [element("code", facts.policy.version)]),
        Row("Bundle made for data up to", [manifest.created]),
        Row("Hash of these tables", [element("code", data.data_hash)]),
        Row("Hash of the tables of the fit", [element("code", manifest.data_hash)]),
        Row(
            "Seeds",
            [
                ", ".join(f"{name} {seed}" for name, seed in sorted(manifest.seeds.items()))
                + f"; evaluation {evaluation.settings.seed}"
            ],
        ),
        Row("Draws of the bootstrap", [f"{evaluation.settings.resamples}"]),
    ]
    warnings: list[Child] = []
    if data.warnings:
        warnings = [details("What was odd in the tables", items(data.warnings))]
    return section(
        "data",
        "The data",
        table("What was judged on", ("What", "How much"), rows),
        paragraph(
            "Ages are compared with the evidence that was there before somebody's age was "
            "established; the check that established it, and all that came later, is left out. "
            "Otherwise a label would be judged by itself."
        ),
        *warnings,
        heading("So that it can be repeated"),
        table("Versions, hashes and seeds", ("What", "Which"), identity),
    )
