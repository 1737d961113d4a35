"""One server through its life: listening, loading, serving, draining, stopped.

Owns the order, which is the same for the command and for tests. It must not know how its parts
are made (``composition``) nor what tells it to stop (``running``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from wsgiref.simple_server import WSGIServer

import grpc
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from prometheus_client import start_http_server

from pairguard.errors import ConfigurationRefused, StoreUnavailable
from pairguard.server.addresses import Address, parse_address
from pairguard.server.callers import Callers
from pairguard.server.drift_watch import DriftWatch
from pairguard.server.followed_files import FollowedFiles
from pairguard.server.generation import Generation
from pairguard.server.generation_following import Following
from pairguard.server.health import Health
from pairguard.server.journal_import import JournalImport
from pairguard.server.metrics import Metrics
from pairguard.server.settings import Settings
from pairguard.server.shadow import Shadow
from pairguard.server.tls import ServerTls
from pairguard.server.upkeep import Upkeep
from pairguard.store.opening import sqlite_path
from pairguard.store.ports import ParticipantStore
from pairguard.store.segments.writing import SegmentWriter

GENERATION = "generation"
STORE = "store"
COMPONENTS = (GENERATION, STORE)
_STORE_RETRY_SECONDS = 1.0
_FIRST_IMPORT_SECONDS = 5.0
_HEALTH_CALLS = 32


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application is made of."""

    settings: Settings
    server: grpc.Server
    pool: ThreadPoolExecutor
    shares_port: bool
    following: Following
    store: ParticipantStore
    segments: SegmentWriter
    journal_import: JournalImport
    upkeep: Upkeep
    health: Health
    metrics: Metrics
    shadow: Shadow
    drift: DriftWatch
    tls: ServerTls | None = None
    callers: FollowedFiles[Callers] | None = None


