"""Settings: one file, the environment over it, every problem at once."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pairguard.errors import ConfigurationRefused
from pairguard.server.settings import BOUNDS, Settings, read_settings


def problems(environment: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationRefused) as caught:
        read_settings(environment)
    return caught.value.problems


def file(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return {"PAIRGUARD_SETTINGS_FILE": str(path)}


def test_nothing_given_is_loopback_only() -> None:
    settings = read_settings({"PATH": "/bin", "OTHER_SETTING": "1"})

    assert settings == Settings()
    assert settings.grpc_address.is_loopback
    assert settings.reflection_on
    assert settings.full_view_allowed


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environment = file(
        tmp_path,
        "bundle_path = 'b'\nworker_threads = 3\nallow_expire_seconds = 5\nreflection = false\n",
    )
    environment |= {"PAIRGUARD_WORKER_THREADS": "7", "PAIRGUARD_DRAIN_DELAY_SECONDS": "0.5"}

    settings = read_settings(environment)

    assert settings.bundle_path == Path("b")
    assert settings.worker_threads == 7
    assert (settings.allow_expire_seconds, settings.drain_delay_seconds) == (5.0, 0.5)
    assert not settings.reflection_on


def test_every_setting_can_be_given_both_ways(tmp_path: Path) -> None:
    texts = {
        "listen_address": "127.0.0.1:1",
        "metrics_address": "0.0.0.0:2",
        "health_address": "0.0.0.0:3",
        "allow_insecure_bind": "true",
        "allow_full_view": "false",
        "reflection": "true",
        "store": "redis://user@store.internal:6379/0",
        "accept_weak_durability": "true",
    } | {name: str(int(high)) for name, (_, high) in BOUNDS.items() if name != "worker_threads"}
    texts |= {"worker_threads": "5"}
    for field in fields(Settings):
        texts.setdefault(field.name, f"some/{field.name}")
    toml = "\n".join(
        f"{name} = {text if text[0].isdigit() and ':' not in text else repr(text)}"
        if text not in ("true", "false")
        else f"{name} = {text}"
        for name, text in texts.items()
    )

    by_file = read_settings(file(tmp_path, toml))
    by_environment = read_settings({f"PAIRGUARD_{n.upper()}": t for n, t in texts.items()})

    assert by_file == by_environment
    assert [f.name for f in fields(Settings) if getattr(by_file, f.name) == f.default] == []


def test_all_problems_are_named_at_once_without_values(tmp_path: Path) -> None:
    environment = file(
        tmp_path, "worker_thread = 3\nreflection = 1\nworker_threads = true\nbundle_path = 7\n"
    )
    environment |= {"PAIRGUARD_REFLECTON": "S3CRET", "PAIRGUARD_MAX_REQUEST_BYTES": "S3CRET"}
    environment |= {"PAIRGUARD_ALLOW_INSECURE_BIND": "S3CRET", "PAIRGUARD_BUNDLE_PATH": ""}

    found = problems(environment)

    assert found == (
        "worker_thread: is no setting (in the settings file)",
        "reflection: must be true or false",
        "worker_threads: must be a whole number",
        "bundle_path: must be a path",
        "PAIRGUARD_REFLECTON: is no setting",
        "PAIRGUARD_MAX_REQUEST_BYTES: must be a whole number",
        "PAIRGUARD_ALLOW_INSECURE_BIND: must be true or false",
        "PAIRGUARD_BUNDLE_PATH: must not be empty",
    )


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("side", [0, 1])
def test_a_number_has_bounds(name: str, side: int) -> None:
    bound = BOUNDS[name][side]
    beyond = bound - 1 if side == 0 else bound + 1

    found = problems({f"PAIRGUARD_{name.upper()}": f"{beyond:.0f}"})

    assert found[0].startswith(f"{name}: must be from ")


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_time_is_finite(text: str) -> None:
    assert len(problems({"PAIRGUARD_DRAIN_DELAY_SECONDS": text})) == 1


@pytest.mark.parametrize("text", ["127.0.0.1", ":50051", "127.0.0.1:65536", "a b:1", "http://a:1"])
@pytest.mark.parametrize("name", ["LISTEN_ADDRESS", "METRICS_ADDRESS", "HEALTH_ADDRESS"])
def test_an_address_is_host_and_port(name: str, text: str) -> None:
    (problem,) = problems({f"PAIRGUARD_{name}": text})

    assert problem.startswith(f"{name.lower()}: must be host:port")


ANYBODY = "0.0.0.0"  # noqa: S104 - read, not bound


@pytest.mark.parametrize("host", [ANYBODY, "[::]", "10.0.0.1", "pairguard.internal"])
def test_other_machines_are_served_only_when_one_line_says_so(host: str) -> None:
    environment = {"PAIRGUARD_LISTEN_ADDRESS": f"{host}:50051"}

    (problem,) = problems(environment)
    assert "allow_insecure_bind" in problem

    settings = read_settings(environment | {"PAIRGUARD_ALLOW_INSECURE_BIND": "true"})
    assert not settings.reflection_on
    assert not settings.full_view_allowed


TLS = {"PAIRGUARD_TLS_CERTIFICATE_FILE": "c.pem", "PAIRGUARD_TLS_KEY_FILE": "k.pem"}
TOKENS = {"PAIRGUARD_TOKENS_FILE": "tokens.toml"}
CLIENT_CA = {"PAIRGUARD_TLS_CLIENT_CA_FILE": "ca.pem"}


@pytest.mark.parametrize("who", [TOKENS, CLIENT_CA, TOKENS | CLIENT_CA])
def test_encrypted_and_for_known_callers_other_machines_are_served(who: dict[str, str]) -> None:
    settings = read_settings({"PAIRGUARD_LISTEN_ADDRESS": f"{ANYBODY}:1"} | TLS | who)

    assert (settings.tls_on, settings.knows_callers) == (True, True)
    assert not settings.reflection_on
    # Without tokens nobody says who may see what is believed about an age.
    assert settings.full_view_allowed is (who != CLIENT_CA)


def test_one_without_the_other_is_not_enough_for_other_machines() -> None:
    address = {"PAIRGUARD_LISTEN_ADDRESS": f"{ANYBODY}:1"}

    (nobody_known,) = problems(address | TLS)
    (nothing_encrypted,) = problems(address | TOKENS)

    assert "tokens_file or tls_client_ca_file" in nobody_known
    assert "encrypted" not in nobody_known
    assert "tls_certificate_file" in nothing_encrypted
    assert "caller" not in nothing_encrypted
    for partly in (TLS, TOKENS):
        read_settings(address | partly | {"PAIRGUARD_ALLOW_INSECURE_BIND": "true"})


def test_the_files_of_tls_belong_together() -> None:
    for name in TLS:
        (problem,) = problems({name: "x"})
        assert problem == "tls_certificate_file and tls_key_file: must be given together"
    (problem,) = problems(CLIENT_CA)
    assert problem.startswith("tls_client_ca_file: needs tls_certificate_file")


def test_what_the_settings_forbid_no_token_allows() -> None:
    assert read_settings(TOKENS).full_view_allowed
    assert not read_settings(TOKENS | {"PAIRGUARD_ALLOW_FULL_VIEW": "false"}).full_view_allowed


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost"])
def test_loopback_is_served_without_more(host: str) -> None:
    assert read_settings({"PAIRGUARD_LISTEN_ADDRESS": f"{host}:1"}).reflection_on


@pytest.mark.parametrize(
    "name",
    [
        "sqlite:/var/lib/pairguard/pairguard.sqlite3",
        "redis://127.0.0.1:6379/0",
        "rediss://user@store.internal:6380/2",
        "redis+cluster://store.internal:6379",
        "rediss+cluster://store.internal",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_every_form_of_a_store_is_understood(name: str) -> None:
    assert read_settings({"PAIRGUARD_STORE": name}).store == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("sqlite:", "must name a file"),
        ("/var/lib/holds.sqlite3", "must begin with sqlite:"),
        ("postgres://store.internal/pairguard", "must begin with sqlite:"),
        ("redis://", "must name a host"),
        ("redis://store.internal:0", "must name a host, and a port"),
        ("unix://", "must name a socket"),
        ("redis://user:S3CRET@store.internal", "must not hold a password"),
    ],
)
def test_a_store_that_cannot_be_is_refused_without_its_name(name: str, problem: str) -> None:
    (found,) = problems({"PAIRGUARD_STORE": name})

    assert found.startswith(f"store: {problem}")
    assert "S3CRET" not in found


def test_the_key_lies_where_it_survives_with_what_it_belongs_to() -> None:
    embedded = read_settings({})
    shared = read_settings(
        {"PAIRGUARD_STORE": "redis://h", "PAIRGUARD_JOURNAL_DIRECTORY": "/var/lib/pairguard/j"}
    )
    chosen = read_settings({"PAIRGUARD_STORE": "redis://h", "PAIRGUARD_IDENTITY_KEY_FILE": "k"})

    assert embedded.key_file is None  # the store puts it beside the database
    assert shared.key_file == Path("/var/lib/pairguard/identity.key")
    assert chosen.key_file == Path("k")


def test_a_relative_store_is_the_same_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert read_settings({}).absolute_store == f"sqlite:{tmp_path}/var/state/pairguard.sqlite3"
    assert read_settings({"PAIRGUARD_STORE": "redis://h"}).absolute_store == "redis://h"


def test_days_become_the_seconds_of_the_retention() -> None:
    retention = read_settings(
        {
            "PAIRGUARD_DECISIONS_KEPT_DAYS": "2",
            "PAIRGUARD_EVENTS_KEPT_DAYS": "8.5",
            "PAIRGUARD_EVIDENCE_KEPT_DAYS": "3",
            "PAIRGUARD_PARTICIPANTS_KEPT_DAYS": "40",
        }
    ).retention

    assert retention.decisions_seconds == 2 * 86_400
    assert retention.events_seconds == 8.5 * 86_400
    assert retention.evidence_seconds == 3 * 86_400
    assert retention.rows_seconds == 40 * 86_400


def test_a_setting_of_an_earlier_version_is_no_setting() -> None:
    assert problems({"PAIRGUARD_HOLD_STORE_FILE": "holds.sqlite3"}) == (
        "PAIRGUARD_HOLD_STORE_FILE: is no setting",
    )


def test_more_threads_than_calls_contradict_each_other() -> None:
    assert problems({"PAIRGUARD_WORKER_THREADS": "9", "PAIRGUARD_MAX_CONCURRENT_RPCS": "8"}) == (
        "worker_threads: must not be above max_concurrent_rpcs",
    )


def test_an_optional_setting_is_unset_by_an_empty_text() -> None:
    settings = read_settings({"PAIRGUARD_METRICS_ADDRESS": "", "PAIRGUARD_POLICY_FILE": ""})

    assert settings.metrics_address is None
    assert settings.policy_file is None


def test_what_an_orchestrator_or_the_client_library_is_told_is_no_setting() -> None:
    read_settings(
        {
            "PAIRGUARD_SERVICE_HOST": "10.0.0.1",
            "PAIRGUARD_SERVICE_PORT": "50051",
            "PAIRGUARD_SERVICE_PORT_GRPC": "50051",
            "PAIRGUARD_PORT": "tcp://10.0.0.1:50051",
            "PAIRGUARD_PORT_50051_TCP": "tcp://10.0.0.1:50051",
            "PAIRGUARD_PORT_50051_TCP_ADDR": "10.0.0.1",
            "PAIRGUARD_CLIENT_ADDRESS": "127.0.0.1:50051",
        }
    )


@pytest.mark.parametrize("text", ["worker_threads = ", "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    (problem,) = problems(file(tmp_path, text))

    assert "is not TOML" in problem


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (problem,) = problems({"PAIRGUARD_SETTINGS_FILE": str(tmp_path / "none")})

    assert "cannot be read" in problem


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff\xfe")

    assert len(problems({"PAIRGUARD_SETTINGS_FILE": str(path)})) == 1
