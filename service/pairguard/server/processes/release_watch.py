"""What all workers are to load: bundle and policy as they stand, looked at again and again.

Owns when a change is seen, and what of it is handed to workers. It must not know the workers, and
loads no model. All of it happens in a thread of its own, so that a disk that hangs holds up nobody.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pairguard.bundle.directory import locate_bundle
from pairguard.errors import BundleRefused
from pairguard.server.generation_sources import Changes, Signature, Sources
from pairguard.server.processes.messages import Release

_END_SECONDS: Final = 5.0


class ReleaseWatch:
    """Looks at bundle and policy, and holds what is to be loaded next.

    Args:
        sources: Where they lie.
        check_seconds: How often is looked.
        on_release: Called, in the thread, when there is something to be taken.
    """

    def __init__(
        self, sources: Sources, *, check_seconds: float, on_release: Callable[[], None]
    ) -> None:
        self._sources = sources
        self._check_seconds = check_seconds
        self._on_release = on_release
        self._changes = Changes(sources)
        self._lock = threading.Lock()
        self._number = 0
        self._next: Release | None = None
        self._asked = threading.Event()
        self._again = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def snapshot(self) -> Release:
        """Return what there is now, whether or not it stands still."""
        return self._release(self._changes.now(), asked=False)

    def start(self) -> None:
        """Begin to look, in a thread."""
        self._thread = threading.Thread(target=self._follow, name="releases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a disk that hangs is not waited for."""
        self._stopped = True
        self._asked.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)

    def ask(self) -> None:
        """Have what there is now taken, whether or not it has changed; from anywhere."""
        self._asked.set()

    def again(self) -> None:
        """Have what there is tried again once it stands still."""
        self._again.set()

    def take(self) -> Release | None:
        """Return what is to be loaded next, once; None: nothing is."""
        with self._lock:
            release, self._next = self._next, None
        return release

    def look(self, *, asked: bool = False) -> None:
        """Look whether there is something to be loaded.

        Args:
            asked: There is, whether or not it has changed.
        """
        if self._again.is_set():
            self._again.clear()
            self._changes.again()
        signature = self._changes.due(asked=asked)
        if signature is None:
            return
        release = self._release(signature, asked=asked)
        if not self._changes.is_as_it_was(signature):
            if asked:
                self._asked.set()
            return
        self._changes.tried(signature)
        with self._lock:
            # Only the newest counts; that somebody asked is not forgotten.
            self._next = release
        self._on_release()

    def _follow(self) -> None:
        while not self._stopped:
            asked = self._asked.wait(self._check_seconds)
            self._asked.clear()
            if not self._stopped:
                self.look(asked=asked)

    def _release(self, signature: Signature, *, asked: bool) -> Release:
        sources = self._sources
        bundle, text = sources.bundle_path, None
        # What cannot be read, a worker says why.
        with suppress(BundleRefused):
            bundle = locate_bundle(sources.bundle_path)
        if sources.policy_file is not None:
            with suppress(OSError, ValueError):
                text = sources.policy_file.read_text(encoding="utf-8")
        with self._lock:
            self._number += 1
            unseen = self._next
            return Release(
                self._number,
                str(bundle.absolute()),
                bundle_mark=_mark(signature.bundle),
                policy_text=text,
                policy_file=None if sources.policy_file is None else str(sources.policy_file),
                policy_mark=_mark(signature.policy),
                asked=asked or (unseen is not None and unseen.asked),
            )


def _mark(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8")).hexdigest()[:32]
