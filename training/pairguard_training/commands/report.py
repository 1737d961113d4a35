"""``pairguard-train report``: one page of HTML on what a bundle can do and for whom it errs."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard.bundle.manifest import REPORT
from pairguard.bundle.rewriting import rewrite_bundle
from pairguard.errors import ConfigurationRefused
from pairguard_training.commands.inputs import Say
from pairguard_training.commands.judging import add_judging, judge, write_whole
from pairguard_training.report.facts import report_facts
from pairguard_training.report.page import report_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train report``."""
    add_judging(parser)
    parser.add_argument("--out", type=Path, required=True, help="report.html to write")
    parser.add_argument(
        "--with-bundle",
        type=Path,
        metavar="DIR",
        help="write a copy of the bundle that carries the report, as another version",
    )


def run(arguments: Namespace, say: Say) -> None:
    """Judge a bundle and write the report on it."""
    copy: Path | None = arguments.with_bundle
    # Known now, and not after minutes of work.
    if copy is not None and copy.exists():
        raise ConfigurationRefused([f"--with-bundle {copy}: something is there already"])
    judged = judge(arguments, say)
    page = report_page(
        report_facts(
            judged.bundle, judged.champion, judged.tables, judged.policy, judged.evaluation
        )
    )
    write_whole(arguments.out, page)
    say(f"written: {arguments.out}, {len(page) / 1e3:.0f} kB; open it in any browser")
    if copy is not None:
        rewrite_bundle(arguments.bundle, copy, {REPORT: page})
        say(f"written: {copy}, the bundle with its report")
        metrics = f"{arguments.tables}-metrics.json"
        say(f"next: pairguard-train publish {copy} --to var/bundles --evaluation {metrics}")
