"""The process around a server: what it says to people, and how a signal ends it.

Owns signals, exit codes and the words on standard error. It must not know the parts of a server.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from prometheus_client import disable_created_metrics

from pairguard import __version__
from pairguard.errors import PairguardError
from pairguard.server.addresses import Address
from pairguard.server.application import Application
from pairguard.server.caller_file import callers_of
from pairguard.server.composition import compose
from pairguard.server.generation import Generation, load_generation
from pairguard.server.settings import Settings
from pairguard.server.tls import tls_of

EXIT_OK: Final = 0
EXIT_REFUSED: Final = 2

_WAKE_SECONDS: Final = 0.5


class StopSignal:
    """SIGTERM and SIGINT as something to wait for; a second one ends the drain delay.

    SIGHUP is one of them where the terminal is gone, as when its window was closed. Otherwise it
    means: look again at bundle and policy.
    """

    def __init__(self) -> None:
        self._first = threading.Event()
        self._second = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def wait(self) -> None:
        """Return after the first."""
        # Python runs handlers only when this thread wakes up, and a signal that comes just before
        # it falls asleep does not wake it.
        while not self._first.wait(_WAKE_SECONDS):
            pass

    def wait_for_second(self, timeout_seconds: float) -> None:
        """Return after the second, or after a time."""
        self._second.wait(timeout_seconds)

    def take_hang_up(self, reload: Callable[[], None]) -> None:
        """Call something at each SIGHUP that does not say that the terminal is gone."""
        had_terminal = _has_terminal()

        def hang_up(number: int, frame: FrameType | None) -> None:
            if had_terminal and not _has_terminal():
                self._receive(number, frame)
            else:
                reload()

        signal.signal(signal.SIGHUP, hang_up)

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        (self._second if self._first.is_set() else self._first).set()


def serve(settings: Settings) -> int:
    """Serve until a signal; return the exit code.

    0: a signal ended it. 2: it could not begin, and standard error says all that is wrong.
    """
    stop = StopSignal()
    # A time of creation beside each counter would nearly double what is scraped.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    application = compose(settings, log_stream=sys.stdout)
    # From the start: a server that is told to look again must not end by it.
    stop.take_hang_up(application.reload)
    try:
        application.listen()
        generation = application.load()
    except PairguardError as error:
        say_refused(error)
        application.stop()
        return EXIT_REFUSED
    keep_what_is_loaded()
    application.follow(keep_what_is_loaded)
    _say_serving(settings, application, generation)
    stop.wait()
    _say("stopping: not ready any more, calls under way are answered")
    application.drain()
    stop.wait_for_second(settings.drain_delay_seconds)
    application.stop()
    sys.stdout.flush()
    _say("stopped")
    return EXIT_OK


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def keep_what_is_loaded() -> None:
    """Take everything that is loaded now out of garbage collection, for this whole process.

    It stays until the end, or until another bundle serves, and each full collection walks over all
    of it: over a tenth of the time of a busy server. A generation that serves no more is freed
    without collection, since nothing in it holds itself.
    """
    gc.collect()
    gc.freeze()


def check(settings: Settings) -> int:
    """Load what the settings name without serving; return the exit code, 0 or 2."""
    try:
        check_access(settings)
        generation = load_generation(
            settings.bundle_path,
            settings.policy_file,
            public_key_file=settings.bundle_public_key_file,
        )
    except PairguardError as error:
        say_refused(error)
        return EXIT_REFUSED
    _say(
        f"right: bundle {generation.bundle_version}, policy {generation.policy_version}, "
        f"gRPC {settings.grpc_address}"
    )
    return EXIT_OK


def check_access(settings: Settings) -> None:
    """Read the files of TLS and of the callers.

    Raises:
        ConfigurationRefused: One of them cannot be used.
    """
    tls = tls_of(settings, on_reload=_ignore)
    if tls is not None:
        tls.check()
    callers = callers_of(settings, on_reload=_ignore)
    if callers is not None:
        callers.start()


def _ignore(_used: bool) -> None:  # noqa: FBT001 - nothing is read again
    return


def say_refused(error: PairguardError) -> None:
    """Say why the server does not begin, each problem on a line of its own."""
    _say(f"refused ({error.reason}):")
    for problem in getattr(error, "problems", (str(error),)):
        _say(f"  {problem}")


def _say_serving(settings: Settings, application: Application, generation: Generation) -> None:
    address = application.address
    metrics = application.metrics_address
    _say(f"pairguard {__version__} serves")
    reach = _reach(settings, address)
    _say(f"  gRPC     {address}  ({reach}; reflection {_on(settings.reflection_on)})")
    if application.health_address is not None:
        _say(f"  health   {application.health_address}  (not encrypted, open to everybody)")
    _say(f"  metrics  {'nowhere' if metrics is None else f'http://{metrics}/metrics'}")
    _say(f"  bundle   {generation.bundle_version}  (from {settings.bundle_path})")
    if generation.judge.model.harm is None:
        _say("           it has no harm model: see allow_without_harm_model in the policy")
    _say(f"  policy   {generation.policy_version}  (from {settings.policy_file or 'the package'})")
    _say(f"  store    {settings.store}")
    _say("try it in another terminal:")
    options = _example_options(settings)
    _say(f"  {_python()} -m pairguard.server.example {address.to_call()}{options}")


def _example_options(settings: Settings) -> str:
    """Return what the example needs besides the address."""
    options = ""
    if settings.tls_on:
        options += " --ca CA.pem"
    if settings.tls_client_ca_file is not None:
        options += " --certificate CLIENT.pem --key CLIENT.key"
    if settings.tokens_file is not None:
        options += " --token-file TOKEN"
    return options


def _reach(settings: Settings, address: Address) -> str:
    """Return in words who can call."""
    where = "this machine only" if address.is_loopback else "other machines too"
    if settings.tokens_file is not None:
        who = "known callers"
    elif settings.tls_client_ca_file is not None:
        who = "clients with a certificate"
    else:
        who = "any caller"
    how = "TLS" if settings.tls_on else "plaintext" if address.is_loopback else "NOT ENCRYPTED"
    return f"{where}, {how}, {who}"


def _on(value: bool) -> str:  # noqa: FBT001 - a word for it
    return "on" if value else "off"


def _python() -> str:
    """Return this interpreter as one would type it here."""
    relative = os.path.relpath(sys.executable)
    below_here = not relative.startswith("..") and Path.cwd() != Path("/")
    return str(Path(relative)) if below_here else sys.executable


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
