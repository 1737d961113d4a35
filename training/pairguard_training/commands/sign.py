"""``pairguard-train sign``: put a signature beside the manifest of a bundle."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard.bundle.directory import locate_bundle
from pairguard.bundle.loading import load_bundle
from pairguard.bundle.signature import sign_bundle
from pairguard_training.commands.inputs import Say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train sign``."""
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key")


def run(arguments: Namespace, say: Say) -> None:
    """Put a signature beside the manifest of a bundle that loads."""
    directory = locate_bundle(arguments.bundle)
    load_bundle(directory)
    say(f"signed: {sign_bundle(directory, arguments.key)}, which is the version that it was")
    say(f"next: pairguard-train publish {arguments.bundle} --to var/bundles --evaluation FILE")
