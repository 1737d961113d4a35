"""``pairguard-train age-tables``: every parameter with its source, and what follows from them."""

from __future__ import annotations

import argparse
from argparse import Namespace

from pairguard_training.age_table_listing import age_table_listing
from pairguard_training.commands.arguments import add_age_tables_source
from pairguard_training.commands.inputs import (
    Say,
    chosen_age_tables,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train age-tables``."""
    add_age_tables_source(parser)


def run(arguments: Namespace, _say: Say) -> None:
    """Print the age tables, the bounds that follow from them, and the published figures."""
    print(age_table_listing(chosen_age_tables(arguments)))
