"""The command as a whole: settings, exit codes, words."""

from __future__ import annotations

import argparse
import pkgutil
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pairguard import __version__
from pairguard.admin.__main__ import main
from pairguard.admin.parser import build_parser
from tests.integration.admin.deployment import Deployment, decisions

ROOT = Path(__file__).parents[3]


def commands(parser: argparse.ArgumentParser, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give each command and its help."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        yield path, parser.format_help()
    for group in groups:
        for name, each in group.choices.items():
            yield from commands(each, *path, name)


COMMANDS = dict(commands(build_parser()))
WITH_ARGUMENTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("journal", "decision"): ("d" * 32,),
    ("journal", "export"): ("--consumer", "c", "--out", "out"),
    ("journal", "backup"): ("copy",),
    ("journal", "restore"): ("copy",),
    ("keys", "promote"): ("00000000",),
    ("keys", "retire"): ("00000000",),
    ("tokens", "new"): ("chat", "--scope", "score"),
    ("hold", "show"): ("--id", "x"),
    ("hold", "release"): ("--id", "x"),
}


def test_all_commands_are_there() -> None:
    assert {name for group, name in COMMANDS if group == "journal"} == {
        "tail",
        "stats",
        "unreconciled",
        "decision",
        "verify",
        "prune",
        "import",
        "export",
        "backup",
        "restore",
    }
    assert {group for group, _ in COMMANDS} == {"journal", "store", "keys", "tokens", "hold"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_example_in_the_help_is_one_that_the_command_takes(command: tuple[str, ...]) -> None:
    _, example = " ".join(COMMANDS[command].split()).split("example: pairguard ")

    given = build_parser().parse_args(example.split())

    assert tuple(example.split()[:2]) == command
    assert callable(given.action)


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if each[0] != "tokens"], ids=" ".join
)
def test_where_there_is_no_store_none_is_made(
    deployment: Deployment, command: tuple[str, ...]
) -> None:
    result = deployment.run(*command, *WITH_ARGUMENTS.get(command, ()))

    assert result.code == 2
    assert result.err
    assert not deployment.database.exists()
    assert not deployment.key_file.exists()


def test_an_empty_file_is_no_store(deployment: Deployment) -> None:
    deployment.database.parent.mkdir()
    deployment.database.touch()

    assert deployment.run("journal", "stats").code == 2
    assert deployment.database.read_bytes() == b""


def test_without_its_key_a_store_is_not_read(deployment: Deployment) -> None:
    with deployment.store() as store:
        store.append(decisions(store.keys.current, [1]))
    shutil.move(deployment.key_file, deployment.directory / "away")

    result = deployment.run("journal", "tail")

    assert result.code == 2
    assert "identity key" in result.err
    assert not deployment.key_file.exists()


def test_a_store_can_be_used_and_promises(deployment: Deployment) -> None:
    with deployment.store() as store:
        store.check()
        assert deployment.run("store", "check", "--json").documents == [{"usable": True}]
        (document,) = deployment.run("store", "durability", "--json").documents
    assert document["promises_durability"] is True
    assert "survives a power cut" in deployment.run("store", "durability").out


def test_settings_are_those_of_the_server(deployment: Deployment) -> None:
    wrong = deployment.process("store", "check", PAIRGUARD_STORES="x", PAIRGUARD_STORE="file:x")

    assert wrong.code == 2
    assert "PAIRGUARD_STORES: is no setting" in wrong.err

    with deployment.store() as store:
        store.check()
    settings = deployment.directory / "settings.toml"
    settings.write_text(f'store = "sqlite:{deployment.database}"\n', encoding="utf-8")
    result = deployment.process(
        "store", "check", PAIRGUARD_SETTINGS_FILE=str(settings), PAIRGUARD_STORE=""
    )
    assert result.code == 0, result.err


def test_a_redis_that_is_not_there_is_told_in_a_line(deployment: Deployment) -> None:
    pytest.importorskip("redis")
    key = deployment.directory / "identity.key"
    key.touch(0o600)
    key.write_bytes(bytes(range(32)))

    result = deployment.process(
        "journal",
        "stats",
        PAIRGUARD_STORE="redis://127.0.0.1:1/0",
        PAIRGUARD_IDENTITY_KEY_FILE=str(key),
    )

    assert result.code == 2
    assert result.err.startswith("not done: ")
    assert "Traceback" not in result.err


@pytest.mark.parametrize("arguments", [(), ("journal",), ("journal", "burn"), ("keys", "promote")])
def test_half_a_command_is_refused(deployment: Deployment, arguments: tuple[str, ...]) -> None:
    assert deployment.run(*arguments).code == 2


def test_the_installed_command_is_this_one(deployment: Deployment) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert pkgutil.resolve_name(project["scripts"]["pairguard"]) is main
    assert deployment.process("--version").out == f"{__version__}\n"
