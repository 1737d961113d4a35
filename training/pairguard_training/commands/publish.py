"""``pairguard-train publish``: make a bundle the one that serves."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard.bundle.loading import load_bundle
from pairguard.bundle.publication import publish
from pairguard_training.commands.inputs import (
    Say,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train publish``."""
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--to", type=Path, default=Path("var/bundles"), help="root that is served")


def run(arguments: Namespace, say: Say) -> None:
    """Make a bundle the one that serves."""
    version = publish(arguments.to, arguments.bundle)
    bundle = load_bundle(arguments.to)
    say(
        f"published: {arguments.to / 'current'} is {version}, loaded in {bundle.load_seconds:.2f} s"
    )
    for note in bundle.manifest.notes:
        say(f"note: {note}")
    if not bundle.certificate.get("certified", False):
        say("note: no certificate: the bundle promises no miss rate")
    say("a running server serves it from its next start")
    say(f"next: PAIRGUARD_BUNDLE_PATH={arguments.to} pairguard-server")
