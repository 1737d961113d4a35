"""The fuzzer itself: it finds what is wrong, twice the same, and nothing in what we have."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.fuzz.mutation import mutations
from tests.fuzz.parsers import run_target
from tests.fuzz.targets import Target, targets

_INPUTS = 150


@pytest.mark.parametrize("name", targets())
def test_a_parser_reads_or_refuses_whatever_it_is_given(name: str) -> None:
    found = run_target(targets()[name], _INPUTS, seed=7)
    assert found.mistakes == 0, found.shown
    assert found.accepted + found.refused == _INPUTS


def test_the_same_seed_makes_the_same_inputs() -> None:
    first, second, other = (
        list(islice(mutations([b"right", b"also"], seed=seed), 200)) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_a_mistake_is_found_and_shown() -> None:
    def reads_only_text(content: bytes) -> object:
        return content.decode("utf-8")

    found = run_target(Target(reads_only_text, [b"right"], (KeyError,)), 200, seed=1)
    assert found.mistakes > 0
    assert "UnicodeDecodeError" in found.shown[0]
