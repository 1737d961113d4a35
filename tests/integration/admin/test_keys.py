"""Changing the identity key, step by step."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pairguard.admin.key_file import KeyFile
from pairguard.errors import StoreUnavailable
from pairguard.store.identity import KEY_BYTES, read_keys
from pairguard.store.records import decision_record
from pairguard.store.sqlite import SqliteStore
from pairguard.store.sqlite.key_checks import known_checks
from tests.integration.admin.deployment import (
    Deployment,
    decision,
    decisions,
    hold_placed,
)


@pytest.fixture
def made(deployment: Deployment) -> Deployment:
    with deployment.store() as store:
        store.check()
    return deployment


def roles(deployment: Deployment) -> list[tuple[str, str]]:
    result = deployment.run("keys", "list", "--json")
    assert result.code == 0
    return [(each["key_id"], each["role"]) for each in result.documents]


def add(deployment: Deployment) -> str:
    result = deployment.run("keys", "add", "--json")
    assert result.code == 0, result.err
    return str(result.documents[0]["key_id"])


def promoted(deployment: Deployment) -> tuple[str, str]:
    """Make a new key the current one and open the store with it; return the old and the new."""
    ((old, _),) = roles(deployment)
    new = add(deployment)
    assert deployment.run("keys", "promote", new).code == 0
    with deployment.store() as store:
        assert store.keys.current.key_id == new
    return old, new


def hold_reasons(deployment: Deployment, name: str) -> list[str]:
    documents = deployment.run("hold", "show", "--id", name, "--json").documents
    return [each["reason"] for each in documents]


def test_a_new_key_hashes_nothing_until_it_is_promoted(made: Deployment) -> None:
    ((first, role),) = roles(made)
    assert role == "current"

    second = add(made)
    assert roles(made) == [(first, "current"), (second, "retired")]

    assert made.run("keys", "promote", second.upper()).code == 0
    assert roles(made) == [(second, "current"), (first, "retired")]


def test_what_stood_under_the_old_key_is_found_under_the_new(made: Deployment) -> None:
    with made.store() as store:
        store.append([hold_placed(store.keys.current, "held")])
    promoted(made)

    assert hold_reasons(made, "held") == ["PLATFORM_SPAM_RING"]


def test_a_key_that_something_stands_under_is_not_taken_out(made: Deployment) -> None:
    with made.store() as store:
        store.append(decisions(store.keys.current, [1]))
        store.append([hold_placed(store.keys.current, "held")])
    old, new = promoted(made)
    content = made.key_file.read_bytes()

    result = made.run("keys", "retire", old)

    assert result.code == 2
    assert "holds would hold nobody" in result.err
    assert time.strftime("%Y-%m-%d", time.gmtime()) in result.err
    assert made.key_file.read_bytes() == content

    forced = made.run("keys", "retire", old, "--force")
    assert forced.code == 0
    assert "lost" in forced.err
    assert roles(made) == [(new, "current")]
    assert hold_reasons(made, "held") == []


def test_the_store_asks_for_the_key_that_stays(made: Deployment) -> None:
    old, new = promoted(made)
    assert made.run("keys", "retire", old).code == 0

    with made.store() as store:
        assert isinstance(store, SqliteStore)
        assert {each[:4].hex() for each in known_checks(store)} == {new}
        assert store.append([decision_record(decision(store.keys.current, "d" * 32, "a", "b"))])
    with pytest.raises(StoreUnavailable, match="another key"):
        _with_another_key(made).check()


def _with_another_key(deployment: Deployment) -> SqliteStore:
    path = deployment.directory / "other.key"
    path.touch(0o600)
    path.write_bytes(os.urandom(KEY_BYTES))
    return SqliteStore(deployment.database, key_path=path)


def test_a_key_that_was_never_the_current_one_is_taken_out_freely(made: Deployment) -> None:
    with made.store() as store:
        store.append(decisions(store.keys.current, [1]))
    added = add(made)

    assert made.run("keys", "retire", added).code == 0
    assert len(roles(made)) == 1


def test_the_current_key_is_not_taken_out(made: Deployment) -> None:
    ((current, _),) = roles(made)

    result = made.run("keys", "retire", current, "--force")

    assert result.code == 2
    assert "promote another first" in result.err


@pytest.mark.parametrize("command", ["promote", "retire"])
def test_a_key_that_is_not_there_is_refused(made: Deployment, command: str) -> None:
    assert made.run("keys", command, "00000000").code == 2


def test_the_current_key_is_not_promoted_again(made: Deployment) -> None:
    ((current, _),) = roles(made)

    assert made.run("keys", "promote", current).code == 2


def test_a_ninth_key_is_refused(made: Deployment) -> None:
    for _ in range(7):
        add(made)

    result = made.run("keys", "add")

    assert result.code == 2
    assert len(roles(made)) == 8


def test_the_file_keeps_its_mode_and_leaves_no_second_copy(made: Deployment) -> None:
    made.key_file.chmod(0o440)

    add(made)

    assert made.key_file.stat().st_mode & 0o777 == 0o440
    keys = made.key_file.read_bytes()
    copies = [
        path
        for path in made.directory.rglob("*")
        if path.is_file() and path != made.key_file and keys[:KEY_BYTES] in path.read_bytes()
    ]
    assert copies == []


def test_a_file_that_cannot_be_written_is_as_it_was(
    made: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = made.key_file.read_bytes()

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("pairguard.admin.key_file.os.fsync", fail)
        result = made.run("keys", "add")

    assert result.code == 2
    assert "No space" in result.err
    assert made.key_file.read_bytes() == content
    assert [path.name for path in made.key_file.parent.glob(".*")] == []


def test_a_link_is_not_replaced(made: Deployment, tmp_path: Path) -> None:
    link = tmp_path / "link.key"
    link.symlink_to(made.key_file)

    result = made.process("keys", "add", PAIRGUARD_IDENTITY_KEY_FILE=str(link))

    assert result.code == 2
    assert link.is_symlink()
    assert len(read_keys(made.key_file).check_values) == 1


def test_no_key_is_ever_printed(made: Deployment) -> None:
    old, new = promoted(made)
    said = "".join(
        result.out + result.err
        for result in (
            made.run("keys", "list"),
            made.run("keys", "add"),
            made.run("keys", "retire", old),
        )
    )

    assert new in said
    for secret in KeyFile(made.key_file)._secrets:
        assert secret.hex() not in said
