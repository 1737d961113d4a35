"""What docs/failure-modes.md says can be looked up: tests, metrics, names of degradations."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from pairguard.server.metrics import Metrics
from pairguard.server.processes.merged_metrics import SupervisorMetrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failure-modes.md").read_text(encoding="utf-8")
SERVER = ROOT / "service" / "pairguard" / "server"

NAMED_TESTS = re.findall(r"^- `(tests/\S+\.py)::(\w+)`$", PAGE, re.MULTILINE)
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]


def functions_of(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def constants_of_the_server() -> set[str]:
    """Return the codes that the server answers: constants that are named as they read."""
    found = set()
    for path in SERVER.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'^([A-Z][A-Z_]+): Final = "\1"$', text, re.MULTILINE))
    return found


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED_TESTS)))
def test_every_test_that_is_named_is_there(path: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in functions_of(ROOT / path)


def test_every_bullet_names_a_test() -> None:
    assert len(NAMED_TESTS) == len(re.findall(r"^- ", PAGE, re.MULTILINE))


def test_every_code_of_the_server_is_explained() -> None:
    codes = constants_of_the_server()

    assert {"STORE_UNAVAILABLE", "HOLD_NOT_STORED", "DECISION_NOT_JOURNALED"} <= codes
    assert [code for code in sorted(codes) if f"`{code}`" not in PAGE] == []


def test_every_metric_that_is_named_is_there() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    known = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for each in (registry, SupervisorMetrics(dict).registry)
        for family in each.collect()
    }

    named = set(re.findall(r"`(pairguard_\w+)`", PAGE))
    assert named <= known
    assert "pairguard_decisions_not_journaled_total" in named


def test_every_failure_of_the_table_has_a_paragraph_and_a_test() -> None:
    listed = re.findall(r"^\| \[([^\]]+)\]\(#([^)]+)\)", PAGE, re.MULTILINE)
    titles = [section.partition("\n")[0] for section in SECTIONS]

    assert [anchor for _, anchor in listed] == [
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles
    ]
    assert [name.lower() for name, _ in listed] == [title.lower() for title in titles]
    for title, section in zip(titles, SECTIONS, strict=True):
        assert re.search(r"^- `tests/", section, re.MULTILINE), title
