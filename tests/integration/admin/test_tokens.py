"""Making a token: shown once, and its table is one that the server takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairguard.server.caller_file import read_callers
from pairguard.server.callers import Scope
from tests.integration.admin.deployment import Deployment


def test_the_table_lets_the_token_in(deployment: Deployment, tmp_path: Path) -> None:
    arguments = ("--scope", "feedback", "--scope", "score", "--scope", "score")
    result = deployment.run("tokens", "new", "chat", *arguments, "--expire", "2027-03-01", "--json")
    (document,) = result.documents
    path = tmp_path / "tokens.toml"
    path.write_text(document["table"])
    path.chmod(0o600)

    caller = read_callers(path, with_certificates=False).with_token(document["token"])

    assert result.code == 0
    assert caller is not None
    assert (caller.name, set(caller.scopes)) == ("chat", {Scope.SCORE, Scope.FEEDBACK})
    assert "expire = 2027-03-01\n" in document["table"]
    assert document["token"] not in document["table"]


def test_people_are_shown_the_token_and_the_table(deployment: Deployment) -> None:
    result = deployment.run("tokens", "new", "chat", "--scope", "score")

    first, empty, *table = result.out.splitlines()
    token = first.removeprefix("token: ")
    assert token.startswith("pairguard_")
    assert len(token) >= len("pairguard_") + 43
    assert empty == ""
    assert table[0] == "[[callers]]"
    assert token not in "\n".join(table) + result.err
    assert "this once" in result.err


def test_no_two_tokens_are_the_same_and_none_is_kept(deployment: Deployment) -> None:
    outputs = {deployment.run("tokens", "new", "chat", "--scope", "score").out for _ in range(5)}

    assert len(outputs) == 5
    files = [path for path in deployment.directory.rglob("*") if path.is_file()]
    assert [path for path in files if b"pairguard_" in path.read_bytes()] == []


@pytest.mark.parametrize("name", ["", "a b", "-a", "n" * 65, "a\n[x]"])
def test_nobody_is_called_so(deployment: Deployment, name: str) -> None:
    result = deployment.run("tokens", "new", "--scope", "score", "--", name)

    assert (result.code, result.out) == (2, "")
    assert "NAME must be" in result.err


@pytest.mark.parametrize(
    "arguments",
    [("chat",), ("chat", "--scope", "all"), ("chat", "--scope", "score", "--expire", "x")],
)
def test_a_token_for_nothing_is_not_made(
    deployment: Deployment, arguments: tuple[str, ...]
) -> None:
    result = deployment.process("tokens", "new", *arguments)

    assert (result.code, result.out) == (2, "")
