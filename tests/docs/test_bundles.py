"""What docs/bundles.md says of files, gates and commands is what there is."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from pairguard.bundle.manifest import DIRECTORY_LIMITS
from pairguard_training.__main__ import COMMANDS
from pairguard_training.publishing.gates import GATES
from pairguard_training.publishing.limits import read_limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bundles.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def commands(text: str) -> list[list[str]]:
    joined = text.replace("\\\n", " ")
    found = re.findall(r"^\s*@?(?:\S*/)?(pairguard-train .*)$", joined, re.MULTILINE)
    return [shlex.split(line.partition("  #")[0])[1:] for line in found]


def test_every_file_of_a_bundle_stands_in_its_table_and_no_other() -> None:
    cells = re.findall(r"^\| (`.*?) \|", section("What is in the directory"), re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    assert named == set(DIRECTORY_LIMITS)


def test_every_gate_stands_in_its_table_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section("Gates"), re.MULTILINE)
    assert tuple(rows) == GATES


def test_every_line_of_the_limits_is_commented_and_belongs_to_a_gate() -> None:
    path = ROOT / "training" / "pairguard_training" / "publishing" / "default_gates.toml"
    text = path.read_text(encoding="utf-8")
    assert read_limits(path).lines == read_limits(None).lines
    assert {line.partition(".")[0] for line in read_limits(None).lines} <= set(GATES)
    for table in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        assert re.match(r"\w+\]\n# ", table), table


@pytest.mark.parametrize("words", commands(PAGE) + commands(MAKEFILE), ids=" ".join)
def test_every_command_that_is_written_is_understood(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    import_module(f"pairguard_training.commands.{COMMANDS[words[0]][0]}").add_arguments(parser)
    # Arguments of make are not ours to read.
    parser.parse_args([word for word in words[1:] if not word.startswith("$(SIM")])
