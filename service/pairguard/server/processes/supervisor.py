"""The supervisor: starts workers on one port, restarts those that end, and ends them in order.

Owns which worker is started, stopped or killed when. It must not know how a worker serves nor what
(``releases``), and it loads neither gRPC nor a model.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Final

from prometheus_client import start_http_server

from pairguard.errors import ConfigurationRefused
from pairguard.server.addresses import Address, parse_address
from pairguard.server.announcement import say, say_refused, serving_lines
from pairguard.server.exit_codes import EXIT_KILLED, EXIT_OK, EXIT_REFUSED
from pairguard.server.generation_sources import Sources
from pairguard.server.hang_up import take_hang_up
from pairguard.server.processes.merged_metrics import SupervisorMetrics
from pairguard.server.processes.messages import Serving
from pairguard.server.processes.place import Place
from pairguard.server.processes.releases import Releases
from pairguard.server.processes.shared_port import SharedPort
from pairguard.server.processes.worker_process import WorkerProcess
from pairguard.server.settings import PREFIX, Settings

_WATCH_SECONDS: Final = 0.5
_START_SECONDS: Final = 120.0
_STOP_SLACK_SECONDS: Final = 15.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)


def supervise(settings: Settings, environment: Mapping[str, str]) -> int:
    """Serve with several workers until a signal; return the exit code.

    0: a signal ended it and every worker answered what it had begun. 1: one had to be killed for
    it. 2: nothing could begin, and standard error says why.
    """
    with ExitStack() as held:
        try:
            port = held.enter_context(SharedPort("listen_address", settings.grpc_address))
            own = {"LISTEN_ADDRESS": str(port.address)}
            health = None
            if settings.health_address is not None:
                wanted = parse_address(settings.health_address)
                health = held.enter_context(SharedPort("health_address", wanted)).address
                own["HEALTH_ADDRESS"] = str(health)
            own["METRICS_ADDRESS"] = "" if settings.metrics_address is None else "127.0.0.1:0"
            workers = {f"{PREFIX}{name}": value for name, value in own.items()}
            supervisor = Supervisor(settings, {**environment, **workers}, port.address, health)
            supervisor.listen_for_metrics(held)
        except ConfigurationRefused as error:
            say_refused(error)
            return EXIT_REFUSED
        return supervisor.run()


class Supervisor:
    """Places for workers, and what is to become of each.

    Args:
        settings: Of the server; how many workers there are.
        environment: Of the workers.
        address: That they share.
        health_address: Where they tell their health besides; None: nowhere.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        address: Address,
        health_address: Address | None,
    ) -> None:
        self._settings = settings
        self._address = address
        self._health_address = health_address
        self._places = [Place(number, environment) for number in range(settings.worker_processes)]
        self._metrics = SupervisorMetrics(self._metrics_addresses)
        self._metrics_address: Address | None = None
        self._selector = selectors.DefaultSelector()
        self._woken, self._waking = os.pipe()
        sources = Sources(
            settings.bundle_path, settings.policy_file, settings.bundle_public_key_file
        )
        self._releases = Releases(
            sources,
            self._metrics,
            check_seconds=settings.reload_check_seconds,
            on_release=self._wake,
        )
        self._signals: deque[signal.Signals] = deque()
        self._has_served = False
        self._stop_by: float | None = None
        self._was_killed = False
        self._to_replace: deque[Place] = deque()
        self._replacing: Place | None = None

    def listen_for_metrics(self, held: ExitStack) -> None:
        """Serve the figures of all, where the settings say.

        Raises:
            ConfigurationRefused: The address cannot be had.
        """
        if self._settings.metrics_address is None:
            return
        wanted = parse_address(self._settings.metrics_address)
        try:
            server, _ = start_http_server(
                wanted.port, addr=wanted.host, registry=self._metrics.registry
            )
        except OSError as error:
            raise ConfigurationRefused(
                [f"metrics_address: {wanted} cannot be listened on: {error.strerror}"]
            ) from error
        held.callback(server.server_close)
        held.callback(server.shutdown)
        self._metrics_address = Address(wanted.host, server.server_port)

    def run(self) -> int:
        """Watch until the last worker has ended after a signal; return the exit code."""
        for end in (self._woken, self._waking):
            os.set_blocking(end, False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        for number in _SIGNALS:
            signal.signal(number, self._receive)
        take_hang_up(
            reload=lambda: self._signals.append(signal.SIGHUP),
            end=lambda: self._signals.append(signal.SIGTERM),
        )
        before = signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        self._releases.start()
        try:
            return self._watch()
        finally:
            signal.set_wakeup_fd(before)
            self._releases.stop()
            self._selector.close()
            for end in (self._woken, self._waking):
                os.close(end)

    def _wake(self) -> None:
        with suppress(OSError):
            os.write(self._waking, b"\0")

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(signal.Signals(number))

    def _watch(self) -> int:
        # The first makes what is made once: the store, its keys, the schema.
        self._start(self._places[0], time.monotonic())
        while True:
            for key, _ in self._selector.select(_WATCH_SECONDS):
                if key.data is None:
                    os.read(self._woken, 512)
                else:
                    self._hear(key.data, time.monotonic())
            while self._signals:
                self._obey(self._signals.popleft())
            now = time.monotonic()
            for place in self._places:
                self._look_at(place, now)
            self._change(now)
            self._replace_next()
            self._metrics.tell_workers(
                serving=sum(each.serves for each in self._places), wanted=len(self._places)
            )
            if all(each.worker is None for each in self._places):
                if self._stop_by is not None:
                    say("stopped")
                    return EXIT_KILLED if self._was_killed else EXIT_OK
                if not self._has_served:
                    return EXIT_REFUSED  # why, the worker has said

    def _start(self, place: Place, now: float) -> None:
        try:
            worker = place.start(now, self._releases.to_load)
        except OSError as error:
            place.put_off(now)
            say(f"worker {place.number} cannot be started: {error.strerror}")
            return
        self._selector.register(worker.status_descriptor, selectors.EVENT_READ, worker)

    def _hear(self, worker: WorkerProcess, now: float) -> None:
        for message in worker.read(now):
            self._releases.hear(worker, message, now)
            if isinstance(message, Serving):
                self._begins(message)

    def _change(self, now: float) -> None:
        """Go on with what every worker is to take together."""
        workers = [each.worker for each in self._places if each.worker is not None]
        for worker in workers:
            worker.go_on()
        if self._stop_by is None:
            self._releases.go_on(
                [each for each in workers if each.serving is not None],
                anybody_begins=any(each.serving is None for each in workers),
                now=now,
            )

    def _begins(self, serving: Serving) -> None:
        if self._has_served:
            return
        self._has_served = True
        for line in serving_lines(
            self._settings,
            serving,
            address=self._address,
            metrics_address=self._metrics_address,
            health_address=self._health_address,
        ):
            say(line)

    def _obey(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP:
            self._releases.ask()
            return
        if number is signal.SIGUSR2:
            if self._stop_by is None and self._replacing is None:
                say("every worker is replaced, one after the other")
                self._to_replace.extend(self._places)
            return
        if self._stop_by is None:
            say("stopping: not ready any more, calls under way are answered")
            self._stop_by = time.monotonic() + self._drain_seconds
        # To a worker, too, a second signal says that the drain delay is over.
        for place in self._places:
            if place.worker is not None:
                place.worker.stop()

    @property
    def _drain_seconds(self) -> float:
        settings = self._settings
        return settings.drain_delay_seconds + settings.drain_timeout_seconds + _STOP_SLACK_SECONDS

    def _look_at(self, place: Place, now: float) -> None:
        """Notice an end, kill what is stuck, start what is due."""
        worker = place.worker
        if worker is None:
            others = any(each.worker is not None for each in self._places)
            if (
                self._has_served
                and self._stop_by is None
                and now >= place.start_at
                and self._releases.may_begin(others=others)
            ):
                self._start(place, now)
        elif worker.has_ended:
            # What it told before it ended counts.
            self._hear(worker, now)
            self._selector.unregister(worker.status_descriptor)
            self._releases.lose(worker, now)
            self._ended(place, worker, place.empty(worker, now), now)
        elif self._is_stuck(place, worker, now):
            worker.kill()

    def _ended(self, place: Place, worker: WorkerProcess, code: int, now: float) -> None:
        if worker.is_stopping and code == EXIT_OK:
            self._metrics.count_end("told")
            return
        self._was_killed |= worker.is_stopping
        why = "silent" if place.was_silent else "failed"
        self._metrics.count_end(why)
        if not self._has_served or self._stop_by is not None:
            return
        if code == EXIT_REFUSED and all(each.worker is None for each in self._places):
            self._releases.refused_by_the_only_one()
        if place is self._replacing:
            say(f"worker {place.number} did not begin again: the rest is not replaced")
            self._to_replace.clear()
            self._replacing = None
        wait = max(place.start_at - now, 0.0)
        say(f"worker {place.number} ended with {code} ({why}); the next begins in {wait:.1f} s")

    def _is_stuck(self, place: Place, worker: WorkerProcess, now: float) -> bool:
        if self._stop_by is not None:
            return now >= self._stop_by
        silence = now - worker.last_beat
        if worker.is_stopping:
            return silence >= self._drain_seconds
        if worker.serving is None:
            return silence >= _START_SECONDS
        place.was_silent = silence >= self._settings.worker_silence_seconds
        return place.was_silent

    def _replace_next(self) -> None:
        """Replace workers one by one, the next when the last serves again."""
        if self._replacing is not None and self._replacing.serves:
            self._replacing = None
        if self._releases.is_changing:
            return
        if self._replacing is None and self._to_replace and self._stop_by is None:
            self._replacing = self._to_replace.popleft()
            if self._replacing.worker is not None:
                self._replacing.worker.stop()

    def _metrics_addresses(self) -> dict[int, str]:
        found = {}
        for place in self._places:
            worker = place.worker
            if worker is not None and worker.serving is not None:
                found[place.number] = worker.serving.metrics_address
        return {number: address for number, address in found.items() if address}
