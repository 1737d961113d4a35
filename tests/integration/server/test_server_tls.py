"""TLS and mutual TLS on a real server: who gets in, and certificates that change meanwhile."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from pairguard.client import Client, ClientError, ClientOptions, ParticipantInput, TlsOptions
from pairguard.errors import ConfigurationRefused
from pairguard.v1 import assessment_pb2
from pairguard.v1.pair_risk_service_pb2 import ScorePairResponse
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub
from tests.integration.server.callers import bearing, certificate_table, table, write
from tests.integration.server.certificates import Authority, Identity
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    Running,
    failed_call,
    lenient_policy,
    listening,
    serving,
)
from tests.unit.server.requests import ADULT, pair_request

ALLOWED = assessment_pb2.DECISION_ALLOW


@dataclass(frozen=True)
class Authorities:
    """Two that know nothing of each other."""

    ours: Authority
    other: Authority


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    directory = tmp_path_factory.mktemp("authorities")
    return Authorities(Authority(directory / "ours", "ours"), Authority(directory / "o", "other"))


@pytest.fixture(scope="module")
def server_identity(authorities: Authorities) -> Identity:
    return authorities.ours.issue_server("server")


def copied(identity: Identity, directory: Path) -> Identity:
    """Return the same identity in files of the test's own."""
    copy = Identity(directory / "tls.pem", directory / "tls.key")
    shutil.copy(identity.certificate, copy.certificate)
    shutil.copy(identity.key, copy.key)
    copy.key.chmod(0o600)
    return copy


@contextmanager
def secured(
    bundle: Path, directory: Path, identity: Identity, **settings: Any
) -> Iterator[Running]:
    with serving(
        bundle,
        directory,
        policy=lenient_policy(),
        tls_certificate_file=identity.certificate,
        tls_key_file=identity.key,
        **settings,
    ) as running:
        yield running


@contextmanager
def channel_to(running: Running, credentials: grpc.ChannelCredentials) -> Iterator[grpc.Channel]:
    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(str(running.application.address), credentials, options) as channel:
        yield channel


def score(channel: grpc.Channel, **arguments: Any) -> ScorePairResponse:
    return PairRiskServiceStub(channel).ScorePair(
        pair_request(ADULT, ADULT), timeout=TIMEOUT_SECONDS, **arguments
    )


