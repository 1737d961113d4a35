"""``pairguard-train certificate-coverage``: how often certificates are broken, on a simulation."""

from __future__ import annotations

import argparse
from argparse import Namespace

from pairguard.errors import PairguardError
from pairguard.policy.promises import Promise, PromiseKind
from pairguard_training.certification.coverage import CERTIFICATE, Broken, measure_coverage
from pairguard_training.certification.simulated_population import simulated_population
from pairguard_training.commands.arguments import add_seed, positive
from pairguard_training.commands.inputs import Say
from pairguard_training.progress import progress

RATE = 0.05
CONFIDENCE = 0.95
MOST_BROKEN = 0.08
"""Promised is at most one in twenty; so many recalibrations leave chance this much room."""
REGIONS = frozenset({"US", "GB"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train certificate-coverage``."""
    parser.add_argument("--participants", type=positive, default=20_000, help="of the platform")
    parser.add_argument("--recalibrations", type=positive, default=400)
    parser.add_argument("--people", type=positive, default=2_000, help="verified each time")
    parser.add_argument(
        "--people-strata", type=positive, default=6_000, help="verified each time, with strata"
    )
    add_seed(parser)


class CertificatesBroken(PairguardError):
    """Raise where more certificates were broken than chance explains."""


def run(arguments: Namespace, say: Say) -> None:
    """Print how often each way of finding a number breaks its promise.

    Raises:
        CertificatesBroken: Certificates did, more often than one in twelve.
    """
    say(f"simulating {arguments.participants} participants, seed {arguments.seed}")
    population = simulated_population(arguments.participants, seed=arguments.seed)
    say(
        f"{int(population.is_minor.sum())} minors, {int((~population.is_minor).sum())} adults; "
        f"{arguments.recalibrations} recalibrations, each promises {RATE:g} at confidence "
        f"{CONFIDENCE:g}"
    )
    cases = [
        (kind, regions, arguments.people_strata if regions else arguments.people)
        for regions in (frozenset[str](), REGIONS)
        for kind in PromiseKind
    ]
    found: list[Broken] = []
    with progress(len(cases) * arguments.recalibrations, "recalibrating") as advance:
        for kind, regions, people in cases:
            found += measure_coverage(
                population.told_apart(regions) if regions else population,
                Promise(kind, RATE, CONFIDENCE),
                recalibrations=arguments.recalibrations,
                people=people,
                regions=regions,
                seed=arguments.seed,
                advance=advance,
            )
    print(f"\nSIMULATED, seed {arguments.seed}\n\n{coverage_text(found)}\n")
    broken = [each for each in found if each.method == CERTIFICATE]
    worst = max(broken, key=lambda each: each.broken.share)
    if worst.broken.share > MOST_BROKEN:
        raise CertificatesBroken(
            f"{worst.kind}, {worst.stratum}: {worst.broken.count} of {worst.broken.of} broken, "
            f"more than {MOST_BROKEN:g}",
            reason="CERTIFICATES_BROKEN",
        )
    say(f"no certificate was broken more often than {worst.broken.share:.3f} of the times")


def coverage_text(found: list[Broken]) -> str:
    """Return the table of ``docs/certificate.md``."""
    rows = [
        "| promise | stratum | number from | broken | 95 % interval | let through, mean | mean n |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found:
        share = each.broken
        rows.append(
            f"| {each.kind} | {each.stratum} | {each.method} | {share.count}/{share.of} "
            f"({share.share:.3f})"
            + (f", {each.without} without a number" if each.without else "")
            + f" | [{share.low:.3f}, {share.high:.3f}] | {_text(each.mean_rate, '.4f')} "
            f"| {_text(each.mean_count, '.0f')} |"
        )
    return "\n".join(rows)


def _text(number: float, form: str) -> str:
    return "" if number != number else format(number, form)  # noqa: PLR0124 - it is no number
