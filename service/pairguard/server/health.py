"""Health by name, as gRPC's health protocol asks for it.

Owns which names there are and when each is SERVING:

- ``liveness``: from the moment the server listens until the process ends;
- ``readiness``, ``""`` and the full name of each service: once every component is healthy and
  until the server drains.

A store that fails later takes nothing out of service: the server goes on answering,
cautiously, and its degradations and metrics say why. Taken out, the callers' own fallback would
be all that is left.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import HealthServicer

LIVENESS: Final = "liveness"
READINESS: Final = "readiness"

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """The health of one server; every component begins unhealthy.

    Args:
        components: What readiness waits for.
        services: Full names of the services.
    """

    def __init__(self, components: Iterable[str], services: Iterable[str]) -> None:
        self.servicer = HealthServicer()
        self._names = ("", READINESS, *services)
        self._missing = set(components)
        self._draining = False
        self._told_ready: bool | None = None
        self._lock = threading.Lock()
        self.servicer.set(LIVENESS, _SERVING)
        self._tell()

    def set_healthy(self, component: str) -> None:
        """Note that a component can serve."""
        with self._lock:
            self._missing.remove(component)
            self._tell()

    def drain(self) -> None:
        """Tell callers to turn elsewhere; there is no way back."""
        with self._lock:
            self._draining = True
            self._tell()

    @property
    def is_ready(self) -> bool:
        """Whether calls are answered with decisions."""
        return not self._missing and not self._draining

    def _tell(self) -> None:
        ready = self.is_ready
        if ready is self._told_ready:
            return  # those who watch would be told once more
        self._told_ready = ready
        for name in self._names:
            self.servicer.set(name, _SERVING if ready else _NOT_SERVING)
