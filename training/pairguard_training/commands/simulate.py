"""``pairguard-train simulate``: write a simulated platform's tables and its oracle's."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard.errors import ConfigurationRefused
from pairguard_training.commands.arguments import (
    add_replace,
    add_seed,
    not_negative,
    positive,
)
from pairguard_training.commands.inputs import (
    TABLES_MARK,
    Say,
)
from pairguard_training.progress import progress
from pairguard_training.simulation.platform import simulate
from pairguard_training.whole_directory import whole_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train simulate``."""
    parser.add_argument("--out", type=Path, default=Path("var/simulated"), help="folder to write")
    parser.add_argument("--participants", type=positive, default=30_000)
    parser.add_argument("--pairs", type=not_negative, default=120_000, help="proposed pairs")
    parser.add_argument("--days", type=positive, default=60, help="length of the simulated time")
    parser.add_argument(
        "--face-errors",
        choices=("platform", "independent", "vendor-selfie"),
        default="platform",
        help="how far faces err: two providers of its own, or one preset of the age tables",
    )
    parser.add_argument(
        "--verified",
        type=positive,
        help="expected number of participants with an age label; without it about one in five",
    )
    add_seed(parser)
    add_replace(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Write a simulated platform's tables and its oracle's."""
    if arguments.verified is not None and arguments.verified > arguments.participants:
        raise ConfigurationRefused(["--verified: more than there are --participants"])
    say(
        f"simulating {arguments.participants} participants and {arguments.pairs} proposed pairs "
        f"over {arguments.days} days, seed {arguments.seed}, face errors: {arguments.face_errors}"
    )
    with (
        whole_directory(arguments.out, replace=arguments.replace, mark=TABLES_MARK) as directory,
        progress(100, "simulating") as advance,
    ):
        shown: dict[str, float] = {}

        def report(stage: str, share: float) -> None:
            before = sum(shown.values())
            shown[stage] = share
            advance(int(100 * sum(shown.values()) / 3) - int(100 * before / 3))

        summary = simulate(
            directory,
            participants=arguments.participants,
            pairs=arguments.pairs,
            seed=arguments.seed,
            days=arguments.days,
            faces=arguments.face_errors,
            verified=arguments.verified,
            progress=report,
        )
    say(
        f"simulated: {summary.minor_share:.1%} of the participants are minors, "
        f"{summary.harmful_share:.2%} mean harm; {summary.mixed_allowed_share:.1%} of the pairs "
        f"that the simulated old rule allowed are mixed; {summary.label_share:.2%} of "
        f"{summary.meetings} meetings have a harm report that counts"
    )
    say(f"written: {arguments.out} (five tables, and the truth below oracle/)")
    say(f"next: pairguard-train fit --tables {arguments.out} --out var/fitted")
