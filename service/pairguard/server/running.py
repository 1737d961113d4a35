"""The process around a server: what it says to people, and how a signal ends it.

Owns signals and the order of a process's life. It must not know the parts of a server.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from types import FrameType
from typing import Final

from prometheus_client import disable_created_metrics

from pairguard.errors import PairguardError
from pairguard.server.announcement import say, say_refused, serving_lines
from pairguard.server.application import Application
from pairguard.server.caller_file import callers_of
from pairguard.server.composition import compose
from pairguard.server.exit_codes import EXIT_OK, EXIT_REFUSED
from pairguard.server.generation import Generation, load_generation
from pairguard.server.hang_up import take_hang_up
from pairguard.server.processes.link import SupervisorLink
from pairguard.server.processes.messages import Serving
from pairguard.server.settings import Settings
from pairguard.server.shadow_loading import load_challenger
from pairguard.server.tls import tls_of

_WAKE_SECONDS: Final = 0.5


class StopSignal:
    """SIGTERM and SIGINT as something to wait for; a second one ends the drain delay."""

    def __init__(self) -> None:
        self._first = threading.Event()
        self._second = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def stop(self) -> None:
        """Act as the signals do."""
        (self._second if self._first.is_set() else self._first).set()

    def wait(self) -> None:
        """Return after the first."""
        # Python runs handlers only when this thread wakes up, and a signal that comes just before
        # it falls asleep does not wake it.
        while not self._first.wait(_WAKE_SECONDS):
            pass

    def wait_for_second(self, timeout_seconds: float) -> None:
        """Return after the second, or after a time."""
        self._second.wait(timeout_seconds)

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()


def serve(settings: Settings, supervisor: SupervisorLink | None = None) -> int:
    """Serve until a signal; return the exit code.

    0: a signal ended it. 2: it could not begin, and standard error says all that is wrong.

    Args:
        settings: Of the server.
        supervisor: Whose worker this is; it speaks for its workers. None: this is the only process.
    """
    stop = StopSignal()
    # A time of creation beside each counter would nearly double what is scraped.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    application = compose(settings, log_stream=sys.stdout, supervisor=supervisor)
    # From the start: a server that is told to look again must not end by it.
    take_hang_up(reload=application.reload, end=stop.stop)
    if supervisor is not None:
        supervisor.follow(stop.stop)
    try:
        application.listen()
        generation = application.load()
    except PairguardError as error:
        say_refused(error)
        application.stop()
        return EXIT_REFUSED
    keep_what_is_loaded()
    application.follow(keep_what_is_loaded)
    _tell_serving(settings, application, generation, supervisor)
    stop.wait()
    tell = say if supervisor is None else _say_nothing
    tell("stopping: not ready any more, calls under way are answered")
    application.drain()
    stop.wait_for_second(settings.drain_delay_seconds)
    if supervisor is not None:
        supervisor.stop()
    application.stop()
    sys.stdout.flush()
    tell("stopped")
    return EXIT_OK


def _tell_serving(
    settings: Settings,
    application: Application,
    generation: Generation,
    supervisor: SupervisorLink | None,
) -> None:
    metrics = application.metrics_address
    serving = Serving(
        bundle_version=generation.bundle_version,
        policy_version=generation.policy_version,
        has_harm_model=generation.judge.model.harm is not None,
        remarks=(
            *(f"           {each}" for each in generation.at(time.time()).certificate.sentences()),
            *_challenger_lines(application),
        ),
        metrics_address="" if metrics is None else str(metrics),
    )
    if supervisor is not None:
        supervisor.serve(serving, application.submit)
        return
    for line in serving_lines(
        settings,
        serving,
        address=application.address,
        metrics_address=metrics,
        health_address=application.health_address,
    ):
        say(line)


def _say_nothing(_text: str) -> None:
    return


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
        challenger = load_challenger(settings, generation)
    except PairguardError as error:
        say_refused(error)
        return EXIT_REFUSED
    say(
        f"right: bundle {generation.bundle_version}, policy {generation.policy_version}, "
        f"gRPC {settings.grpc_address}"
    )
    for sentence in generation.at(time.time()).certificate.sentences():
        say(f"  {sentence}")
    if challenger is not None:
        say(
            f"right: challenger bundle {challenger.bundle_version}, "
            f"policy {challenger.policy_version}"
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


def _challenger_lines(application: Application) -> list[str]:
    """Return what judges beside what serves, or why it does not."""
    challenger, refusal = application.shadow.challenger, application.shadow.refusal
    lines = []
    if challenger is not None:
        lines.append(
            f"  shadow   bundle {challenger.bundle_version}, policy {challenger.policy_version}"
            "  (nothing of it is answered)"
        )
    if refusal is not None:
        lines.append(f"  shadow   REFUSED ({refusal.reason}); nothing else is touched by it:")
        problems = getattr(refusal, "problems", (str(refusal),))
        lines += [f"             {problem}" for problem in problems]
    return lines
