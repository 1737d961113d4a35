"""Options: what is in range, and that nothing leaves the machine in the clear by accident."""

from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from pairguard.client import ClientOptions, TlsOptions, TokenFile
from pairguard.client.address import stays_on_machine
from pairguard.client.channel import channel_arguments

LOCAL = "127.0.0.1:7443"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:7443",
        "127.8.9.1:7443",
        "localhost:7443",
        "localhost",
        "[::1]:7443",
        "::1",
        "unix:/run/pairguard.sock",
        "unix:///run/pairguard.sock",
        "unix-abstract:pairguard",
        "dns:localhost:7443",
        "dns:///127.0.0.1:7443",
        "ipv4:127.0.0.1:7443,127.0.0.2:7443",
        "ipv6:[::1]:7443",
    ],
)
def test_loopback_and_sockets_stay_on_the_machine(address: str) -> None:
    assert stays_on_machine(address)
    assert ClientOptions(address).tls is None


@pytest.mark.parametrize(
    "address",
    [
        "pairguard.internal:7443",
        "10.0.0.1:7443",
        "0.0.0.0:7443",
        "[::]:7443",
        "localhost.evil.example:7443",
        "127.0.0.1.evil.example:7443",
        "dns:///pairguard.internal:7443",
        "dns://10.0.0.1/localhost:7443",
        "ipv4:127.0.0.1:7443,10.0.0.1:7443",
        "xds:///localhost",
        "unixx:/run/pairguard.sock",
        "passthrough:///127.0.0.1:7443",
    ],
)
def test_all_else_needs_tls_or_a_word_of_the_caller(address: str) -> None:
    assert not stays_on_machine(address)
    with pytest.raises(ValueError, match="give tls, or allow_plaintext"):
        ClientOptions(address)
    assert ClientOptions(address, allow_plaintext=True).allow_plaintext
    assert ClientOptions(address, tls=TlsOptions()).tls == TlsOptions()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout_seconds": None}, TypeError),
        ({"timeout_seconds": "1"}, TypeError),
        ({"timeout_seconds": True}, TypeError),
        ({"timeout_seconds": inf}, ValueError),
        ({"timeout_seconds": nan}, ValueError),
        ({"timeout_seconds": 0}, ValueError),
        ({"timeout_seconds": -1}, ValueError),
        ({"timeout_seconds": 250}, ValueError),
        ({"record_timeout_seconds": None}, TypeError),
        ({"record_timeout_seconds": 0}, ValueError),
        ({"record_timeout_seconds": 61}, ValueError),
        ({"max_attempts": 0}, ValueError),
        ({"max_attempts": 11}, ValueError),
        ({"max_attempts": 1.5}, TypeError),
        ({"on_failure": "allow"}, ValueError),
        ({"bearer_token": "secret"}, TypeError),
        ({"keepalive_seconds": 1}, ValueError),
        ({"max_message_bytes": 10}, ValueError),
        ({"tls": True}, TypeError),
        ({"tls": TlsOptions(), "allow_plaintext": True}, ValueError),
        ({"address": ""}, ValueError),
        ({"address": None}, TypeError),
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ClientOptions(**({"address": LOCAL} | options))


def test_tls_material_comes_in_pairs_and_is_not_shown() -> None:
    with pytest.raises(ValueError, match="together"):
        TlsOptions(private_key=b"key")
    with pytest.raises(TypeError):
        TlsOptions(root_certificates="a/path")  # type: ignore[arg-type]
    tls = TlsOptions(certificate_chain=b"chain", private_key=b"hidden")
    assert "hidden" not in repr(ClientOptions("pairguard.internal:7443", tls=tls))


def test_a_channel_comes_back_soon_and_takes_the_callers_word_last() -> None:
    arguments = dict(
        channel_arguments(
            ClientOptions(
                LOCAL,
                keepalive_seconds=None,
                max_message_bytes=2048,
                channel_options=(("grpc.max_reconnect_backoff_ms", 300),),
            )
        )
    )

    assert arguments["grpc.max_reconnect_backoff_ms"] == 300
    assert arguments["grpc.max_receive_message_length"] == 2048
    assert arguments["grpc.enable_http_proxy"] == 0
    assert "grpc.keepalive_time_ms" not in arguments
    remote = dict(channel_arguments(ClientOptions("pairguard.internal:1", tls=TlsOptions())))
    assert remote["grpc.max_reconnect_backoff_ms"] == 1000
    assert remote["grpc.keepalive_time_ms"] == 30_000
    assert "grpc.enable_http_proxy" not in remote


