"""What the server can be told, read once from one file and the environment.

Owns names, defaults, bounds and contradictions; nothing else reads the environment. It must not
know what is built from them. ``docs/settings.md`` explains each to people.
"""

from __future__ import annotations

import math
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from pairguard.errors import ConfigurationRefused
from pairguard.server.addresses import Address, parse_address
from pairguard.store.opening import READ_TIMEOUT_SECONDS, SQLITE, sqlite_path, store_problem
from pairguard.store.ports import Retention

PREFIX: Final = "PAIRGUARD_"
FILE_VARIABLE: Final = "PAIRGUARD_SETTINGS_FILE"
_SECONDS_PER_DAY: Final = 86_400.0

# An orchestrator describes a service named "pairguard" to every container in such variables.
# The client library of the same machine has settings of its own.
_NOT_OURS = re.compile(
    r"PAIRGUARD_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)\w*)?|CLIENT_\w+)"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; a name is a line of the file, and PAIRGUARD_ with it in capitals a variable."""

    bundle_path: Path = Path("var/bundles")
    """A bundle, or a root of bundles whose ``current`` is served."""
    policy_file: Path | None = None
    """The policy document, TOML. Absent: the cautious one of the package."""
    bundle_public_key_file: Path | None = None
    """PEM of the keys, by one of which a bundle must be signed. Absent: no signature is wanted."""
    reload_check_seconds: float = 2.0
    """How often is looked whether bundle or policy have changed."""
    shadow_bundle_path: Path | None = None
    """A challenger's bundle, or a root of bundles. Absent: that of ``bundle_path``, where
    ``shadow_policy_file`` names a challenger."""
    shadow_policy_file: Path | None = None
    """A challenger's policy document. Absent: that which serves, where ``shadow_bundle_path`` names
    a challenger."""
    shadow_one_call_in: int = 1
    """Of so many calls a challenger judges one."""
    store: str = "sqlite:var/state/pairguard.sqlite3"
    """Where what is kept of participants is: ``sqlite:FILE`` or a ``redis://`` address."""
    store_password_file: Path | None = None
    """File of the password of a Redis store; absent: it wants none."""
    store_read_timeout_seconds: float = READ_TIMEOUT_SECONDS
    """How long a decision waits for a Redis store before it goes on without."""
    identity_key_file: Path | None = None
    """File of the keys that ids are hashed with. Absent: made beside the store's file, or beside
    ``journal_directory``."""
    journal_directory: Path = Path("var/state/journal")
    """Where decisions are recorded on this machine before they are in the store."""
    accept_weak_durability: bool = False
    """Acknowledge events although the store does not promise to survive a power cut."""
    decisions_kept_days: float = 90.0
    """How long decisions are kept."""
    events_kept_days: float = 400.0
    """How long events are kept."""
    evidence_kept_days: float = 400.0
    """How long records of age evidence are kept."""
    participants_kept_days: float = 400.0
    """How long what is kept of a participant stays after it was last seen."""
    listen_address: str = "127.0.0.1:50051"
    """Where gRPC is served."""
    allow_insecure_bind: bool = False
    """Serve other machines although not all is encrypted or no caller is known."""
    tls_certificate_file: Path | None = None
    """PEM of the server's certificate, then of those between it and the authority. Absent: no
    TLS."""
    tls_key_file: Path | None = None
    """PEM of its key."""
    tls_client_ca_file: Path | None = None
    """PEM of the authorities whose clients may connect. Absent: every client may."""
    tokens_file: Path | None = None
    """The callers and what each may do, TOML. Absent: callers are not told apart."""
    health_address: str | None = None
    """Where health is served as well, without TLS and to everybody. Absent: nowhere else."""
    metrics_address: str | None = "127.0.0.1:9464"
    """Where Prometheus metrics are served, over HTTP. Empty: nowhere."""
    allow_full_view: bool | None = None
    """Tell callers what is believed about an age. Absent: callers with the scope for it, and
    where callers are not told apart all of them if loopback is listened on."""
    reflection: bool | None = None
    """Describe the contract to callers. Absent: only if loopback is listened on."""
    worker_processes: int = 1
    """Processes that share the port, each with its own threads. 1: no others, no supervisor."""
    worker_silence_seconds: float = 30.0
    """After so long without a free thread a worker process is taken as stuck, and replaced."""
    connection_age_seconds: float = 300.0
    """After so long a connection ends, as soon as no call is under way on it."""
    worker_threads: int = 4
    """Calls that are worked on at once."""
    max_concurrent_rpcs: int = 64
    """Calls that are worked on or wait; more are refused with RESOURCE_EXHAUSTED."""
    max_request_bytes: int = 4_194_304
    """Size of a request message; a larger one is refused with RESOURCE_EXHAUSTED."""
    allow_expire_seconds: float = 60.0
    """How long an ALLOW may be acted on."""
    drain_delay_seconds: float = 1.0
    """Time from "not ready" to refusing new calls, in which callers turn elsewhere."""
    drain_timeout_seconds: float = 10.0
    """Time for calls under way to end after that; then they are cut off."""
    log_one_ok_call_in: int = 100
    """One of so many calls that end OK is logged, the first included; the others always are."""
    drift_pairs_per_second: int = 2
    """Judged pairs that are compared with the training data in a second, at most; 0: none."""

    @property
    def absolute_store(self) -> str:
        """``store``, the same from every working directory."""
        path = sqlite_path(self.store)
        return self.store if path is None else f"{SQLITE}{path.absolute()}"

    @property
    def key_file(self) -> Path | None:
        """File of the identity keys; None: the embedded store's own, beside it."""
        if self.identity_key_file is None and sqlite_path(self.store) is None:
            return self.journal_directory.with_name("identity.key")
        return self.identity_key_file

    @property
    def retention(self) -> Retention:
        """How long is kept what."""
        return Retention(
            decisions_seconds=self.decisions_kept_days * _SECONDS_PER_DAY,
            events_seconds=self.events_kept_days * _SECONDS_PER_DAY,
            evidence_seconds=self.evidence_kept_days * _SECONDS_PER_DAY,
            rows_seconds=self.participants_kept_days * _SECONDS_PER_DAY,
        )

    @property
    def grpc_address(self) -> Address:
        """``listen_address`` in parts."""
        return parse_address(self.listen_address)

    @property
    def full_view_allowed(self) -> bool:
        """Whether callers may have the full view, if they have its scope."""
        chosen = self.allow_full_view
        by_default = self.tokens_file is not None or self.grpc_address.is_loopback
        return by_default if chosen is None else chosen

    @property
    def tls_on(self) -> bool:
        """Whether calls are encrypted."""
        return self.tls_certificate_file is not None

    @property
    def knows_callers(self) -> bool:
        """Whether a caller must prove to be one, by a token or a certificate."""
        return self.tokens_file is not None or self.tls_client_ca_file is not None

    @property
    def reflection_on(self) -> bool:
        """Whether reflection is served."""
        chosen = self.reflection
        return self.grpc_address.is_loopback if chosen is None else chosen


BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "reload_check_seconds": (0.05, 3_600),
    "worker_processes": (1, 256),
    "worker_silence_seconds": (2, 3_600),
    "connection_age_seconds": (1, 86_400),
    "shadow_one_call_in": (1, 1_000_000),
    "worker_threads": (1, 64),
    "max_concurrent_rpcs": (1, 10_000),
    "max_request_bytes": (1_024, 64 * 1_048_576),
    "allow_expire_seconds": (1, 3_600),
    "drain_delay_seconds": (0, 300),
    "drain_timeout_seconds": (0, 3_600),
    "log_one_ok_call_in": (1, 1_000_000),
    # Beyond it so many people would be told apart that too many were taken for one another.
    "drift_pairs_per_second": (0, 10),
    "store_read_timeout_seconds": (0.001, 5),
    "decisions_kept_days": (1, 3_660),
    # Events may come seven days late, and each must be known from its repetition till then.
    "events_kept_days": (8, 3_660),
    "evidence_kept_days": (1, 3_660),
    # The longest window of what is counted.
    "participants_kept_days": (31, 3_660),
}
"""Lowest and highest value of each number."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the file that the environment names, if any, and the environment, which wins.

    Raises:
        ConfigurationRefused: With every problem found; none of them repeats a value.
    """
    problems: list[str] = []
    types_by_name = typing.get_type_hints(Settings)
    given: dict[str, Any] = {}
    for name, value in _file_lines(environment.get(FILE_VARIABLE, ""), problems).items():
        if name in types_by_name:
            given[name] = _from_toml(name, value, types_by_name[name], problems)
        else:
            problems.append(f"{name}: is no setting (in the settings file)")
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in types_by_name and variable.isupper():
            given[name] = _from_text(variable, text, types_by_name[name], problems)
        elif _NOT_OURS.fullmatch(variable) is None:
            problems.append(f"{variable}: is no setting")
    if problems:
        raise ConfigurationRefused(problems)
    settings = Settings(**given)
    problems = _violations(settings)
    if problems:
        raise ConfigurationRefused(problems)
    return settings


