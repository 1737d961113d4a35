"""``pairguard-train publications``: what was published when, and on what grounds."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard.bundle.publication import current_version, published_versions
from pairguard.bundle.publication_history import read_history
from pairguard_training.commands.inputs import Say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train publications``."""
    parser.add_argument(
        "--root", type=Path, default=Path("var/bundles"), help="root that is served"
    )


def run(arguments: Namespace, say: Say) -> None:
    """Tell what was published when, the oldest first, and what is there."""
    root: Path = arguments.root
    for each in read_history(root):
        print(f"{each.time}  {each.kind}  {each.version}  (before: {each.before or 'nothing'})")
        gone_round = each.grounds.get("without_gates")
        if gone_round:
            print(f"    without {', '.join(map(str, gone_round))}")
        if each.grounds.get("why"):
            print(f"    why: {each.grounds['why']}")
    say(f"current: {current_version(root) or 'nothing'}")
    say(f"there: {', '.join(published_versions(root)) or 'nothing'}")
