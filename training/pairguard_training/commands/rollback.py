"""``pairguard-train rollback``: make an earlier version the one that serves, at once."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard.bundle.publication import roll_back
from pairguard.bundle.signature import read_public_keys
from pairguard_training.commands.inputs import Say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train rollback``."""
    parser.add_argument(
        "--root", type=Path, default=Path("var/bundles"), help="root that is served"
    )
    parser.add_argument(
        "--to", metavar="VERSION", help="which version; without it the one that served before"
    )
    parser.add_argument(
        "--public-key", type=Path, metavar="FILE", help="refuse a bundle that it did not sign"
    )
    parser.add_argument("--why", default="", help="the reason, kept in the history")


def run(arguments: Namespace, say: Say) -> None:
    """Make an earlier version the one that serves; it passed its gates when it was published."""
    keys = None if arguments.public_key is None else read_public_keys(arguments.public_key)
    why = arguments.why.strip()
    version, before = roll_back(
        arguments.root, to=arguments.to, public_keys=keys, grounds={"why": why} if why else {}
    )
    current = arguments.root / "current"
    if version == before:
        say(f"{current} is {version} already")
        return
    say(f"rolled back: {current} is {version} (before: {before or 'nothing'})")
    say("a running server takes it within some seconds")
