"""``pairguard-train age-examples``: print a worked example for each source of age evidence."""

from __future__ import annotations

import argparse
import tomllib
from argparse import Namespace
from pathlib import Path

from pairguard.bundle.defaults import (
    default_catalogue,
    default_policy_text,
)
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard_training.commands.arguments import add_age_tables_source
from pairguard_training.commands.inputs import (
    Say,
    chosen_age_tables,
)
from pairguard_training.worked_example_text import with_examples, worked_examples_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train age-examples``."""
    add_age_tables_source(parser)
    parser.add_argument(
        "--into", type=Path, help="a Markdown page to write them into, between its two marks"
    )


def run(arguments: Namespace, say: Say) -> None:
    """Print a worked example for each source of age evidence, or write them into a page."""
    model = RiskModel(chosen_age_tables(arguments), default_catalogue(), None, None)
    document = tomllib.loads(default_policy_text())
    # There are no outcomes in an example, so no harm model to ask.
    document["default"]["allow_without_harm_model"] = True
    text = worked_examples_text(Judge(model, Policy.from_mapping(document)))
    page: Path | None = arguments.into
    if page is None:
        print(text)
    else:
        page.write_text(with_examples(page.read_text(encoding="utf-8"), text), encoding="utf-8")
        say(f"written: {page}")