def _file_lines(path: str, problems: list[str]) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{FILE_VARIABLE}: {path} cannot be read: {error.strerror}")
    except ValueError as error:
        problems.append(f"{FILE_VARIABLE}: {path} is not TOML: {error}")
    return {}


def _from_toml(name: str, value: object, kind: Any, problems: list[str]) -> Any:
    wanted = _plain(kind)
    if wanted is bool and isinstance(value, bool):
        return value
    if wanted in (int, float) and not isinstance(value, bool):
        if isinstance(value, int) or (wanted is float and isinstance(value, float)):
            return wanted(value)
    elif wanted in (str, Path) and isinstance(value, str):
        return _text_value(name, value, kind, problems)
    problems.append(f"{name}: must be {_DESCRIPTIONS[wanted]}")
    return None


def _from_text(variable: str, text: str, kind: Any, problems: list[str]) -> Any:
    wanted = _plain(kind)
    if wanted in (str, Path):
        return _text_value(variable, text, kind, problems)
    try:
        if wanted is bool:
            return {"true": True, "false": False}[text.lower()]
        return wanted(text)
    except (KeyError, ValueError):
        problems.append(f"{variable}: must be {_DESCRIPTIONS[wanted]}")
        return None


def _text_value(name: str, text: str, kind: Any, problems: list[str]) -> Any:
    wanted = _plain(kind)
    if text:
        return wanted(text)
    if kind is wanted:
        problems.append(f"{name}: must not be empty")
    return None


