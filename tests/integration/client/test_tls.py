"""TLS and mutual TLS, through both clients."""

import subprocess
from pathlib import Path

import grpc
import pytest

from pairguard.client import ParticipantInput, TlsOptions
from tests.integration.client.either_client import ClientMaker
from tests.integration.client.scripted_service import ScriptedService, serving

A, B = ParticipantInput("a"), ParticipantInput("b")


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=pairguard-test"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=30,
    )
    return {name: Path(folder, f"{name}.pem").read_bytes() for name in ("key", "cert")}


def test_a_server_that_is_trusted_is_asked(
    make_client: ClientMaker, pems: dict[str, bytes]
) -> None:
    credentials = grpc.ssl_server_credentials([(pems["key"], pems["cert"])])
    service = ScriptedService()
    with serving(service, credentials=credentials) as address:
        trusting = make_client(address, tls=TlsOptions(root_certificates=pems["cert"]))
        assert trusting.score_pair(A, B).allowed


def test_a_server_that_is_not_trusted_is_not_asked(
    make_client: ClientMaker, pems: dict[str, bytes]
) -> None:
    credentials = grpc.ssl_server_credentials([(pems["key"], pems["cert"])])
    service = ScriptedService()
    with serving(service, credentials=credentials) as address:
        doubting = make_client(address, tls=TlsOptions(), wait_for_ready=False)
        plain = make_client(address, timeout_seconds=0.2)
        assert not doubting.score_pair(A, B).allowed
        assert not plain.score_pair(A, B).allowed

    assert service.arrivals == []


def test_a_server_that_asks_who_we_are_is_told(
    make_client: ClientMaker, pems: dict[str, bytes]
) -> None:
    credentials = grpc.ssl_server_credentials(
        [(pems["key"], pems["cert"])], root_certificates=pems["cert"], require_client_auth=True
    )
    with serving(ScriptedService(), credentials=credentials) as address:
        known = make_client(
            address,
            tls=TlsOptions(
                root_certificates=pems["cert"],
                certificate_chain=pems["cert"],
                private_key=pems["key"],
            ),
        )
        unknown = make_client(
            address, tls=TlsOptions(root_certificates=pems["cert"]), timeout_seconds=0.3
        )
        assert known.score_pair(A, B).allowed
        assert not unknown.score_pair(A, B).allowed
