"""``pairguard-train damage``: show, simulated, what a wrong error model of faces does."""

from __future__ import annotations

import argparse
from argparse import Namespace

from pairguard_training.commands.arguments import (
    add_seed,
    positive,
)
from pairguard_training.commands.inputs import (
    Say,
)
from pairguard_training.damage import damage
from pairguard_training.damage_table import damage_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train damage``."""
    parser.add_argument("--participants", type=positive, default=30_000, help="of each platform")
    add_seed(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Show what a wrong error model of faces does, and what keeps it from pairing children."""
    cases = damage(participants=arguments.participants, seed=arguments.seed, say=say)
    print(f"\n{damage_text(cases, seed=arguments.seed)}\n")
