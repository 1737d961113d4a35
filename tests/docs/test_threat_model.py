"""What docs/threat-model.md says can be looked up: the tests and the metrics that it names."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from pairguard.server.metrics import Metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_is_there() -> None:
    tests = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 20
    assert named - tests == set()


def test_every_metric_that_is_named_is_there() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    known = {family.name for family in registry.collect()}

    named = {name.removesuffix("_total") for name in re.findall(r"`(pairguard_\w+)`", PAGE)}
    assert named
    assert named <= known


def test_every_attacker_has_a_table_of_what_holds_and_what_does_not() -> None:
    attackers = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    tables = re.findall(r"^\| \w+ \| what holds \| what does not \|$", PAGE, re.MULTILINE)

    assert len(attackers) == len(tables) == 5