def refused(channel: grpc.Channel, **arguments: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        score(channel, **arguments)
    return failed_call(caught.value).code()


def served(running: Running, credentials: grpc.ChannelCredentials) -> bool:
    """Return whether a new connection is answered."""
    with channel_to(running, credentials) as channel:
        try:
            return score(channel).assessment.decision == ALLOWED
        except grpc.RpcError as error:
            if failed_call(error).code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False


def test_calls_are_answered_over_tls_to_those_who_trust_the_server(
    bundle: Path, tmp_path: Path, authorities: Authorities, server_identity: Identity
) -> None:
    with secured(bundle, tmp_path, server_identity) as running:
        assert served(running, authorities.ours.channel_credentials())
        assert not served(running, authorities.other.channel_credentials())


def test_plaintext_to_a_port_of_tls_is_not_answered(
    bundle: Path, tmp_path: Path, server_identity: Identity
) -> None:
    with secured(bundle, tmp_path, server_identity) as running:
        assert refused(running.channel) is grpc.StatusCode.UNAVAILABLE
        # Nor is anything else said to whoever talks HTTP/2 or HTTP/1 without TLS.
        for greeting in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
            address = running.application.address
            with socket.create_connection((address.host, address.port), TIMEOUT_SECONDS) as raw:
                raw.sendall(greeting)
                answer = raw.recv(4_096)
            assert b"HTTP" not in answer
        assert running.log_lines() == []


@pytest.mark.parametrize(
    ("version", "is_spoken"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)]
)
def test_nothing_older_than_tls_1_2_is_spoken(
    bundle: Path, tmp_path: Path, server_identity: Identity, version: str, is_spoken: bool
) -> None:
    with secured(bundle, tmp_path, server_identity) as running:
        greeting = subprocess.run(
            [
                *("openssl", "s_client", "-connect", str(running.application.address), version),
                *("-alpn", "h2", "-cipher", "ALL:@SECLEVEL=0"),
            ],
            input=b"",
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    said = (greeting.stdout + greeting.stderr).lower()
    assert re.search(rb"written [1-9]\d* bytes", said)  # the client itself was willing
    assert (b"begin certificate" in said) is is_spoken


def test_a_client_must_show_a_certificate_of_the_right_authority(
    bundle: Path, tmp_path: Path, authorities: Authorities, server_identity: Identity
) -> None:
    ours, other = authorities.ours, authorities.other
    known = ours.issue("known", common_name="matchmaker")
    strange = other.issue("strange", common_name="matchmaker")

    with secured(bundle, tmp_path, server_identity, tls_client_ca_file=ours.certificate) as running:
        assert served(running, ours.channel_credentials(known))
        assert not served(running, ours.channel_credentials())
        assert not served(running, ours.channel_credentials(strange))
        # A certificate of the server's own authority that is a server's opens the door, too: whom
        # the authority signs for is all that counts.
        assert served(running, ours.channel_credentials(server_identity))


def test_a_certificate_names_its_caller(
    bundle: Path, tmp_path: Path, authorities: Authorities, server_identity: Identity
) -> None:
    ours = authorities.ours
    by_name = ours.issue("by-name", common_name="matchmaker.internal")
    by_uri = ours.issue("by-uri", common_name="matchmaker.internal", names="URI:spiffe://chat/feed")
    unknown = ours.issue("unknown", common_name="somebody")
    tokens = write(
        tmp_path / "tokens.toml",
        certificate_table("matchmaker", "matchmaker.internal", "score"),
        certificate_table("feeder", "spiffe://chat/feed", "feedback"),
        table("tool", "t" * 43, "score"),
    )

    with secured(
        bundle,
        tmp_path,
        server_identity,
        tls_client_ca_file=ours.certificate,
        tokens_file=tokens,
    ) as running:
        with channel_to(running, ours.channel_credentials(by_name)) as channel:
            assert score(channel).assessment.decision == ALLOWED
            # A token says who calls where there is one; a wrong one is not made up for.
            assert score(channel, metadata=bearing("t" * 43)).assessment.decision == ALLOWED
            wrong = refused(channel, metadata=bearing("u" * 43))
            assert wrong is grpc.StatusCode.UNAUTHENTICATED
        with channel_to(running, ours.channel_credentials(by_uri)) as channel:
            # The common name counts only where there is no other: it would have had the scope.
            assert refused(channel) is grpc.StatusCode.PERMISSION_DENIED
        with channel_to(running, ours.channel_credentials(unknown)) as channel:
            assert refused(channel) is grpc.StatusCode.UNAUTHENTICATED

        assert [line.get("caller") for line in running.log_lines()] == [
            "matchmaker",
            "tool",
            None,
            "feeder",
            None,
        ]


def test_a_new_certificate_is_used_for_new_connections_and_old_ones_go_on(
    bundle: Path, tmp_path: Path, authorities: Authorities, server_identity: Identity
) -> None:
    ours, other = authorities.ours, authorities.other
    identity = copied(server_identity, tmp_path)
    with (
        secured(bundle, tmp_path, identity) as running,
        channel_to(running, ours.channel_credentials()) as connected,
    ):
        assert score(connected).assessment.decision == ALLOWED

        identity.replace(other.issue_server("rotated"))

        assert served(running, other.channel_credentials())
        assert not served(running, ours.channel_credentials())
        assert score(connected).assessment.decision == ALLOWED
        assert running.metric("pairguard_access_reloads_total", files="tls", status="used") == 1
        left = running.metric("pairguard_certificate_expire_time_seconds") - time.time()
        assert 1.9 * 86_400 < left < 2.1 * 86_400

        identity.replace(ours.issue_server("rotated-back"))

        assert served(running, ours.channel_credentials())
        assert not served(running, other.channel_credentials())


def test_our_client_stays_connected_while_the_certificate_changes(
    bundle: Path, tmp_path: Path, authorities: Authorities, server_identity: Identity
) -> None:
    identity = copied(server_identity, tmp_path)
    with secured(bundle, tmp_path, identity) as running:
        options = ClientOptions(
            str(running.application.address),
            timeout_seconds=TIMEOUT_SECONDS,
            on_failure="raise",
            tls=TlsOptions(root_certificates=authorities.ours.pem),
        )
        with Client(options) as client:
            pair = ParticipantInput("a"), ParticipantInput("b")
            assert client.score_pair(*pair).decision_id
            for number in range(3):
                identity.replace(authorities.ours.issue_server(f"renewed-{number}"))
                assert served(running, authorities.ours.channel_credentials())
                assert client.score_pair(*pair).decision_id
        with Client(options) as client:
            assert client.score_pair(*pair).decision_id


def test_a_broken_certificate_leaves_the_one_in_use(
    bundle: Path, tmp_path: Path, authorities: Authorities, server_identity: Identity
) -> None:
    ours = authorities.ours
    identity = copied(server_identity, tmp_path)
    with secured(bundle, tmp_path, identity) as running:
        whole = identity.certificate.read_bytes()
        unlike = ours.issue_server("unlike").pem[1]
        for times, content in enumerate((b"", whole[: len(whole) // 2], unlike, None), start=1):
            if content is None:
                identity.certificate.unlink()
            else:
                identity.certificate.write_bytes(content)
            assert served(running, ours.channel_credentials())
            labels = {"files": "tls", "status": "refused"}
            assert running.metric("pairguard_access_reloads_total", **labels) == times
            assert running.metric("pairguard_access_files_stale", files="tls") == 1

        identity.replace(ours.issue_server("mended"))

        assert served(running, ours.channel_credentials())
        assert running.metric("pairguard_access_files_stale", files="tls") == 0


def test_another_authority_of_clients_counts_for_new_connections(
    bundle: Path, tmp_path: Path, authorities: Authorities, server_identity: Identity
) -> None:
    ours, other = authorities.ours, authorities.other
    trusted = tmp_path / "clients.pem"
    trusted.write_bytes(ours.pem)
    client_of_ours = ours.issue("client", common_name="c")
    client_of_other = other.issue("client", common_name="c")
    with secured(bundle, tmp_path, server_identity, tls_client_ca_file=trusted) as running:

        def showing(client: Identity) -> grpc.ChannelCredentials:
            return grpc.ssl_channel_credentials(ours.pem, *client.pem)

        assert served(running, showing(client_of_ours))
        assert not served(running, showing(client_of_other))

        trusted.write_bytes(other.pem)

        assert not served(running, showing(client_of_ours))
        assert served(running, showing(client_of_other))


def test_a_server_does_not_begin_with_files_that_it_cannot_use(
    bundle: Path, tmp_path: Path, authorities: Authorities, server_identity: Identity
) -> None:
    identity = copied(server_identity, tmp_path)
    unlike = authorities.ours.issue_server("unlike-at-start")
    no_pem = tmp_path / "no.pem"
    no_pem.write_text("-----BEGIN S3CRET-----")
    cases: list[tuple[dict[str, Path], str]] = [
        ({"tls_key_file": unlike.key}, "tls_certificate_file and tls_key_file: must be PEM"),
        ({"tls_certificate_file": tmp_path / "none"}, "tls_certificate_file: "),
        ({"tls_client_ca_file": no_pem}, "tls_client_ca_file: must be PEM"),
    ]
    for changes, problem in cases:
        settings: dict[str, Any] = {
            "tls_certificate_file": identity.certificate,
            "tls_key_file": identity.key,
        }
        with (
            pytest.raises(ConfigurationRefused, match=problem) as caught,
            listening(bundle, tmp_path, **(settings | changes)),
        ):
            pass
        assert "S3CRET" not in str(caught.value)
    identity.key.chmod(0o644)
    with (
        pytest.raises(ConfigurationRefused, match="mode 0644"),
        secured(bundle, tmp_path, identity),
    ):
        pass


def test_health_has_a_port_of_its_own_without_tls(
    bundle: Path, tmp_path: Path, server_identity: Identity
) -> None:
    with listening(
        bundle,
        tmp_path,
        tls_certificate_file=server_identity.certificate,
        tls_key_file=server_identity.key,
        tls_client_ca_file=server_identity.certificate,
        health_address="127.0.0.1:0",
    ) as running:
        address = str(running.application.health_address)
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            beside = Running(running.application, running.settings, channel, running.log)
            assert beside.health("liveness") == "SERVING"
            assert beside.health("readiness") == "NOT_SERVING"
            running.application.load()
            assert beside.health("readiness") == "SERVING"
            assert refused(channel) is grpc.StatusCode.UNIMPLEMENTED


def test_our_client_shows_certificate_and_token(
    bundle: Path, tmp_path: Path, authorities: Authorities, server_identity: Identity
) -> None:
    ours = authorities.ours
    key, certificate = ours.issue("with-token", common_name="somebody").pem
    tokens = write(tmp_path / "tokens.toml", table("matchmaker", "m" * 43, "score"))
    with secured(
        bundle,
        tmp_path,
        server_identity,
        tls_client_ca_file=ours.certificate,
        tokens_file=tokens,
    ) as running:
        tls = TlsOptions(root_certificates=ours.pem, certificate_chain=certificate, private_key=key)
        for token, is_known in (("m" * 43, True), ("n" * 43, False)):
            options = ClientOptions(
                str(running.application.address),
                timeout_seconds=TIMEOUT_SECONDS,
                on_failure="raise",
                tls=tls,
                bearer_token=partial(str, token),
            )
            with Client(options) as client:
                if is_known:
                    assert client.score_pair(
                        ParticipantInput("a"), ParticipantInput("b")
                    ).decision_id
                    continue
                with pytest.raises(ClientError) as caught:
                    client.score_pair(ParticipantInput("a"), ParticipantInput("b"))
                assert token not in str(caught.value)
