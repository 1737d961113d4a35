"""How a client reaches the service and how long it waits.

Owns the options and their limits. It must not read the environment, which
``pairguard.client.environment`` does, nor open a channel, which ``pairguard.client.channel`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pairguard.client.address import stays_on_machine
from pairguard.client.arguments import require_seconds, require_text, require_whole_number
from pairguard.client.credentials import BearerTokenProvider, TlsOptions
from pairguard.client.environment import option_values

OnFailure: TypeAlias = Literal["reroute", "raise"]
"""What ``score_pair`` does without a usable answer: answer a REROUTE, or raise ``ClientError``."""

# Nobody waits longer for a partner to be judged; a longer timeout is a slip in the unit.
MOST_TIMEOUT_SECONDS = 60.0
DEFAULT_TIMEOUT_SECONDS = 0.25
DEFAULT_RECORD_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Options of ``Client`` and ``AioClient``.

    Attributes:
        address: gRPC target, such as ``127.0.0.1:7443`` or ``dns:///pairguard.internal:7443``. Not
            used where a channel is passed in.
        timeout_seconds: For each call that judges, with all its attempts, above 0 and at most 60.
        record_timeout_seconds: The same for each call that records, erases or looks up: nobody
            waits for a partner meanwhile, and what is durable takes its time.
        max_attempts: How often a call is tried within its timeout, 1-10. 1: never again.
        on_failure: What ``score_pair`` does without a usable answer.
        bearer_token: Returns the token that says who we are. None: none is sent.
        tls: TLS to the server. None: plaintext, to this machine only unless allowed.
        allow_plaintext: Whether to talk plaintext beyond this machine, tokens and ages included:
            only where something else encrypts, such as a mesh.
        wait_for_ready: Whether a call waits, within its timeout, for a server that is starting. If
            not, it fails at once while there is no connection.
        keepalive_seconds: How long a connection with calls under way may be silent before it is
            tested, so that a dead one is left. 10 or more. None: never tested.
        max_message_bytes: Largest message sent or received, 1024 or more.
        channel_options: Further options of gRPC channels; they win over those above.

    Raises:
        TypeError: An option has another type.
        ValueError: An option is out of its range, or plaintext would leave this machine.
    """

    address: str
    timeout_seconds: float = field(default=DEFAULT_TIMEOUT_SECONDS, kw_only=True)
    record_timeout_seconds: float = field(default=DEFAULT_RECORD_TIMEOUT_SECONDS, kw_only=True)
    max_attempts: int = field(default=3, kw_only=True)
    on_failure: OnFailure = field(default="reroute", kw_only=True)
    bearer_token: BearerTokenProvider | None = field(default=None, kw_only=True, repr=False)
    tls: TlsOptions | None = field(default=None, kw_only=True)
    allow_plaintext: bool = field(default=False, kw_only=True)
    wait_for_ready: bool = field(default=True, kw_only=True)
    keepalive_seconds: float | None = field(default=30.0, kw_only=True)
    max_message_bytes: int = field(default=4 * 1024 * 1024, kw_only=True)
    channel_options: tuple[tuple[str, str | int | bytes], ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what is out of range or would leave this machine in the clear."""
        require_text("address", self.address)
        if not self.address:
            raise ValueError("address must not be empty")
        require_timeout(self.timeout_seconds)
        require_seconds(
            "record_timeout_seconds", self.record_timeout_seconds, most=MOST_TIMEOUT_SECONDS
        )
        require_whole_number("max_attempts", self.max_attempts)
        if not 1 <= self.max_attempts <= 10:
            raise ValueError("max_attempts must be 1-10")
        require_on_failure(self.on_failure)
        if self.bearer_token is not None and not callable(self.bearer_token):
            raise TypeError("bearer_token must be a function that returns the token")
        if self.keepalive_seconds is not None:
            require_seconds("keepalive_seconds", self.keepalive_seconds, most=7200)
            if self.keepalive_seconds < 10:
                raise ValueError("keepalive_seconds must be 10 or more, or None")
        require_whole_number("max_message_bytes", self.max_message_bytes)
        if not 1024 <= self.max_message_bytes < 2**31:
            raise ValueError("max_message_bytes must be 1024 or more and below 2 GiB")
        self._require_safe_transport()

    def _require_safe_transport(self) -> None:
        if self.tls is not None and not isinstance(self.tls, TlsOptions):
            raise TypeError(f"tls must be TlsOptions, not {type(self.tls).__name__}")
        if self.tls is not None and self.allow_plaintext:
            raise ValueError("tls and allow_plaintext contradict each other: give one")
        if self.tls is None and not self.allow_plaintext and not stays_on_machine(self.address):
            raise ValueError(
                "address is not on this machine: give tls, or allow_plaintext=True where something"
                " else encrypts"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ClientOptions:
        """Return the options that ``PAIRGUARD_CLIENT_*`` names say; see ``environment``.

        Raises:
            ValueError: Names or values are not understood; all of them in one message.
        """
        return cls(**option_values(environment))


def require_timeout(value: object) -> None:
    """Raise unless ``value`` is a timeout: a number of seconds above 0 and at most 60."""
    require_seconds("timeout_seconds", value, most=MOST_TIMEOUT_SECONDS)


def require_on_failure(value: object) -> None:
    """Raise ``ValueError`` unless ``value`` says what to do without a usable answer."""
    if value not in {"reroute", "raise"}:
        raise ValueError("on_failure must be 'reroute' or 'raise'")
