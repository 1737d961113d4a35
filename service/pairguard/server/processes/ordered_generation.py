"""Bundle and policy of a worker: loaded, taken and dropped when the supervisor says so.

Owns what becomes of an order, one after the other in one thread. It must not know which order comes
when, nor what the other workers do: that all of them switch together is the supervisor's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pairguard.errors import BundleRefused
from pairguard.policy.regions import Policy
from pairguard.server.generation import Generation, parse_policy, read_policy
from pairguard.server.generation_following import END_SECONDS
from pairguard.server.generation_loading import GenerationLoading, Loaded, Origin, Refusal
from pairguard.server.processes.link import SupervisorLink
from pairguard.server.processes.messages import (
    MOVED,
    Order,
    OrderKind,
    Prepared,
    Release,
    Switched,
)


class OrderedGeneration:
    """Does what the supervisor says.

    Args:
        link: Where orders come from and are answered.
        loading: Loads what they name.
        public_key_file: Whose signature a bundle must have; None: none is wanted.
    """

    def __init__(
        self, link: SupervisorLink, loading: GenerationLoading, *, public_key_file: Path | None
    ) -> None:
        self._link = link
        self._loading = loading
        self._public_key_file = public_key_file
        self._prepared: tuple[Release, Loaded] | None = None
        self._thread: threading.Thread | None = None
        self._on_change: Callable[[Generation], None] = lambda _: None

    def load(self) -> Generation:
        """Wait for the first order, load what it names and let it serve.

        Raises:
            BundleRefused: The bundle does not verify, or is not the one that the others serve, or
                the supervisor has ended.
            PolicyRefused: The policy does not validate.
            ConfigurationRefused: The public keys cannot be used.
        """
        order = self._link.next_order()
        if order is None or order.release is None:
            raise BundleRefused("the supervisor names no bundle", reason="BUNDLE_MISSING")
        release = order.release
        loaded = self._loading.load(self._origin(release))
        if not _is_meant(release, loaded):
            raise BundleRefused(_moved(release, loaded), reason=MOVED)
        self._loading.serve(loaded)
        if release.stale:
            self._loading.tell_stale()
        return loaded.generation

    def start(self, on_change: Callable[[Generation], None]) -> None:
        """Obey from now on, in a thread.

        Args:
            on_change: Called with what serves after each change of it, in that thread, and each
                time that somebody asked.
        """
        self._on_change = on_change
        self._thread = threading.Thread(target=self._obey_all, name="generation", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Do nothing: the supervisor is to be asked."""

    def stop(self) -> None:
        """End the thread, after what it is loading; a disk that hangs is not waited for."""
        self._link.end_orders()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _obey_all(self) -> None:
        while (order := self._link.next_order()) is not None:
            self.obey(order)

    def obey(self, order: Order) -> None:
        """Do what an order says, and answer it."""
        if order.kind is OrderKind.PREPARE and order.release is not None:
            self._take_out()  # at most two generations at any time
            self._prepare(order.release)
        elif order.kind is OrderKind.SWITCH:
            self._switch(order.number)
        elif order.kind is OrderKind.DROP:
            self._drop(order)

    def _prepare(self, release: Release) -> None:
        found = self._loading.load_beside(self._origin(release))
        if isinstance(found, Refusal):
            answer = Prepared(release.number, reason=found.reason, problems=found.problems)
        elif not _is_meant(release, found):
            answer = Prepared(release.number, reason=MOVED, problems=(_moved(release, found),))
        else:
            self._prepared = (release, found)
            self._loading.tell_prepared(prepared=True)
            versions = (found.generation.bundle_version, found.generation.policy_version)
            answer = Prepared(release.number, *versions)
        self._link.tell(answer)

    def _take_out(self) -> tuple[Release, Loaded] | None:
        prepared, self._prepared = self._prepared, None
        self._loading.tell_prepared(prepared=False)
        return prepared

    def _switch(self, number: int) -> None:
        prepared = self._take_out()
        if prepared is None or prepared[0].number != number:
            return  # the supervisor, who is not answered, ends this process
        release, loaded = prepared
        changed = self._loading.take(loaded)
        self._link.tell(Switched(number))
        if changed or release.asked:
            self._loading.announce(self._on_change)

    def _drop(self, order: Order) -> None:
        prepared = self._take_out()
        if not order.refused:
            return
        if prepared is not None:
            # Why, whoever refused it has told.
            self._loading.refuse(Refusal("withdrawn", order.refused), time.perf_counter())
        self._loading.tell_stale()

    def _origin(self, release: Release) -> Origin:
        return Origin(
            Path(release.bundle_path),
            partial(_policy, release),
            self._public_key_file,
            release.bundle_mark,
            release.policy_mark,
        )


def _policy(release: Release) -> Policy:
    path = None if release.policy_file is None else Path(release.policy_file)
    if release.policy_text is None:
        return read_policy(path)
    return parse_policy(release.policy_text, path)


def _is_meant(release: Release, loaded: Loaded) -> bool:
    return release.bundle_version in ("", loaded.bundle.version)


def _moved(release: Release, loaded: Loaded) -> str:
    return (
        f"{release.bundle_path} holds {loaded.bundle.version} and no longer "
        f"{release.bundle_version}, which the other workers loaded"
    )
