"""The command from start to end: what people see, and that no call fails when it is restarted."""

from __future__ import annotations

import json
import signal
import threading
import time
import urllib.request
from pathlib import Path
from typing import cast

import grpc
import pytest

from pairguard.client import Client, ClientOptions, DecidedBy, PairDecision, ParticipantInput
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub
from tests.e2e.server_process import environment, run, started
from tests.integration.server.certificates import Authority
from tests.unit.server.requests import pair_request


def test_the_command_that_is_printed_answers(tmp_path: Path, bundle: Path) -> None:
    environ = environment(tmp_path, bundle)
    with started(tmp_path, environ) as server:
        address = server.address
        printed = server.wait_for("pairguard.server.example").split()
        assert printed[1:] == ["-m", "pairguard.server.example", address]

        code, output, errors = run(*printed[2:], directory=tmp_path, environ=environ)

        assert (code, errors) == (0, "")
        assert '"decision": "DECISION_REROUTE"' in output
        assert '"bundleVersion"' in output

        code, output, _ = run(
            "pairguard.server.probe", address, directory=tmp_path, environ=environ
        )
        assert (code, output) == (0, "SERVING\n")
        with urllib.request.urlopen(server.metrics_url, timeout=10) as answer:  # noqa: S310
            figures = answer.read().decode()
        assert 'pairguard_decisions_total{decision="REROUTE"' in figures
        assert "_created" not in figures

        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert server.said[-1] == "stopped"
        (line,) = [json.loads(line) for line in server.logged]
        assert line["method"] == "pairguard.v1.PairRiskService/ScorePair"


def test_a_server_that_is_not_there_is_not_healthy(tmp_path: Path, bundle: Path) -> None:
    environ = environment(tmp_path, bundle)
    with started(tmp_path, environ) as server:
        address = server.address
        server.signal(signal.SIGINT)
        assert server.exit_code() == 0

    code, _, errors = run("pairguard.server.probe", address, directory=tmp_path, environ=environ)
    assert (code, errors) == (1, f"{address}: UNAVAILABLE\n")
    code, _, errors = run("pairguard.server.example", address, directory=tmp_path, environ=environ)
    assert code == 1
    assert "UNAVAILABLE" in errors


def test_the_probe_asks_at_the_address_of_the_settings(tmp_path: Path, bundle: Path) -> None:
    with started(tmp_path, environment(tmp_path, bundle)) as server:
        port = server.address.rpartition(":")[2]
        environ = environment(
            tmp_path,
            bundle,
            listen_address=f"0.0.0.0:{port}",
            allow_insecure_bind="true",
        )

        code, output, _ = run("pairguard.server.probe", directory=tmp_path, environ=environ)
        assert (code, output) == (0, "SERVING\n")
        code, _, errors = run(
            *("pairguard.server.probe", "--service", "nobody"), directory=tmp_path, environ=environ
        )
        assert (code, errors) == (1, f"127.0.0.1:{port}: NOT_FOUND\n")


def test_a_stop_in_the_middle_of_calls_fails_none_of_them(tmp_path: Path, bundle: Path) -> None:
    """Calls that began before the drain delay is over are answered, each of them."""
    outcomes: list[tuple[float, grpc.StatusCode]] = []
    stopped = threading.Event()

    def call_again_and_again(address: str) -> None:
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=options) as channel:
            stub = PairRiskServiceStub(channel)
            while not stopped.is_set():
                began = time.monotonic()
                try:
                    stub.ScorePair(pair_request(), timeout=10)
                except grpc.RpcError as error:
                    outcomes.append((began, cast("grpc.Call", error).code()))
                    return
                outcomes.append((began, grpc.StatusCode.OK))

    with started(tmp_path, environment(tmp_path, bundle, drain_delay_seconds="1")) as server:
        callers = [
            threading.Thread(target=call_again_and_again, args=(server.address,)) for _ in range(6)
        ]
        for caller in callers:
            caller.start()
        time.sleep(0.3)
        told = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        ended = time.monotonic()
        stopped.set()
        for caller in callers:
            caller.join(15)

    failed = [(began - told, code) for began, code in outcomes if code is not grpc.StatusCode.OK]
    assert len(outcomes) > 50
    assert 1.0 <= ended - told < 8
    # Only a new call after the drain delay is refused, with the codes that the client retries.
    assert {code for _, code in failed} <= {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
    }
    assert all(after >= 0.9 for after, _ in failed), failed
    assert any(0.1 < began - told < 0.9 for began, _ in outcomes)


def test_the_client_sees_nothing_of_a_restart(tmp_path: Path, bundle: Path) -> None:
    a, b = ParticipantInput("a"), ParticipantInput("b")
    answers: list[PairDecision] = []
    stopped = threading.Event()

    def ask_again_and_again(client: Client) -> None:
        while not stopped.is_set():
            answers.append(client.score_pair(a, b))

    with started(tmp_path, environment(tmp_path, bundle)) as first:
        address = first.address
        with Client(ClientOptions(address, timeout_seconds=20.0)) as client:
            callers = [
                threading.Thread(target=ask_again_and_again, args=(client,)) for _ in range(4)
            ]
            for caller in callers:
                caller.start()
            time.sleep(0.3)
            first.signal(signal.SIGTERM)
            assert first.exit_code() == 0
            before = len(answers)
            again = environment(tmp_path, bundle, listen_address=address)
            with started(tmp_path, again) as second:
                assert second.address == address
                time.sleep(1.0)
                stopped.set()
                for caller in callers:
                    caller.join(30)

    assert len(answers) > before > 20
    assert {answer.decided_by for answer in answers} == {DecidedBy.SERVICE}