def test_the_environment_says_all_options(tmp_path: Path) -> None:
    for name in ("token", "roots", "chain", "key"):
        (tmp_path / name).write_text(f"{name}\n")

    options = ClientOptions.from_environment(
        {
            "PATH": "/bin",
            "PAIRGUARD_LISTEN": "for the server",
            "PAIRGUARD_CLIENT_ADDRESS": "pairguard.internal:7443",
            "PAIRGUARD_CLIENT_TIMEOUT_SECONDS": "0.5",
            "PAIRGUARD_CLIENT_RECORD_TIMEOUT_SECONDS": "9.5",
            "PAIRGUARD_CLIENT_MAX_ATTEMPTS": "2",
            "PAIRGUARD_CLIENT_ON_FAILURE": "raise",
            "PAIRGUARD_CLIENT_TOKEN_PATH": str(tmp_path / "token"),
            "PAIRGUARD_CLIENT_ROOT_CERTIFICATES_PATH": str(tmp_path / "roots"),
            "PAIRGUARD_CLIENT_CERTIFICATE_CHAIN_PATH": str(tmp_path / "chain"),
            "PAIRGUARD_CLIENT_PRIVATE_KEY_PATH": str(tmp_path / "key"),
            "PAIRGUARD_CLIENT_WAIT_FOR_READY": "false",
            "PAIRGUARD_CLIENT_KEEPALIVE_SECONDS": "off",
            "PAIRGUARD_CLIENT_MAX_MESSAGE_BYTES": "4096",
        }
    )

    assert options.address == "pairguard.internal:7443"
    assert options.timeout_seconds == 0.5
    assert options.record_timeout_seconds == 9.5
    assert options.max_attempts == 2
    assert options.on_failure == "raise"
    assert options.bearer_token is not None
    assert options.bearer_token() == "token"
    assert options.tls == TlsOptions(b"roots\n", b"chain\n", b"key\n")
    assert not options.wait_for_ready
    assert options.keepalive_seconds is None
    assert options.max_message_bytes == 4096


def test_an_address_alone_is_enough() -> None:
    assert ClientOptions.from_environment({"PAIRGUARD_CLIENT_ADDRESS": LOCAL}) == ClientOptions(
        LOCAL
    )


def test_tls_and_plaintext_can_be_asked_for_by_name() -> None:
    address = {"PAIRGUARD_CLIENT_ADDRESS": "pairguard.internal:7443"}

    tls = ClientOptions.from_environment(address | {"PAIRGUARD_CLIENT_TLS": "true"})
    plain = ClientOptions.from_environment(address | {"PAIRGUARD_CLIENT_ALLOW_PLAINTEXT": "true"})

    assert tls.tls == TlsOptions()
    assert plain.tls is None
    with pytest.raises(ValueError, match="not on this machine"):
        ClientOptions.from_environment(address | {"PAIRGUARD_CLIENT_TLS": "false"})


def test_all_problems_of_an_environment_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="PAIRGUARD_CLIENT_ADDRESS is missing") as caught:
        ClientOptions.from_environment(
            {
                "PAIRGUARD_CLIENT_ADRESS": LOCAL,
                "PAIRGUARD_CLIENT_TIMEOUT_SECONDS": "soon",
                "PAIRGUARD_CLIENT_MAX_ATTEMPTS": "1.5",
                "PAIRGUARD_CLIENT_WAIT_FOR_READY": "yes",
                "PAIRGUARD_CLIENT_TOKEN_PATH": str(tmp_path / "missing"),
            }
        )

    text = str(caught.value)
    assert "PAIRGUARD_CLIENT_ADRESS is unknown" in text
    for name in ("TIMEOUT_SECONDS", "MAX_ATTEMPTS", "WAIT_FOR_READY", "TOKEN_PATH"):
        assert f"PAIRGUARD_CLIENT_{name}: " in text


def test_a_token_file_is_read_again_after_a_while(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "token"
    path.write_text("first\n")
    token = TokenFile(path, clock=lambda: now)
    path.write_text("second\n")

    now = 9.9
    assert token() == "first"
    now = 10.0
    assert token() == "second"


def test_an_empty_token_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ValueError, match="empty"):
        TokenFile(tmp_path / "token")
