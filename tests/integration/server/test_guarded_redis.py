"""A Redis over TLS, and a user of it who may do no more than the store needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from pairguard.errors import StoreUnavailable
from pairguard.store.opening import open_store
from pairguard.store.ports import RecordKind, Retention
from pairguard.v1.assessment_pb2 import DECISION_ALLOW
from tests.integration.server.certificates import Authority
from tests.integration.server.platform_calls import (
    allowed,
    between,
    codes,
    decide,
    ended,
    erase,
    happened,
    import_decisions,
    keep_evidence,
    pair,
    started,
    verified,
)
from tests.integration.server.running_server import lenient_policy, serving, until
from tests.redis_server import RedisServer, free_port, running_redis

GUIDE = Path(__file__).parents[3] / "deploy" / "redis.md"
PASSWORD = "a password: /with?signs@in#it"  # noqa: S105 - of a server that lives for a test


def permissions() -> tuple[str, ...]:
    """Return what the guide says that the user needs, as Redis takes it."""
    (line,) = re.findall(r"^user pairguard on (.*)$", GUIDE.read_text("utf-8"), re.MULTILINE)
    words: list[str] = line.split()
    return tuple(word for word in words if not word.startswith(">"))


@dataclass(frozen=True)
class Guarded:
    """A server that speaks TLS alone and knows one user besides its administrator."""

    server: RedisServer
    port: int
    authority: Authority
    password_file: Path

    @property
    def url(self) -> str:
        trusted = self.authority.certificate
        return f"rediss://pairguard@127.0.0.1:{self.port}/0?ssl_ca_certs={trusted}"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with a_guarded_server(tmp_path) as found:
        yield found


@contextmanager
def a_guarded_server(directory: Path) -> Iterator[Guarded]:
    authority = Authority(directory / "authority", "Store")
    identity = authority.issue_server("redis")
    password_file = directory / "password"
    password_file.write_text(PASSWORD + "\n", encoding="utf-8")
    port = free_port()
    options = (
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(identity.certificate), "--tls-key-file", str(identity.key)),
        *("--tls-ca-cert-file", str(authority.certificate)),
    )
    with running_redis(*options) as server:
        with server.client() as administrator:
            arguments = ("pairguard", "reset", "on", f">{PASSWORD}", *permissions())
            administrator.execute_command("ACL SETUSER", *arguments)
        yield Guarded(server, port, authority, password_file)


def test_a_service_needs_no_more_than_the_guide_says(
    guarded: Guarded, bundle: Path, tmp_path: Path
) -> None:
    with serving(
        bundle,
        tmp_path,
        policy=lenient_policy(),
        store=guarded.url,
        store_password_file=guarded.password_file,
    ) as server:
        assert until(lambda: server.health("readiness") == "SERVING")
        keep_evidence(server, "a", verified("e", 40.0))
        decision = allowed(server, "a", "b")
        happened(
            server,
            started("chat", "a", "b", decision=decision),
            ended("chat", "a", "b", seconds=60.0, by="a"),
            between("personal_block", "p", "a", "c"),
        )
        import_decisions(server)
        assert "PERSONAL_BLOCK" in codes(decide(server, pair("a", "c")))
        assert decide(server, pair("a", "d", request_id="r")).decision == DECISION_ALLOW
        erase(server, "d")
        import_decisions(server)
        store = server.application._parts.store
        assert store.statistics().records[RecordKind.DECISION] == 3
        forgotten = store.purge(now=2e9, retention=Retention(1.0, 1.0, 1.0, 1.0))
        assert forgotten.records[RecordKind.DECISION] == 3
        assert forgotten.rows > 0
        with guarded.server.client() as administrator:
            assert administrator.execute_command("ACL LOG") == []


def test_the_user_may_not_touch_the_keys_of_others(guarded: Guarded) -> None:
    with guarded.server.client() as administrator:
        administrator.set("theirs", "1")
    found = Redis(
        host="127.0.0.1",
        port=guarded.port,
        username="pairguard",
        password=PASSWORD,
        ssl=True,
        ssl_ca_certs=str(guarded.authority.certificate),
    )
    with found as client:
        for command in ("GET theirs", "FLUSHALL", "KEYS pg:*", "CONFIG SET save x", "SHUTDOWN"):
            with pytest.raises(Exception, match="no permissions"):
                client.execute_command(*command.split())


def test_a_server_of_another_authority_is_not_talked_to(guarded: Guarded, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "Other")
    url = guarded.url.replace(str(guarded.authority.certificate), str(other.certificate))
    store = open_store(
        url,
        key_path=tmp_path / "identity.key",
        password_path=guarded.password_file,
        read_timeout_seconds=1.0,
    )

    with pytest.raises(StoreUnavailable) as caught:
        store.check()

    assert PASSWORD not in str(caught.value)
    store.close()
