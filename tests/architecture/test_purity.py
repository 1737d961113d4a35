"""The pure packages call nothing that imports alone do not show: clock, files, environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service" / "pairguard"

FORBIDDEN_CALLS = {
    "now", "today", "utcnow",  # the clock, through datetime
    "open", "read_text", "write_text", "read_bytes", "write_bytes",  # files
    "getenv", "print", "input", "exec", "eval", "__import__",
}  # fmt: skip
FORBIDDEN_ATTRIBUTES = {"environ"}


def impurities(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each forbidden call or attribute in `source`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                if name in FORBIDDEN_CALLS:
                    yield node.lineno, name
            case ast.Attribute(attr=name) if name in FORBIDDEN_ATTRIBUTES:
                yield node.lineno, name


def pure_modules() -> list[Path]:
    packages = ("age", "risk", "policy", "drift")
    return [SERVICE / "errors.py"] + [
        path for package in packages for path in sorted((SERVICE / package).rglob("*.py"))
    ]


@pytest.mark.parametrize("path", pure_modules(), ids=lambda path: str(path.relative_to(SERVICE)))
def test_a_pure_module_reads_no_clock_file_or_environment(path: Path) -> None:
    assert list(impurities(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "datetime.datetime.now(datetime.UTC)",
        "datetime.date.today()",
        "open('table.json')",
        "path.read_text()",
        "os.environ['PAIRGUARD_ADDRESS']",
        "os.getenv('PAIRGUARD_ADDRESS')",
    ],
)
def test_an_impurity_is_found(source: str) -> None:
    assert [line for line, _ in impurities(source)] == [1]


def test_only_the_commands_read_the_environment() -> None:
    readers = {
        path.relative_to(SERVICE).as_posix()
        for path in sorted(SERVICE.rglob("*.py"))
        if any(
            isinstance(node, ast.Attribute | ast.Name)
            and (node.attr if isinstance(node, ast.Attribute) else node.id) in {"environ", "getenv"}
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }

    assert readers == {
        "admin/__main__.py",
        "server/__main__.py",
        "server/probe.py",
        "server/processes/worker.py",
    }
