"""What the page on operations tells people to type is what the command takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from pairguard.admin.parser import build_parser
from tests.integration.admin.test_command import COMMANDS

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def examples() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_every_example_is_taken() -> None:
    for program, *arguments in examples():
        assert program == "pairguard"
        assert callable(build_parser().parse_args(arguments).action)


def test_every_command_has_an_example() -> None:
    assert {tuple(each[1:3]) for each in examples()} == set(COMMANDS)
