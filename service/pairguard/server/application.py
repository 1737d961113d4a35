"""One server through its life: listening, loading, serving, draining, stopped.

Owns the order, which is the same for the command and for tests. It must not know how its parts
are made (``composition``) nor what tells it to stop (``running``).
"""

from __future__ import annotations

from dataclasses import dataclass
from wsgiref.simple_server import WSGIServer

import grpc
from prometheus_client import start_http_server

from pairguard.errors import ConfigurationRefused, StoreUnavailable
from pairguard.server.addresses import Address, parse_address
from pairguard.server.generation import Generation, GenerationSlot, load_generation
from pairguard.server.health import Health
from pairguard.server.metrics import Metrics
from pairguard.server.settings import Settings
from pairguard.server.upkeep import Upkeep
from pairguard.store.ports import HoldStore

GENERATION = "generation"
HOLD_STORE = "hold_store"
COMPONENTS = (GENERATION, HOLD_STORE)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application is made of."""

    settings: Settings
    server: grpc.Server
    generations: GenerationSlot
    store: HoldStore
    upkeep: Upkeep
    health: Health
    metrics: Metrics


class Application:
    """A server; its calls are made in the order in which they stand here, each once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._metrics_server: WSGIServer | None = None
        self.address: Address = parts.settings.grpc_address
        self.metrics_address: Address | None = None

    @property
    def metrics(self) -> Metrics:
        """The figures of this server."""
        return self._parts.metrics

    @property
    def health(self) -> Health:
        """The health of this server."""
        return self._parts.health

    def listen(self) -> None:
        """Take the ports and answer: health, and UNAVAILABLE to everything else.

        Raises:
            ConfigurationRefused: A port cannot be had, for one because another server has it.
        """
        wanted = self._parts.settings.grpc_address
        try:
            port = self._parts.server.add_insecure_port(str(wanted))
        except RuntimeError as error:
            raise ConfigurationRefused(
                [f"listen_address: {wanted} cannot be listened on; is another server there?"]
            ) from error
        self.address = Address(wanted.host, port)
        if self._parts.settings.metrics_address is not None:
            self._listen_for_metrics(parse_address(self._parts.settings.metrics_address))
        self._parts.server.start()

    def load(self) -> Generation:
        """Load what judges, open the store, and be ready.

        Raises:
            BundleRefused: The bundle does not verify.
            PolicyRefused: The policy does not validate.
            ConfigurationRefused: The store cannot be used.
        """
        settings, parts = self._parts.settings, self._parts
        generation = load_generation(settings.bundle_path, settings.policy_file)
        parts.generations.put(generation)
        parts.metrics.tell_generation(
            generation.bundle_version, generation.policy_version, generation.bundle_load_seconds
        )
        parts.health.set_healthy(GENERATION)
        try:
            settings.hold_store_file.parent.mkdir(parents=True, exist_ok=True)
            parts.store.check()
        except (OSError, StoreUnavailable) as error:
            raise ConfigurationRefused([f"hold_store_file: {error}"]) from error
        parts.upkeep.start()
        parts.health.set_healthy(HOLD_STORE)
        return generation

    def drain(self) -> None:
        """Tell callers to turn elsewhere, and go on answering."""
        self._parts.health.drain()

    def stop(self) -> None:
        """Refuse new calls, end those under way within the drain timeout, and give up all else."""
        parts = self._parts
        parts.server.stop(parts.settings.drain_timeout_seconds).wait()
        parts.upkeep.stop()
        parts.store.close()
        if self._metrics_server is not None:
            self._metrics_server.shutdown()
            self._metrics_server.server_close()

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
