"""Bundle and policy while the server serves: looked at again and again, and taken when they change.

Owns when they are loaded anew where one process serves alone; of several the supervisor says when
(``processes.ordered_generation``). It must not know how either is loaded, nor what a call does with
them. All of it happens in one thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from pairguard.server.generation import Generation, read_policy
from pairguard.server.generation_loading import GenerationLoading, Loaded, Origin
from pairguard.server.generation_sources import Changes, Signature, Sources

END_SECONDS: Final = 5.0


class Following(Protocol):
    """What keeps the generation that serves that of the bundle and the policy as they stand."""

    def load(self) -> Generation:
        """Load both for the first time and let them serve.

        Raises:
            BundleRefused: The bundle does not verify.
            PolicyRefused: The policy does not validate.
            ConfigurationRefused: The public keys cannot be used.
        """

    def start(self, on_change: Callable[[Generation], None]) -> None:
        """Begin to look, in a thread.

        Args:
            on_change: Called with what serves after each change of it, in that thread, and each
                time that somebody asked.
        """

    def ask(self) -> None:
        """Have both loaded anew at once; to be called from anywhere, a signal's handler too."""

    def stop(self) -> None:
        """End the thread, after what it is loading; a disk that hangs is not waited for."""


class GenerationFollowing:
    """Looks by itself, in a thread.

    Args:
        sources: Where bundle and policy come from.
        loading: Loads them.
        check_seconds: How often is looked.
    """

    def __init__(
        self, sources: Sources, loading: GenerationLoading, *, check_seconds: float
    ) -> None:
        self._sources = sources
        self._loading = loading
        self._check_seconds = check_seconds
        self._changes = Changes(sources)
        self._asked = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._on_change: Callable[[Generation], None] = lambda _: None

    def load(self) -> Generation:
        """Load both for the first time and let them serve.

        Raises:
            BundleRefused: The bundle does not verify.
            PolicyRefused: The policy does not validate.
            ConfigurationRefused: The public keys cannot be used.
        """
        loaded = self._loading.load(self._origin(self._changes.now()))
        self._loading.serve(loaded)
        return loaded.generation

    def start(self, on_change: Callable[[Generation], None]) -> None:
        """Begin to look, in a thread.

        Args:
            on_change: Called with what serves after each change of it, in that thread, and each
                time that somebody asked.
        """
        self._on_change = on_change
        self._thread = threading.Thread(target=self._follow, name="generation", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Have both loaded anew at once; to be called from anywhere, a signal's handler too."""
        self._asked.set()

    def stop(self) -> None:
        """End the thread, after what it is loading; a disk that hangs is not waited for."""
        self._stopped = True
        self._asked.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _follow(self) -> None:
        while not self._stopped:
            asked = self._asked.wait(self._check_seconds)
            self._asked.clear()
            if not self._stopped:
                self.look(asked=asked)

    def look(self, *, asked: bool = False) -> None:
        """Load what has changed since it was last tried, once it has stood still for one look.

        Args:
            asked: Load what there is now, whether or not it has changed.
        """
        signature = self._changes.due(asked=asked)
        if signature is None:
            return
        found = self._loading.load_beside(self._origin(signature))
        if isinstance(found, Loaded):
            if not self._changes.is_as_it_was(signature):
                if asked:
                    self._asked.set()
                return
            if self._loading.take(found) or asked:
                self._loading.announce(self._on_change)
        self._changes.tried(signature)

    def _origin(self, signature: Signature) -> Origin:
        sources = self._sources
        return Origin(
            sources.bundle_path,
            partial(read_policy, sources.policy_file),
            sources.public_key_file,
            signature.bundle,
            signature.policy,
        )