def test_a_second_signal_ends_the_wait(tmp_path: Path, bundle: Path) -> None:
    with started(tmp_path, environment(tmp_path, bundle, drain_delay_seconds="60")) as server:
        assert server.address
        server.signal(signal.SIGTERM)
        server.wait_for("stopping")
        server.signal(signal.SIGINT)
        assert server.exit_code() == 0


def test_a_second_server_on_the_port_does_not_start(tmp_path: Path, bundle: Path) -> None:
    with started(tmp_path, environment(tmp_path, bundle)) as first:
        address = first.address
        with started(tmp_path, environment(tmp_path, bundle, listen_address=address)) as second:
            assert second.exit_code() == 2
            assert any(address in line for line in second.said)


def test_without_a_bundle_the_server_does_not_start(tmp_path: Path) -> None:
    with started(tmp_path, environment(tmp_path, tmp_path / "none")) as server:
        assert server.exit_code() == 2
        assert server.said[0] == "refused (BUNDLE_MISSING):"
        assert "Traceback" not in "".join(server.said)


def test_a_key_that_is_open_to_everybody_ends_the_start(tmp_path: Path, bundle: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o666)
    environ = environment(tmp_path, bundle, identity_key_file=str(key))
    with started(tmp_path, environ) as server:
        assert server.exit_code() == 2
        assert "store" in server.said[1]


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({}, 0, "right: bundle "),
        ({"bundle_path": "none"}, 2, "refused (BUNDLE_MISSING):"),
        ({"policy_file": "none"}, 2, "refused (POLICY_INVALID):"),
        ({"worker_threads": "0", "max_request_bytes": "1"}, 2, "refused (CONFIGURATION_INVALID):"),
        ({"tokens_file": "none"}, 2, "refused (CONFIGURATION_INVALID):"),
        ({"bundle_public_key_file": "none"}, 2, "refused (CONFIGURATION_INVALID):"),
    ],
)
def test_a_configuration_can_be_checked_without_serving(
    tmp_path: Path, bundle: Path, settings: dict[str, str], code: int, said: str
) -> None:
    environ = environment(tmp_path, bundle, **settings)

    found, output, errors = run(
        "pairguard.server", "--check-config", directory=tmp_path, environ=environ
    )

    assert (found, output) == (code, "")
    assert errors.startswith(said)
    assert len(errors.splitlines()) == 1 + max(len(settings), 0)
    assert not (tmp_path / "state").exists()


def test_a_guarded_server_says_how_it_is_called(tmp_path: Path, bundle: Path) -> None:
    authority = Authority(tmp_path / "authority", "authority")
    identity = authority.issue_server("server")
    client = authority.issue("client", common_name="chat")
    environ = environment(
        tmp_path,
        bundle,
        health_address="127.0.0.1:0",
        tls_certificate_file=str(identity.certificate),
        tls_key_file=str(identity.key),
        tls_client_ca_file=str(authority.certificate),
        tokens_file=str(tmp_path / "tokens.toml"),
    )
    made = run(
        *("pairguard.admin", "tokens", "new", "chat", "--scope", "score", "--json"),
        directory=tmp_path,
        environ=environ,
    )
    document = json.loads(made[1])
    token = tmp_path / "token"
    token.write_text(document["token"], encoding="ascii")
    (tmp_path / "tokens.toml").write_text(document["table"], encoding="utf-8")
    (tmp_path / "tokens.toml").chmod(0o600)
    checked = run("pairguard.server", "--check-config", directory=tmp_path, environ=environ)
    assert checked[0] == 0

    with started(tmp_path, environ) as server:
        assert "this machine only, TLS, known callers; reflection on" in server.wait_for("gRPC ")
        health = server.wait_for("  health ").split()[1]
        printed = server.wait_for("pairguard.server.example").split()
        given = {
            "CA.pem": str(authority.certificate),
            "CLIENT.pem": str(client.certificate),
            "CLIENT.key": str(client.key),
            "TOKEN": str(token),
        }
        command = [given.get(word, word) for word in printed[2:]]

        code, output, errors = run(*command, directory=tmp_path, environ=environ)
        assert (code, errors) == (0, "")
        assert '"bundleVersion"' in output

        code, _, errors = run(*command[:-2], directory=tmp_path, environ=environ)
        assert code == 1
        assert "UNAUTHENTICATED" in errors

        for changes, expected in (
            ({"health_address": health}, (0, "SERVING\n")),
            ({"health_address": ""}, (1, "")),
        ):
            asked = environ | {f"PAIRGUARD_{n.upper()}": v for n, v in changes.items()}
            code, output, _ = run("pairguard.server.probe", directory=tmp_path, environ=asked)
            assert (code, output) == expected
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        everything = "\n".join((*server.said, *server.logged))
    assert document["token"] not in everything
    assert '"caller":"chat"' in everything
