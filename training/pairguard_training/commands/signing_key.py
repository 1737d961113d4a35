"""``pairguard-train signing-key``: make the pair of keys that bundles are signed with."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

from pairguard.bundle.signature import make_keys
from pairguard_training.commands.inputs import Say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train signing-key``."""
    parser.add_argument("--private", type=Path, required=True, metavar="FILE", help="to be written")
    parser.add_argument("--public", type=Path, required=True, metavar="FILE", help="to be written")


def run(arguments: Namespace, say: Say) -> None:
    """Make the pair of keys that bundles are signed with."""
    make_keys(arguments.private, arguments.public)
    say(f"written: {arguments.private}, mode 0600: keep it from servers, and keep a copy")
    say(f"written: {arguments.public}: give it to servers, PAIRGUARD_BUNDLE_PUBLIC_KEY_FILE")
    say(f"next: pairguard-train sign BUNDLE --key {arguments.private}")