def _plain(kind: Any) -> type:
    """Return the type itself of ``X`` and of ``X | None``."""
    if isinstance(kind, types.UnionType):
        (kind,) = (part for part in typing.get_args(kind) if part is not types.NoneType)
    return cast("type", kind)


_DESCRIPTIONS: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
}


def _violations(settings: Settings) -> list[str]:
    problems = []
    for name, (low, high) in BOUNDS.items():
        value = getattr(settings, name)
        if not (math.isfinite(value) and low <= value <= high):
            problems.append(f"{name}: must be from {low:g} to {high:,.0f}")
    problem = store_problem(settings.store)
    if problem is not None:
        problems.append(f"store: {problem}")
    for name in ("listen_address", "metrics_address", "health_address"):
        text = getattr(settings, name)
        try:
            address = None if text is None else parse_address(text)
        except ValueError as error:
            problems.append(f"{name}: {error}")
            continue
        reachable = address is not None and not address.is_loopback
        if name == "listen_address" and reachable and not settings.allow_insecure_bind:
            problems += _insecure(settings)
    if (settings.tls_certificate_file is None) != (settings.tls_key_file is None):
        problems.append("tls_certificate_file and tls_key_file: must be given together")
    elif settings.tls_client_ca_file is not None and not settings.tls_on:
        problems.append("tls_client_ca_file: needs tls_certificate_file and tls_key_file")
    if settings.worker_threads > settings.max_concurrent_rpcs:
        problems.append("worker_threads: must not be above max_concurrent_rpcs")
    return problems


def _insecure(settings: Settings) -> list[str]:
    """Return what is missing to serve other machines."""
    missing = []
    if not settings.tls_on:
        missing.append("nothing would be encrypted (tls_certificate_file, tls_key_file)")
    if not settings.knows_callers:
        missing.append("no caller would be known (tokens_file or tls_client_ca_file)")
    if not missing:
        return []
    problem = (
        f"listen_address: is not loopback, and {' and '.join(missing)}; set allow_insecure_bind = "
        "true if the network in between is trusted"
    )
    return [problem]