class Application:
    """A server; its calls are made in the order in which they stand here, each once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._metrics_server: WSGIServer | None = None
        self._stopped = threading.Event()
        self._waiting: threading.Thread | None = None
        self.address: Address = parts.settings.grpc_address
        self.metrics_address: Address | None = None
        self.health_address: Address | None = None
        self._health_server: grpc.Server | None = None

    @property
    def metrics(self) -> Metrics:
        """The figures of this server."""
        return self._parts.metrics

    @property
    def drift(self) -> DriftWatch:
        """What compares those who are judged with those of the training."""
        return self._parts.drift

    @property
    def health(self) -> Health:
        """The health of this server."""
        return self._parts.health

    @property
    def shadow(self) -> Shadow:
        """The challenger beside what serves."""
        return self._parts.shadow

    def listen(self) -> None:
        """Take the ports and answer: health, and UNAVAILABLE to everything else.

        Raises:
            ConfigurationRefused: A port cannot be had, for one because another server has it, or
                the files of TLS or of the callers cannot be used.
        """
        parts, settings = self._parts, self._parts.settings
        if parts.callers is not None:
            parts.callers.start()
        credentials = None if parts.tls is None else parts.tls.credentials()
        self.address = _bind(parts.server, "listen_address", settings.grpc_address, credentials)
        if settings.metrics_address is not None:
            self._listen_for_metrics(parse_address(settings.metrics_address))
        if settings.health_address is not None:
            self._listen_for_health(parse_address(settings.health_address))
        parts.server.start()

    def load(self) -> Generation:
        """Load what judges, open the store, and be ready.

        An embedded store that cannot be used is a mistake to be mended first. One over the network
        may be away for a while: calls are answered meanwhile, as where the store is lost later, and
        the server is ready when the store is there.

        Raises:
            BundleRefused: The bundle does not verify.
            PolicyRefused: The policy does not validate.
            ConfigurationRefused: The embedded store or the public keys cannot be used.
        """
        settings, parts = self._parts.settings, self._parts
        generation = parts.following.load()
        parts.shadow.reload(generation)
        parts.drift.start()
        parts.health.set_healthy(GENERATION)
        path = sqlite_path(settings.store)
        try:
            settings.journal_directory.parent.mkdir(parents=True, exist_ok=True)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._open_store()
        except (OSError, StoreUnavailable) as error:
            if path is not None or isinstance(error, OSError):
                raise ConfigurationRefused([f"store: {error}"]) from error
            self._waiting = threading.Thread(target=self._wait_for_store, name="store", daemon=True)
            self._waiting.start()
        return generation

    def follow(self, on_change: Callable[[], None] = lambda: None) -> None:
        """Take a bundle or a policy that changes from now on.

        Args:
            on_change: Called after each change of what judges, in a thread of its own.
        """
        shadow = self._parts.shadow

        def changed(generation: Generation) -> None:
            # What its settings do not name of a challenger is that of what serves.
            shadow.reload(generation)
            on_change()

        self._parts.following.start(changed)

    def reload(self) -> None:
        """Look at bundle and policy at once; returns before that is done."""
        self._parts.following.ask()

    def _open_store(self) -> None:
        parts = self._parts
        parts.store.check()
        # What an earlier process has decided counts before the first decision of this one.
        parts.journal_import.flush(_FIRST_IMPORT_SECONDS)
        parts.journal_import.start()
        parts.upkeep.start()
        parts.health.set_healthy(STORE)

    def _wait_for_store(self) -> None:
        while not self._stopped.wait(_STORE_RETRY_SECONDS):
            try:
                self._open_store()
            except StoreUnavailable:
                self._parts.metrics.count_store_error("open")
            else:
                return

    def submit(self, function: Callable[[], None]) -> None:
        """Have a thread that works on calls do something, after the calls that wait.

        Raises:
            RuntimeError: They have been told to end.
        """
        self._parts.pool.submit(function)

    def drain(self) -> None:
        """Tell callers to turn elsewhere, and go on answering."""
        self._parts.health.drain()

    def stop(self) -> None:
        """Refuse new calls, end those under way within the drain timeout, and give up all else."""
        parts = self._parts
        parts.server.stop(parts.settings.drain_timeout_seconds).wait()
        if self._health_server is not None:
            self._health_server.stop(None).wait()
        self._stopped.set()
        parts.following.stop()
        if self._waiting is not None:
            self._waiting.join()
        parts.upkeep.stop()
        parts.shadow.stop()
        parts.drift.stop()
        # Decisions first reach the disk, then the store, and only then is there no store.
        parts.segments.close()
        parts.journal_import.stop()
        parts.store.close()
        if self._metrics_server is not None:
            self._metrics_server.shutdown()
            self._metrics_server.server_close()

    def _listen_for_health(self, wanted: Address) -> None:
        server = grpc.server(
            ThreadPoolExecutor(1, thread_name_prefix="health"),
            options=(
                ("grpc.so_reuseport", int(self._parts.shares_port)),
                ("grpc.max_receive_message_length", 1_024),
            ),
            maximum_concurrent_rpcs=_HEALTH_CALLS,
        )
        add_HealthServicer_to_server(self._parts.health.servicer, server)
        self.health_address = _bind(server, "health_address", wanted, None)
        server.start()
        self._health_server = server

    def _listen_for_metrics(self, wanted: Address) -> None:
        try:
            server, _ = start_http_server(
                wanted.port, addr=wanted.host, registry=self._parts.metrics.registry
            )
        except OSError as error:
            raise ConfigurationRefused(
                [f"metrics_address: {wanted} cannot be listened on: {error.strerror}"]
            ) from error
        self._metrics_server = server
        self.metrics_address = Address(wanted.host, server.server_port)


def _bind(
    server: grpc.Server, setting: str, wanted: Address, credentials: grpc.ServerCredentials | None
) -> Address:
    try:
        port = (
            server.add_insecure_port(str(wanted))
            if credentials is None
            else server.add_secure_port(str(wanted), credentials)
        )
    except RuntimeError as error:
        raise ConfigurationRefused(
            [f"{setting}: {wanted} cannot be listened on; is another server there?"]
        ) from error
    return Address(wanted.host, port)
